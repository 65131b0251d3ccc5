import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { afterEach, test } from "node:test";

import { Files } from "../../static/call/files/files.js";
import { BUFFER_BYTES, NO_PRINT, PIECE_BYTES, WINDOW_BYTES, isStart, offerIn, printOf } from "../../static/call/files/wire.js";
import { channelPair } from "./fake_channel.js";
import { HandClock } from "./fake_connection.js";

/** A place for the bytes that behaves like a disk. */
class Disk {
  constructor({ fullAt = Infinity, gate = null } = {}) {
    Object.assign(this, { bytes: Buffer.alloc(0), fullAt, gate, isThere: true, writes: 0 });
  }

  async write(given) {
    const bytes = structuredClone(given, { transfer: [given.buffer] });
    await this.gate?.();
    this.writes += 1;
    if (this.bytes.length + bytes.length > this.fullAt) throw new Error("QuotaExceededError");
    this.bytes = Buffer.concat([this.bytes, bytes]);
  }

  async restart() {
    this.bytes = Buffer.alloc(0);
  }

  async finish() {
    return null;
  }

  async discard() {
    this.isThere = false;
  }
}

class MemoryStorage extends Map {
  getItem(key) {
    return this.get(key) ?? null;
  }

  setItem(key, value) {
    this.set(key, value);
  }
}

/** @type {Call[]} */
const calls = [];
afterEach(() => {
  for (const call of calls.splice(0)) for (const { files } of call.everybody) files.stopAll();
});

/** People in a call with their files; a channel may be cut after so many bytes, once for each entry of `cuts`. */
class Call {
  constructor({ cuts = [], mostBytes = 65536 } = {}) {
    Object.assign(this, { cuts, mostBytes, people: new Map(), everybody: [], channels: [], told: [] });
    this.isReachable = true;
    calls.push(this);
  }

  join(id, storage = new MemoryStorage()) {
    const participant = { id, name: id, kind: "person", role: "guest", joined_at_ms: 0 };
    const one = { participant, offers: [], storage };
    one.files = new Files({
      tell: (to, body) => this.tell(participant, to, structuredClone(body)),
      open: (to, label) => this.open(participant, to, label),
      people: () => [...this.people.values()].map((other) => other.participant).filter((other) => other !== participant),
      onOutgoing: () => undefined,
      onOffer: (receiving) => one.offers.push(receiving),
      onReceiving: (receiving) => this.changed?.(receiving),
      storage,
      key: "files",
    });
    this.people.set(id, one);
    this.everybody.push(one);
    for (const other of this.people.values()) if (other !== one) other.files.reaches(participant);
    return one;
  }

  leave(id) {
    this.people.delete(id);
    for (const channel of this.channels) if (channel.who.includes(id)) channel.cut();
    for (const other of this.people.values()) other.files.left(id);
  }

  tell(from, to, body) {
    this.told.push({ from: from.id, to, body });
    setImmediate(() => this.people.has(from.id) && this.people.get(to)?.files.hear(from, body));
  }

  open(from, to, label) {
    if (!this.isReachable || !this.people.has(to)) return null;
    const [channel, theirs] = channelPair(label);
    channel.who = [from.id, to];
    channel.cutAfter = this.cuts.shift();
    this.channels.push(channel);
    setImmediate(() => this.people.get(to)?.files.listen(from, theirs));
    return { channel, mostBytes: this.mostBytes };
  }

  takes() {
    return this.told.filter(({ body }) => body.file === "take").map(({ body }) => body.from);
  }
}

async function until(isSo) {
  const limit = Date.now() + 30_000;
  while (!isSo()) {
    if (Date.now() > limit) assert.fail(`never: ${isSo}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const fileOf = (bytes, name = "plan.pdf") => new File([bytes], name, { type: "application/pdf", lastModified: 1000 });

/** Ana sends Ben a file, and he takes it. */
async function offered({ bytes = randomBytes(1_000_000), disk = new Disk(), ...options } = {}) {
  const call = new Call(options);
  const [ana, ben] = [call.join("ana-1"), call.join("ben-1")];
  const outgoing = ana.files.send(fileOf(bytes), "ben-1");
  await until(() => ben.offers.length === 1);
  const [receiving] = ben.offers;
  receiving.accept(disk);
  return { call, ana, ben, outgoing, sending: outgoing.sendings.get("ben-1"), receiving, disk, bytes };
}

test("a file arrives whole, and both sides know it", async () => {
  const { sending, receiving, disk, bytes } = await offered();

  await until(() => sending.state === "sent");

  assert.equal(receiving.state, "received");
  assert.deepEqual(disk.bytes, bytes);
  assert.equal(sending.done, bytes.length);
});

for (const size of [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 4 * PIECE_BYTES]) {
  test(`a file of ${size} bytes arrives`, async () => {
    const { sending, disk, bytes } = await offered({ bytes: randomBytes(size) });

    await until(() => sending.state === "sent");

    assert.deepEqual(disk.bytes, bytes);
  });
}

test("messages are no larger than the channel takes", async () => {
  const { sending, disk, bytes } = await offered({ bytes: randomBytes(100_000), mostBytes: 1000 });

  await until(() => sending.state === "sent");

  assert.deepEqual(disk.bytes, bytes);
});

test("a print is SHA-256 over the print before and the piece", async () => {
  const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
  const [first, second] = [Buffer.from("abc"), randomBytes(500)];

  const one = await printOf(NO_PRINT, first);
  const two = await printOf(one, second);

  assert.equal(one, sha256(Buffer.alloc(32), first).toString("hex"));
  assert.equal(two, sha256(sha256(Buffer.alloc(32), first), second).toString("hex"));
});

test("a channel that ends again and again: each next one begins where the last got to, and nothing is written twice", async () => {
  const cuts = [700_000, 10, 300_000, 1_000_000];
  const { call, sending, disk, bytes } = await offered({ bytes: randomBytes(3_000_000), cuts });

  await until(() => sending.state === "sent");

  assert.deepEqual(disk.bytes, bytes);
  assert.equal(disk.writes, Math.ceil(3_000_000 / PIECE_BYTES));
  assert.equal(call.takes()[0], 0);
  assert.equal(call.takes()[1], 2 * PIECE_BYTES);
  assert.deepEqual(call.takes().toSorted((one, other) => one - other), call.takes());
});

test("where there is no way for now it is asked for again, ever more rarely, and at once when there is one", async (t) => {
  const clock = new HandClock(t);
  const call = new Call();
  const [ana, ben] = [call.join("ana-1"), call.join("ben-1")];
  call.isReachable = false;
  ana.files.send(fileOf(randomBytes(10)), "*");
  await until(() => ben.offers.length === 1);
  ben.offers[0].accept(new Disk());

  await clock.turn(60_000);

  assert.ok(call.takes().length >= 4 && call.takes().length <= 8, String(call.takes().length));
  call.isReachable = true;
  ben.files.reaches(ana.participant);
  await until(() => ben.offers[0].state === "received");
});

test("a sender never has more waiting in the browser, nor unwritten over there, than agreed", async () => {
  let open = () => undefined;
  const closed = new Promise((resolve) => (open = resolve));
  const disk = new Disk({ gate: () => closed });
  const { call, sending, receiving, bytes } = await offered({ bytes: randomBytes(WINDOW_BYTES + 4_000_000), disk });

  await until(() => receiving.held >= WINDOW_BYTES);
  for (let turn = 0; turn < 500; turn += 1) await new Promise((resolve) => setImmediate(resolve));

  assert.ok(receiving.held <= WINDOW_BYTES, String(receiving.held));
  assert.ok(call.channels[0].most <= BUFFER_BYTES + 65536, String(call.channels[0].most));
  open();
  await until(() => sending.state === "sent");
  assert.deepEqual(disk.bytes, bytes);
});

test("a sender that does not wait is not listened to until memory is full", async () => {
  const call = new Call();
  const [mallory, ben] = [call.join("mallory"), call.join("ben-1")];
  call.tell(mallory.participant, "ben-1", { file: "offer", id: "12345678", name: "x", size: 1e9, type: "", modified_ms: 0 });
  await until(() => ben.offers.length === 1);
  const disk = new Disk();
  ben.offers[0].accept(disk);
  await until(() => call.takes().length === 1);
  const { channel } = call.open(mallory.participant, "ben-1", "file:12345678");
  await until(() => channel.readyState === "open");

  channel.send(JSON.stringify({ from: 0 }));
  for (let sent = 0; sent < 2 * WINDOW_BYTES; sent += 65536) channel.send(new Uint8Array(65536));

  await until(() => channel.readyState === "closed");
  assert.equal(disk.bytes.length, 0);
});

test("a piece that is not what was sent is not written, and one that is damaged each time ends it", async () => {
  const call = new Call();
  const [mallory, ben] = [call.join("mallory"), call.join("ben-1")];
  call.tell(mallory.participant, "ben-1", { file: "offer", id: "12345678", name: "x", size: 100, type: "", modified_ms: 0 });
  await until(() => ben.offers.length === 1);
  const disk = new Disk();
  ben.offers[0].accept(disk);

  for (let turn = 1; turn <= 3; turn += 1) {
    await until(() => call.takes().length === turn);
    const { channel } = call.open(mallory.participant, "ben-1", "file:12345678");
    await until(() => channel.readyState === "open");
    channel.send(JSON.stringify({ from: 0 }));
    channel.send(new Uint8Array(100).fill(turn));
    channel.send(JSON.stringify({ print: NO_PRINT }));
    await until(() => channel.readyState === "closed");
  }

  assert.deepEqual([ben.offers[0].state, ben.offers[0].why], ["failed", "damaged"]);
  assert.equal(disk.bytes.length, 0);
  await until(() => !disk.isThere);
});

test("to everyone: each takes it or not for himself, and who comes later is offered it too", async () => {
  const call = new Call();
  const [ana, ben, cleo] = [call.join("ana-1"), call.join("ben-1"), call.join("cleo-1")];
  const bytes = randomBytes(600_000);
  const { sendings } = ana.files.send(fileOf(bytes), "*");
  await until(() => ben.offers.length === 1 && cleo.offers.length === 1);
  const [forBen, forDan] = [new Disk(), new Disk()];

  ben.offers[0].accept(forBen);
  cleo.offers[0].decline();
  const dan = call.join("dan-1");
  await until(() => dan.offers.length === 1);
  dan.offers[0].accept(forDan);

  await until(() => sendings.get("ben-1").state === "sent" && sendings.get("dan-1").state === "sent");
  assert.equal(sendings.get("cleo-1").state, "declined");
  assert.deepEqual([forBen.bytes, forDan.bytes], [bytes, bytes]);
});

test("several files at once, both ways, do not get mixed up", async () => {
  const call = new Call({ cuts: [undefined, 200_000, 5000] });
  const [ana, ben] = [call.join("ana-1"), call.join("ben-1")];
  const files = [0, 1, 2, 3].map((number) => ({ bytes: randomBytes(400_000 + number), disk: new Disk(), from: number % 2 ? ana : ben }));
  for (const { bytes, from } of files) from.files.send(fileOf(bytes, String(bytes.length)), "*");
  await until(() => ana.offers.length === 2 && ben.offers.length === 2);

  for (const receiving of [...ana.offers, ...ben.offers]) receiving.accept(files.find(({ bytes }) => bytes.length === receiving.offer.size).disk);

  await until(() => [...ana.offers, ...ben.offers].every(({ state }) => state === "received"));
  for (const { bytes, disk } of files) assert.deepEqual(disk.bytes, bytes);
});

for (const who of ["sender", "receiver"]) {
  test(`a ${who} may cancel in the middle: the other knows, and what came is thrown away`, async () => {
    const { sending, receiving, disk } = await offered({ bytes: randomBytes(20_000_000) });
    await until(() => receiving.done > 0);

    if (who === "sender") sending.cancel();
    else receiving.cancel();

    await until(() => sending.state === "cancelled" && receiving.state === "cancelled");
    await until(() => !disk.isThere);
    assert.ok(disk.bytes.length < 20_000_000);
  });
}

test("a receiver that leaves in the middle is gone for the sender, whose file is still to be had", async () => {
  const { call, ana, sending, receiving } = await offered({ bytes: randomBytes(20_000_000) });
  await until(() => receiving.done > 0);

  call.leave("ben-1");

  assert.equal(sending.state, "gone");
  assert.equal(ana.files.areUnderWay, false);
  assert.equal(ana.files.outgoing.length, 1);
});

test("a sender that reloads goes on, with the same file chosen again, where it was", async () => {
  const bytes = randomBytes(20_000_000);
  const { call, ana, receiving, disk } = await offered({ bytes });
  await until(() => receiving.done > 3_000_000);

  call.leave("ana-1");
  assert.equal(receiving.state, "gone");
  const back = call.join("ana-2", ana.storage);
  assert.deepEqual(back.files.cutShort.map(({ name }) => name), ["plan.pdf"]);
  back.files.send(fileOf(bytes), "*");

  await until(() => receiving.state === "received");
  assert.deepEqual(disk.bytes, bytes);
  assert.ok(call.takes().at(-1) > 3_000_000);
  assert.deepEqual(back.files.cutShort, []);
});

test("another file of the same name and size is not pieced together with the beginning of the first", async () => {
  const [first, second] = [randomBytes(20_000_000), randomBytes(20_000_000)];
  const { call, ana, receiving, disk } = await offered({ bytes: first });
  await until(() => receiving.done > 3_000_000);
  call.leave("ana-1");

  call.join("ana-2", ana.storage).files.send(fileOf(second), "*");

  await until(() => receiving.state === "received");
  assert.deepEqual(disk.bytes, second);
});

test("a file that was changed since it was chosen is not sent, and both are told why", async () => {
  const call = new Call();
  const [ana, ben] = [call.join("ana-1"), call.join("ben-1")];
  const file = fileOf(randomBytes(1000));
  file.slice = () => ({ size: 1000, arrayBuffer: () => Promise.reject(new DOMException("gone", "NotReadableError")) });
  const { sendings } = ana.files.send(file, "*");
  await until(() => ben.offers.length === 1);

  ben.offers[0].accept(new Disk());

  await until(() => ben.offers[0].state === "cancelled");
  assert.deepEqual([sendings.get("ben-1").state, sendings.get("ben-1").why, ben.offers[0].why], ["failed", "unreadable", "unreadable"]);
});

test("a disk that is full ends it, and the sender is told why", async () => {
  const { sending, receiving } = await offered({ disk: new Disk({ fullAt: 500_000 }) });

  await until(() => sending.state === "failed");

  assert.deepEqual([sending.why, receiving.state, receiving.why], ["disk", "failed", "disk"]);
});

test("nobody can answer for another, take what was not offered to him, or ask from a place that is none", async () => {
  const call = new Call();
  const [ana, ben, mallory] = [call.join("ana-1"), call.join("ben-1"), call.join("mallory")];
  const { sendings } = ana.files.send(fileOf(randomBytes(1000)), "ben-1");
  await until(() => ben.offers.length === 1);
  const { id } = ben.offers[0].offer;

  for (const file of ["cancel", "decline", "received", "take"]) ana.files.hear(mallory.participant, { file, id, from: 0, print: NO_PRINT });
  ben.files.hear(mallory.participant, { file: "cancel", id });

  assert.equal(sendings.get("ben-1").state, "offered");
  assert.equal(ben.offers[0].state, "offered");
  assert.equal(call.channels.length, 0);
  assert.deepEqual([-1, 1.5, 7, "0", null, 2 * PIECE_BYTES].map((from) => isStart(from, 1000)), Array(6).fill(false));
  assert.deepEqual([0, 1000].map((from) => isStart(from, 1000)), [true, true]);
});

test("an offer that makes no sense is passed over, and nobody can flood one with them", async () => {
  const call = new Call();
  const [mallory, ben] = [call.join("mallory"), call.join("ben-1")];
  const good = { file: "offer", id: "12345678", name: "x", size: 1, type: "", modified_ms: 0 };
  for (const bad of [{ id: "../../x" }, { id: 5 }, { name: 7 }, { size: -1 }, { size: 1.5 }, { size: "1" }, { size: 1e300 }]) {
    ben.files.hear(mallory.participant, { ...good, ...bad });
  }
  assert.equal(ben.offers.length, 0);

  for (let number = 0; number < 500; number += 1) ben.files.hear(mallory.participant, { ...good, id: `many-${number}-times` });

  assert.equal(ben.offers.length, 100);
  assert.equal(offerIn({ ...good, name: "n".repeat(100_000) }).name.length, 1000);
});
