import assert from "node:assert/strict";
import { test } from "node:test";

import { Away } from "../../static/call/api.js";
import { DeviceClock, Stamps } from "../../static/call/http/clock.js";
import { Data } from "../../static/call/http/data.js";
import { Duplex } from "../../static/call/http/duplex.js";
import { Ladder } from "../../static/call/http/ladder.js";
import { Lips } from "../../static/call/http/lips.js";
import { Order } from "../../static/call/http/order.js";
import { Rate } from "../../static/call/http/rate.js";
import { HandClock, settle } from "./fake_connection.js";

// -- order ---------------------------------------------------------------------------------------------------------------------

test("chunks that overtook each other come out in order", () => {
  const order = new Order();
  order.add(1, "a", 0, true);
  order.add(3, "c", 0);
  assert.deepEqual(order.take(0), { items: ["a"], lost: false });

  order.add(2, "b", 10);

  assert.deepEqual(order.take(10), { items: ["b", "c"], lost: false });
  assert.equal(order.after, 3);
});

test("what does not come is given up after a while, and said to be lost", () => {
  const order = new Order({ patienceMs: 250 });
  order.add(1, "a", 0, true);
  order.take(0);
  order.add(3, "c", 100);

  assert.deepEqual(order.take(300).items, []);
  assert.deepEqual(order.take(351), { items: ["c"], lost: true });
});

test("a chunk that comes twice is taken once", () => {
  const order = new Order();
  order.add(1, "a", 0, true);
  order.take(0);

  order.add(1, "a", 5);

  assert.deepEqual(order.take(1000).items, []);
});

test("data is waited for however long it takes", () => {
  const order = new Order({ patienceMs: Infinity });
  order.add(2, "b", 0);
  assert.deepEqual(order.take(1e9).items, []);

  order.add(1, "a", 1e9);

  assert.deepEqual(order.take(1e9).items, ["a", "b"]);
});

// -- rate ----------------------------------------------------------------------------------------------------------------------

/** A link of so many kbit/s with a queue, and a sender that sends all it may; its rate after each second. */
function drive(rate, kbitAt, seconds, delayMs = 40) {
  const batchMs = 30;
  const found = [];
  let freeAtMs = 0;
  for (let nowMs = 0; nowMs < seconds * 1000; nowMs += batchMs) {
    const bytes = rate.isJammed ? 150 : (rate.kbit * batchMs) / 8;
    freeAtMs = Math.max(freeAtMs, nowMs) + (bytes * 8) / kbitAt(nowMs);
    rate.take({ bytes, delayMs: freeAtMs - nowMs + delayMs, nowMs: freeAtMs + delayMs });
    if (Math.floor(nowMs / 1000) !== Math.floor((nowMs + batchMs) / 1000)) found.push({ kbit: rate.kbit, queueMs: rate.queueMs, isJammed: rate.isJammed });
  }
  return found;
}

test("on a narrow link the rate settles below what it carries, and the queue stays short", () => {
  const found = drive(new Rate({ startKbit: 900 }), () => 250, 40).slice(15);

  assert.ok(found.every(({ kbit }) => kbit < 300), `most ${Math.max(...found.map(({ kbit }) => kbit))}`);
  assert.ok(found.reduce((sum, { kbit }) => sum + kbit, 0) / found.length > 150);
  assert.ok(found.filter(({ queueMs }) => queueMs < 150).length > found.length * 0.8, JSON.stringify(found.map(({ queueMs }) => Math.round(queueMs))));
});

test("when a link becomes narrow all but sound stops, and when it is wide again the rate comes back", () => {
  const rate = new Rate({ startKbit: 900 });
  const found = drive(rate, (ms) => (ms > 5000 && ms < 25000 ? 100 : 4000), 60);

  assert.ok(found.slice(5, 9).some(({ isJammed }) => isJammed));
  assert.ok(found[20].kbit < 120, `${found[20].kbit}`);
  assert.ok(found[59].kbit > 900, `${found[59].kbit}`);
});

test("one batch that is late alone changes nothing", () => {
  const rate = new Rate({ startKbit: 900 });
  for (let nowMs = 0; nowMs < 3000; nowMs += 30) rate.take({ bytes: 3000, delayMs: nowMs === 1500 ? 340 : 40, nowMs });

  assert.ok(rate.kbit >= 900);
});

test("what comes first after a jam says how the road is, whatever was before it", () => {
  const jammed = () => {
    const rate = new Rate({ startKbit: 900 });
    for (let nowMs = 0; nowMs < 3000; nowMs += 30) rate.take({ bytes: 3000, delayMs: 40, nowMs });
    rate.jam(3000);
    return rate;
  };
  const [narrow, open] = [jammed(), jammed()];
  assert.ok(narrow.isJammed);
  narrow.take({ bytes: 100, delayMs: 40, nowMs: 2990 });
  assert.ok(narrow.isJammed, "what arrived before it knows nothing of it");

  narrow.take({ bytes: 3000, delayMs: 1040, nowMs: 4000 });
  open.take({ bytes: 3000, delayMs: 50, nowMs: 4000 });

  assert.ok(narrow.isJammed);
  assert.ok(narrow.kbit < 100, `${narrow.kbit}`);
  assert.ok(!open.isJammed);
  assert.ok(open.kbit >= 900);
});

test("what is not used is not raised", () => {
  const rate = new Rate({ startKbit: 900 });
  for (let nowMs = 0; nowMs < 20000; nowMs += 30) rate.take({ bytes: 300, delayMs: 40, nowMs });

  assert.equal(rate.kbit, 900);
});

// -- ladder --------------------------------------------------------------------------------------------------------------------

test("sound is served first, and the picture goes when nothing is left for it", () => {
  const plan = new Ladder().plan({ kbit: 90, isJammed: false, isBusy: false, pictures: ["camera"] }, 0);

  assert.equal(plan.pictures.get("camera"), null);
  assert.deepEqual(plan.sound, { kbit: 16, frameMs: 60 });
});

test("in a jam there is no picture, and after it there is one again", () => {
  const ladder = new Ladder();
  const road = { kbit: 900, isBusy: false, pictures: ["camera"] };
  const { pictures, sound } = ladder.plan({ ...road, isJammed: true }, 0);

  assert.equal(pictures.get("camera"), null);
  assert.deepEqual(sound, { kbit: 16, frameMs: 60 });
  assert.ok(ladder.plan({ ...road, isJammed: false }, 100).pictures.get("camera"));
});

test("a larger picture comes only after there has been room for it for a while", () => {
  const ladder = new Ladder();
  const heightAt = (kbit, nowMs) => ladder.plan({ kbit, isJammed: false, isBusy: false, pictures: ["camera"] }, nowMs).pictures.get("camera").height;

  const first = heightAt(400, 0);
  assert.equal(heightAt(1500, 100), first);
  assert.equal(heightAt(1500, 2000), first);
  assert.ok(heightAt(1500, 3200) > first);
});

test("a machine that is too slow gets a smaller picture, and is not asked for a larger one soon", () => {
  const ladder = new Ladder();
  const heightAt = (nowMs, isBusy = false) => ladder.plan({ kbit: 2000, isJammed: false, isBusy, pictures: ["camera"] }, nowMs).pictures.get("camera").height;
  const first = heightAt(0);

  assert.ok(heightAt(100, true) < first);
  assert.ok(heightAt(20_000) < first);
  heightAt(32_000);
  assert.equal(heightAt(34_000), first);
});

test("headers never take most of a narrow road", () => {
  const { batchMs } = new Ladder().plan({ kbit: 100, isJammed: false, isBusy: false, pictures: [] }, 0);

  assert.equal(batchMs, 120);
});

// -- clocks --------------------------------------------------------------------------------------------------------------------

test("two devices with clocks of their own come to one, whatever delays their frames", () => {
  const [camera, microphone] = [new DeviceClock(), new DeviceClock()];
  let [seen, heard] = [0, 0];
  for (let ms = 0; ms < 5000; ms += 10) {
    heard = microphone.capturedMs(7_000_000 + ms, ms + (ms % 30));
    if (ms % 40 === 0) seen = camera.capturedMs(ms, ms + (ms % 70));
  }

  assert.ok(Math.abs(seen - heard) < 40, `${seen} ${heard}`);
});

test("a picture waits for the sound of its moment, and sound for pictures that are late again and again", () => {
  const lips = new Lips();
  lips.hear(1000, 0);

  assert.ok(lips.waitMs(1100, 0) > 50);
  assert.equal(lips.waitMs(900, 0), 0);
  for (let ms = 0; ms < 4000; ms += 40) {
    lips.hear(1000 + ms, ms);
    lips.shown(900 + ms, ms);
  }
  assert.ok(lips.extraMs > 30);
});

test("sound that is impossibly far behind holds no picture back", () => {
  const lips = new Lips();
  lips.hear(1000, 0);

  assert.equal(lips.waitMs(20_000, 0), 0);
});

test("what a codec of sound gives gets its own moment back, whatever was left out and however long its packets are", () => {
  const stamps = new Stamps();
  // Three of 20 ms, nothing for five seconds, and three more by a clock that is a little fast.
  const [first, ...more] = [7000, 7020, 7040, 12_040, 12_060.1, 12_080.2].map((ms) => stamps.put(ms * 1000, 20_000));

  assert.equal(first, 0);
  assert.deepEqual(more, [20_000, 40_000, 60_000, 80_000, 100_000]);
  assert.equal(stamps.take(first), 7_000_000);
  // One packet of 60 ms of what came after the hole; a codec may round.
  assert.equal(stamps.take(59_999), 12_039_999);
  assert.equal(stamps.take(100_000), 12_080_200);
});

// -- duplex --------------------------------------------------------------------------------------------------------------------

/** A server that answers when told to. */
class Road {
  constructor(t) {
    this.clock = new HandClock(t);
    this.asked = [];
    this.lost = [];
    this.duplex = new Duplex({
      post: (query, body) => new Promise((resolve, reject) => this.asked.push({ query: new URLSearchParams(query), body, resolve, reject })),
      wishes: () => [{ from: "p1", stream: 0, after: 0 }],
      take: () => undefined,
      lost: (streams) => this.lost.push(...streams),
      refused: () => undefined,
      now: () => this.clock.now,
    });
    this.duplex.start();
  }

  async answers(request, control = {}) {
    const text = new TextEncoder().encode(JSON.stringify({ streams: {}, skipped: {}, full: false, ...control }));
    request.resolve(new Uint8Array([0, 0, 0, 0, text.length, ...text]));
    await settle();
  }
}

const chunk = (n, stream = 0) => ({ stream, flags: 2, n, sealed: new Uint8Array(100) });

test("several requests listen at once, so that none is missing while an answer is on its way", async (t) => {
  const road = new Road(t);
  await settle();

  assert.equal(road.asked.length, 2);
  assert.ok(road.asked.every(({ query }) => query.get("wait_ms") === "2000"));

  await road.answers(road.asked[0]);

  assert.equal(road.asked.length, 3);
});

test("chunks that come close together leave in one request", async (t) => {
  const road = new Road(t);
  await settle();
  road.duplex.send(chunk(1));
  road.duplex.send(chunk(2));
  road.duplex.send(chunk(3));
  await road.clock.turn(30);

  assert.deepEqual(road.asked.map(({ body }) => body.length), [0, 0, 111, 222]);
});

test("a request that failed is sent again under its nonce", async (t) => {
  const road = new Road(t);
  await settle();
  road.duplex.send(chunk(1));
  const sent = road.asked.at(-1);

  for (const request of road.asked.slice()) request.reject(new Away("cut"));
  await settle();
  for (let round = 0; round < 4; round += 1) {
    await road.clock.turn(300);
    for (const request of road.asked.slice()) await road.answers(request);
  }

  const again = road.asked.filter(({ query }) => query.get("nonce") === sent.query.get("nonce"));
  assert.ok(again.length > 1);
});

test("when all that was sent is stuck there is room for nothing but sound before an answer says so, and old sound is left out", async (t) => {
  const road = new Road(t);
  await settle();
  for (let n = 1; n <= 12; n += 1) {
    road.duplex.send(chunk(n));
    await road.clock.turn(20);
  }
  assert.equal(road.asked.length, 4);
  assert.equal(road.duplex.lookForJam(), false);

  for (let n = 13; n <= 40; n += 1) {
    road.duplex.send(chunk(n));
    await road.clock.turn(20);
  }

  assert.equal(road.duplex.lookForJam(), true);
  await road.answers(road.asked[2]);
  // Of more than 600 ms that waited.
  assert.equal(road.asked[4].body.length / 111, 20);
});

test("a page that is busy takes its answers late, and does not think the road narrow", async (t) => {
  for (const isBusy of [true, false]) {
    const road = new Road(t);
    await settle();
    const { duplex, clock } = road;
    for (let ms = 0; ms < 3000; ms += 50) {
      // The clock stands still while the page is busy, and then strikes at once.
      if (!isBusy || ms % 150 === 0) duplex.strike(50);
      await clock.turn(50);
      const late = ms > 1000 ? 200 : 0;
      for (const request of road.asked.splice(0)) await road.answers(request, { came_ms: clock.now - late - 20, left_ms: clock.now - late - 20 });
    }
    assert.equal(duplex.down.kbit < 1000, !isBusy, `${duplex.down.kbit}`);
    duplex.stop();
  }
});

test("where nothing gets through one request tries at a time, and what has become too old is not sent", async (t) => {
  const road = new Road(t);
  await settle();
  road.duplex.send(chunk(1, 1));
  for (const request of road.asked.splice(0)) request.reject(new Away("cut"));
  await settle();
  await road.clock.turn(300);
  assert.equal(road.asked.length, 1);

  await road.clock.turn(5000);
  for (let round = 0; round < 6; round += 1) {
    for (const request of road.asked.splice(0)) await road.answers(request);
    await road.clock.turn(100);
  }

  assert.deepEqual([...new Set(road.lost)], [1]);
});

// -- data ----------------------------------------------------------------------------------------------------------------------

/** Two ends of a road that loses nothing. */
function ends() {
  const got = { ana: [], ben: [] };
  const channels = {};
  let n = 0;
  const ana = new Data({ me: "ana", put: async (plain) => { ben.take("ana", plain); return (n += 1); }, onChannel: () => undefined });
  const ben = new Data({
    me: "ben", put: async () => 0,
    onChannel: (_from, channel) => {
      channels[channel.label] = channel;
      channel.onmessage = ({ data }) => got.ben.push(data);
    },
  });
  return { ana, ben, got, channels };
}

test("what is sent by a channel arrives whole and in order, however long", async () => {
  const { ana, got } = ends();
  const channel = ana.open("ben", "chat");
  const file = new Uint8Array(100_000).map((_, at) => at % 251);

  channel.send("hello");
  channel.send(file);
  assert.equal(channel.bufferedAmount, 100_005);
  for (let round = 0; round < 100; round += 1) await ana.pump(900, 100);

  assert.equal(got.ben[0], "hello");
  assert.deepEqual(new Uint8Array(got.ben[1]), file);
  assert.equal(channel.bufferedAmount, 0);
});

test("no more is under way than the server keeps, and receiving makes room", async () => {
  const { ana } = ends();
  const channel = ana.open("ben", "file");
  channel.send(new Uint8Array(2_000_000));

  for (let round = 0; round < 500; round += 1) await ana.pump(5000, 100);
  const before = channel.bufferedAmount;
  assert.ok(before > 1_500_000);

  ana.follow({ 4: { wanted: true, key: false, acknowledged: 1000 } });
  await ana.pump(5000, 100);
  assert.ok(channel.bufferedAmount < before);
});

test("a channel that one side closes is closed on the other, after what was sent before", async () => {
  const { ana, got, channels } = ends();
  const channel = ana.open("ben", "file");
  channel.send("the last");

  channel.close();
  for (let round = 0; round < 10; round += 1) await ana.pump(900, 100);

  assert.deepEqual(got.ben, ["the last"]);
  assert.equal(channels.file.readyState, "closed");
  assert.throws(() => channel.send("more"), /closed/);
});

test("who sends is told when there is room again", async () => {
  const { ana } = ends();
  const channel = ana.open("ben", "file");
  channel.bufferedAmountLowThreshold = 50_000;
  let told = 0;
  channel.addEventListener("bufferedamountlow", () => (told += 1));
  channel.send(new Uint8Array(100_000));

  for (let round = 0; round < 100; round += 1) await ana.pump(900, 100);

  assert.equal(told, 1);
});

test("what is said to another is not for us", async () => {
  const { ana, got } = ends();
  ana.open("cleo", "chat").send("secret");

  await ana.pump(900, 1000);

  assert.deepEqual(got.ben, []);
});
