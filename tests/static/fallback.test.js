import assert from "node:assert/strict";
import { test } from "node:test";

import { Fallback } from "../../static/call/fallback.js";
import { Peer } from "../../static/call/peer.js";
import { FakeConnection, HandClock, settle } from "./fake_connection.js";

globalThis.RTCPeerConnection = FakeConnection;
globalThis.MediaStream = class {};

/** A room, as far as roads go; what the page would show of Ben's. */
class House {
  constructor() {
    this.me = { id: "ana" };
    this.token = "t";
    this.participants = new Map([["ben", { id: "ben" }]]);
    this.tracks = new Map();
    this.said = [];
    this.shown = [];
    this.ben = { state: "no-path", connection: { getStats: async () => new Map([["in", { type: "inbound-rtp", bytesReceived: 9 }]]) } };
    this.peers = new Map([["ben", this.ben]]);
    this.mailbox = { send: (to, kind, body) => this.said.push([to, kind, body]) };
    this.fallback = new Fallback(this);
    this.fallback.isOffered = true;
    this.http = { begun: [], ended: [], begin: (id) => this.http.begun.push(id), end: (id) => this.http.ended.push(id), met: async () => undefined };
    this.fallback.http = this.http;
    this.fallback.loading = Promise.resolve(this.http);
  }

  took(_id, road) {
    this.shown.push(road);
  }

  returned() {
    this.shown.push("webrtc");
  }
}

test("a pair that WebRTC does not connect is asked to speak over HTTP, once", async () => {
  const house = new House();

  house.fallback.follow({ id: "ben" }, "no-path");
  house.fallback.follow({ id: "ben" }, "no-path");
  await settle();

  assert.deepEqual(house.http.begun, ["ben"]);
});

test("where the server carries no media nobody is asked", async () => {
  const house = new House();
  house.fallback.isOffered = false;

  house.fallback.follow({ id: "ben" }, "no-path");
  await settle();

  assert.deepEqual(house.http.begun, []);
});

test("WebRTC is taken back as soon as something comes by it, and the other is told", async () => {
  const house = new House();
  house.fallback.follow({ id: "ben" }, "no-path");
  await settle();
  house.fallback.take("ben", "http");

  house.ben.state = "connected";
  house.fallback.follow({ id: "ben" }, "connected");
  await settle();

  assert.deepEqual(house.said, [["ben", "over-http", { on: false }]]);
  assert.deepEqual(house.http.ended, ["ben"]);
  assert.equal(house.shown.at(-1), "webrtc");
});

test("a browser that cannot says so to both sides", async () => {
  const house = new House();
  house.fallback.loading = Promise.resolve(null);

  house.fallback.hear("ben", "over-http", { on: true, public: "AA==" });
  await settle();

  assert.deepEqual(house.said, [["ben", "over-http", { on: false, why: "unable" }]]);
  assert.deepEqual(house.shown, ["unable"]);
});

test("why nothing passes is not overwritten by what WebRTC says, until it passes", async () => {
  const house = new House();
  house.fallback.loading = Promise.resolve(null);
  house.fallback.follow({ id: "ben" }, "no-path");
  const whileAsked = house.fallback.speaksFor("ben", "no-path");
  await settle();

  assert.deepEqual(
    [whileAsked, house.fallback.speaksFor("ben", "no-path"), house.fallback.speaksFor("ben", "connected")],
    [false, true, false],
  );
});

test("who hears that the other cannot shows it", async () => {
  const house = new House();
  house.fallback.follow({ id: "ben" }, "no-path");

  house.fallback.hear("ben", "over-http", { on: false, why: "unable" });
  await settle();

  assert.equal(house.shown.at(-1), "they-are-unable");
});

// -- when it is given up -------------------------------------------------------------------------------------------------------

async function offered(t, options = {}) {
  const clock = new HandClock(t);
  const states = [];
  const peer = new Peer({
    ours: "a", theirs: "b", toRecorder: false, configuration: {}, send: () => undefined, onTrack: () => undefined,
    onTrackEnded: () => undefined, onState: (state) => states.push(state), ...options,
  });
  t.after(() => peer.close());
  peer.openChannel();
  await settle();
  return { clock, states, peer };
}

test("where every server says no it is given up within half a second, not after five of silence", async (t) => {
  const { clock, states, peer } = await offered(t);
  peer.connection.iceGatheringState = "complete";
  peer.connection.remoteDescription = {};
  peer.connection.onicecandidateerror({});
  peer.connection.onicecandidate({ candidate: null });

  await clock.turn(500);

  assert.deepEqual(states, ["no-path"]);
});

test("where a relay answers there is time", async (t) => {
  const { clock, states, peer } = await offered(t);
  peer.connection.iceGatheringState = "complete";
  peer.connection.remoteDescription = {};
  peer.connection.onicecandidateerror({});
  const candidate = "candidate:1 1 udp 1 198.51.100.11 5000 typ relay raddr 0.0.0.0";
  peer.connection.onicecandidate({ candidate: { candidate, toJSON: () => ({ candidate }) } });
  peer.connection.onicecandidate({ candidate: null });

  await clock.turn(4000);

  assert.deepEqual(states, []);
});

test("a network that was seen to let nothing pass is not given five seconds again", async (t) => {
  const { clock, states } = await offered(t, { isHopeless: true });

  await clock.turn(500);

  assert.deepEqual(states, ["no-path"]);
});
