import assert from "node:assert/strict";
import { test } from "node:test";

import { Away, Refused } from "../../static/call/api.js";
import { Consent, remembered } from "../../static/call/consent.js";
import { Room } from "../../static/call/room.js";
import { FakeConnection, HandClock, settle } from "./fake_connection.js";

const RECORDING = { id: "r1", state: "recording", by: "Ana" };
globalThis.document ??= { querySelector: () => ({ append() {} }), createElement: () => ({ remove() {} }) };

/** One tab: what was asked of its person, told to the server, and sent to recorders. */
class Tab {
  constructor(t, { mode = "ask", storage = new Map() } = {}) {
    this.clock = new HandClock(t);
    this.storage = storage;
    this.asked = [];
    this.told = [];
    this.sent = false;
    this.server = async () => undefined;
    this.consent = new Consent({
      tell: (wish) => {
        this.told.push(wish);
        return this.server(wish);
      },
      apply: (agreed) => (this.sent = agreed),
      question: { ask: (text) => (this.open = this.asked[this.asked.push(text) - 1]), close: () => (this.open = null) },
      changed: () => undefined,
      mode: () => mode,
      storage: { getItem: (key) => storage.get(key) ?? null, setItem: (key, value) => storage.set(key, value) },
      language: "en",
    });
  }

  async follows(recording) {
    this.consent.follow(recording);
    await settle();
  }

  get answers() {
    return this.told.map(({ answer, how }) => `${answer} ${how}`);
  }
}

test("nothing is sent and nothing told before the question is answered", async (t) => {
  const tab = new Tab(t);

  await tab.follows(RECORDING);
  await tab.follows({ ...RECORDING, state: "paused" });

  assert.equal(tab.asked.length, 1);
  assert.deepEqual([tab.sent, tab.told], [false, []]);
});

test("yes is sent only when the server has written it down, with the words that were shown", async (t) => {
  const tab = new Tab(t);
  await tab.follows(RECORDING);
  let written = () => undefined;
  tab.server = () => new Promise((resolve) => (written = resolve));

  tab.consent.decide(true, "May you?");
  await settle();
  assert.equal(tab.sent, false);
  written();
  await settle();

  assert.equal(tab.sent, true);
  assert.deepEqual(tab.told, [{ recording: "r1", answer: "given", text: "May you?", language: "en", how: "asked" }]);
  assert.equal(tab.open, null);
});

test("no stops at once, whether or not the server can be told, and is told when it can", async (t) => {
  const tab = new Tab(t);
  await tab.follows(RECORDING);
  await tab.consent.decide(true, "May you?");
  tab.server = async () => {
    throw new Away("gone");
  };

  void tab.consent.decide(false, "Stop");
  assert.equal(tab.sent, false);
  await settle();
  tab.server = async () => undefined;
  await tab.clock.turn(500);

  assert.deepEqual(tab.answers, ["given asked", "withdrawn asked", "withdrawn asked"]);
});

test("a yes that has not got through yet is taken back by a no", async (t) => {
  const tab = new Tab(t);
  await tab.follows(RECORDING);
  tab.server = async () => {
    throw new Away("gone");
  };
  void tab.consent.decide(true, "May you?");
  await settle();

  void tab.consent.decide(false, "May you?");
  tab.server = async () => undefined;
  await tab.clock.turn(500);

  assert.equal(tab.sent, false);
  assert.equal(tab.answers.at(-1), "declined asked");
  assert.equal(tab.consent.answer, "declined");
});

test("a yes that reached the server behind our back is contradicted", async (t) => {
  const tab = new Tab(t);
  await tab.follows(RECORDING);
  await tab.consent.decide(false, "May you?");

  tab.consent.heard("given");
  await settle();

  assert.deepEqual(tab.answers, ["declined asked", "declined asked"]);
  assert.equal(tab.sent, false);
});

test("after a reload the answer is remembered and not asked for again", async (t) => {
  const before = new Tab(t);
  await before.follows(RECORDING);
  await before.consent.decide(true, "May you?");

  const after = new Tab(t, { storage: before.storage });
  await after.follows(RECORDING);

  assert.deepEqual([after.asked, after.answers, after.sent], [[], ["given remembered"], true]);
  assert.equal(after.told[0].text, "May you?");
});

test("who had withdrawn declines when coming back", async (t) => {
  const before = new Tab(t);
  await before.follows(RECORDING);
  await before.consent.decide(true, "May you?");
  await before.consent.decide(false, "Stop");

  const after = new Tab(t, { storage: before.storage });
  await after.follows(RECORDING);

  assert.deepEqual([after.asked, after.answers, after.sent], [[], ["declined remembered"], false]);
});

test("another recording asks anew, and until then nothing is sent", async (t) => {
  const tab = new Tab(t);
  await tab.follows(RECORDING);
  await tab.consent.decide(true, "May you?");

  await tab.follows({ ...RECORDING, state: "ready" });
  await tab.follows({ ...RECORDING, id: "r2" });

  assert.equal(tab.sent, false);
  assert.equal(tab.asked.length, 2);
});

test("a choice made before the call is told and asked for no more", async (t) => {
  const tab = new Tab(t);
  tab.consent.chosen = { recording: "r1", answer: "declined", text: "Join without", language: "en", how: "asked" };

  await tab.follows(RECORDING);

  assert.deepEqual([tab.asked, tab.answers, tab.sent], [[], ["declined asked"], false]);
});

test("who starts a recording is not asked about that one, but about any other", async (t) => {
  const tab = new Tab(t);
  tab.consent.starting = Promise.resolve("r1");

  await tab.follows(RECORDING);
  await tab.follows({ ...RECORDING, id: "r2" });

  assert.deepEqual(tab.answers, ["given started"]);
  assert.equal(tab.asked.length, 1);
});

test("where a notice is enough it is shown, told as one, and can be objected to", async (t) => {
  const tab = new Tab(t, { mode: "notice" });

  await tab.follows(RECORDING);
  assert.deepEqual([tab.answers, tab.sent, tab.open], [["given notice"], true, tab.asked[0]]);
  await tab.consent.decide(false, tab.open);

  assert.deepEqual(tab.answers, ["given notice", "withdrawn asked"]);
  assert.equal(tab.sent, false);
});

test("what the server refuses is not sent", async (t) => {
  t.mock.method(console, "warn", () => undefined);
  const tab = new Tab(t);
  await tab.follows(RECORDING);
  tab.server = async () => {
    throw new Refused(409, { type: "/problems/not-recording" });
  };

  await tab.consent.decide(true, "May you?");

  assert.equal(tab.sent, false);
  assert.equal(remembered("r1", { getItem: (key) => tab.storage.get(key) ?? null }), null);
});

test("without consent a page makes no connection to a recorder, whatever comes from it", async (t) => {
  const clock = new HandClock(t);
  globalThis.MediaStream = class {};
  let made = 0;
  globalThis.RTCPeerConnection = class extends FakeConnection {
    constructor() {
      super();
      made += 1;
    }
  };
  const nothing = () => undefined;
  const room = new Room("k3f9", new Proxy({}, { get: () => nothing }));
  room.me = { id: "pb", name: "Ben", kind: "person", role: "guest", joined_at_ms: 1 };
  room.mailbox = { send: nothing };
  room.tracks.set("camera", { kind: "video" });
  const recorder = { id: "prec", name: "Recorder", kind: "recorder", role: "recorder", joined_at_ms: 2 };

  room.take({ from: "server", kind: "joined", body: { participant: recorder } });
  room.take({ from: "prec", kind: "offer", body: { type: "offer", sdp: "" } });
  await room.setTrack("screen", { kind: "video" });
  await clock.turn(100);
  assert.equal(made, 0);

  room.agree(true);
  await clock.turn(100);
  assert.equal(made, 1);
  const { connection } = room.peers.get("prec");

  room.agree(false);
  assert.equal(connection.signalingState, "closed");
  assert.equal(room.peers.size, 0);
});
