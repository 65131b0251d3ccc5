import assert from "node:assert/strict";
import { test } from "node:test";

import { Peer, isPolite } from "../../static/call/peer.js";
import { FakeConnection, HandClock, settle } from "./fake_connection.js";

globalThis.RTCPeerConnection = FakeConnection;
globalThis.MediaStream = class {};

/** One side: what it said, in order, and what it was shown. */
class Side {
  constructor(ours, theirs, options = {}) {
    this.said = [];
    this.shown = [];
    this.ended = [];
    this.states = [];
    this.deliver = (kind, body) => this.said.push([kind, body]);
    this.peer = new Peer({
      ours,
      theirs,
      toRecorder: false,
      configuration: {},
      send: (kind, body) => this.deliver(kind, body),
      onTrack: (_track, source) => this.shown.push(source),
      onTrackEnded: (source) => this.ended.push(source),
      onState: (state) => this.states.push(state),
      ...options,
    });
  }

  get connection() {
    return this.peer.connection;
  }

  heard(kind) {
    return this.said.filter(([one]) => one === kind).map(([, body]) => body);
  }
}

/** Each hears what the other says, in order and a turn later, as through the mailbox. */
function join(one, other) {
  for (const [from, to] of [[one, other], [other, one]]) {
    from.deliver = (kind, body) => {
      from.said.push([kind, body]);
      setImmediate(() => void to.peer.take(kind, JSON.parse(JSON.stringify(body))));
    };
  }
}

async function call(t) {
  const clock = new HandClock(t);
  const alice = new Side("pa", "pb");
  const bob = new Side("pb", "pa");
  join(alice, bob);
  t.after(() => [alice, bob].forEach(({ peer }) => peer.close()));
  return { clock, alice, bob };
}

async function connected(t) {
  const called = await call(t);
  await called.bob.peer.setTrack("camera", { name: "bob" });
  await settle();
  await called.clock.turn(50);
  assert.equal(called.alice.peer.state, "connected");
  assert.equal(called.bob.peer.state, "connected");
  return called;
}

test("the smaller id is polite, and the other is not", () => {
  assert.equal(isPolite("pa", "pb"), true);
  assert.equal(isPolite("pb", "pa"), false);
});

test("one who offers and one who answers are connected and see what is sent", async (t) => {
  const { alice, bob } = await connected(t);

  assert.deepEqual(alice.shown, ["camera"]);
  assert.deepEqual([alice.connection.offersMade, bob.connection.offersMade], [0, 1]);
});

test("two offers that cross end in one connection", async (t) => {
  const { clock, alice, bob } = await call(t);

  await Promise.all([alice.peer.setTrack("microphone", { name: "alice" }), bob.peer.setTrack("camera", { name: "bob" })]);
  await settle();
  await clock.turn(50);

  assert.deepEqual([alice.peer.state, bob.peer.state], ["connected", "connected"]);
  assert.deepEqual([alice.connection.signalingState, bob.connection.signalingState], ["stable", "stable"]);
  assert.deepEqual([alice.shown, bob.shown], [["camera"], ["microphone"]]);
  assert.deepEqual([alice.ended, bob.ended], [[], []]);
});

test("offers that cross in mid-call lose neither side's new picture", async (t) => {
  const { clock, alice, bob } = await connected(t);

  await Promise.all([alice.peer.setTrack("camera", { name: "alice" }), bob.peer.setTrack("screen", { name: "screen" })]);
  await settle();
  await clock.turn(50);

  assert.deepEqual([alice.shown, bob.shown], [["camera", "screen"], ["camera"]]);
  assert.deepEqual([alice.ended, bob.ended], [[], []]);
});

test("candidates that come before the description are kept until it is there", async (t) => {
  const clock = new HandClock(t);
  const alice = new Side("pa", "pb");
  const bob = new Side("pb", "pa");
  await bob.peer.setTrack("camera", {});
  await settle();
  await clock.turn(50);
  const [offer] = bob.heard("offer");
  const [early] = bob.heard("candidate");

  await alice.peer.take("candidate", early);
  assert.deepEqual(alice.connection.taken, []);
  await alice.peer.take("offer", offer);

  assert.deepEqual(alice.connection.taken, early.candidates.map(({ candidate }) => candidate).filter(Boolean));
});

test("candidates that come at once go in one message, within 50 ms, and end the list", async (t) => {
  const clock = new HandClock(t);
  const bob = new Side("pb", "pa");

  await bob.peer.setTrack("camera", {});
  await settle();
  assert.equal(bob.heard("candidate").length, 0);
  await clock.turn(50);

  const [batch, ...more] = bob.heard("candidate");
  assert.equal(more.length, 0);
  assert.deepEqual(batch.candidates.map(({ candidate }) => candidate.split(" ")[0]), ["host", "srflx", ""]);
});

test("another camera in place of the first needs no negotiation", async (t) => {
  const { bob } = await connected(t);

  await bob.peer.setTrack("camera", { name: "another" });
  await bob.peer.setTrack("camera", null);
  await bob.peer.setTrack("camera", { name: "a third" });
  await settle();

  assert.equal(bob.connection.offersMade, 1);
});

test("a screen that is no longer shared goes, and comes back when it is shared again", async (t) => {
  const { alice, bob } = await connected(t);

  await bob.peer.setTrack("screen", {});
  await settle();
  await bob.peer.setTrack("screen", null);
  await settle();
  assert.deepEqual(alice.ended, ["screen"]);
  await bob.peer.setTrack("screen", {});
  await settle();

  assert.deepEqual(alice.shown, ["camera", "screen", "screen"]);
});

test("a camera that is off keeps its place while something else is negotiated", async (t) => {
  const { alice, bob } = await connected(t);
  await alice.peer.setTrack("camera", { name: "camera" });
  await settle();
  await alice.peer.setTrack("camera", null);

  await alice.peer.setTrack("screen", { name: "screen" });
  await settle();

  // It comes back without a word, so the other side has to know the place still.
  assert.deepEqual(bob.ended, []);
  assert.ok(Object.values(alice.heard("offer").at(-1).sources).includes("camera"));
});

test("only the impolite side restarts a broken path, and one restart mends it", async (t) => {
  const { clock, alice, bob } = await connected(t);

  for (const { connection } of [alice, bob]) connection.becomes("disconnected");
  assert.deepEqual([alice.peer.state, bob.peer.state], ["interrupted", "interrupted"]);
  await clock.turn(3000);

  assert.deepEqual([alice.connection.restartsAsked, bob.connection.restartsAsked], [0, 1]);
  assert.deepEqual([alice.peer.state, bob.peer.state], ["connected", "connected"]);
});

test("a path that stutters for a second is left alone", async (t) => {
  const { clock, bob } = await connected(t);

  bob.connection.becomes("disconnected");
  await clock.turn(1000);
  bob.connection.becomes("connected");
  await clock.turn(60_000);

  assert.equal(bob.connection.restartsAsked, 0);
});

test("who has no path is told so within five seconds, and trying goes on for ever", async (t) => {
  const { clock, alice, bob } = await call(t);
  for (const { connection } of [alice, bob]) connection.network = false;

  await bob.peer.setTrack("camera", {});
  await settle();
  await clock.turn(5000);
  assert.deepEqual([alice.peer.state, bob.peer.state], ["no-path", "no-path"]);
  await clock.turn(600_000);
  const tries = bob.connection.restartsAsked;
  await clock.turn(60_000);

  assert.ok(bob.connection.restartsAsked > tries, "it still tries after ten minutes");
});

test("of two who lost their path, one restarts first; their attempts do not cross", async (t) => {
  const { clock, alice, bob } = await connected(t);
  for (const { connection } of [alice, bob]) connection.network = false;
  for (const { connection } of [alice, bob]) connection.becomes("failed");

  await clock.turn(8000);

  assert.ok(bob.connection.restartsAsked > 0);
  assert.equal(alice.connection.restartsAsked, 0);
  assert.deepEqual([alice.peer.state, bob.peer.state], ["no-path", "no-path"]);
});

test("who waits in vain for the other to restart does it by itself", async (t) => {
  const { clock, alice, bob } = await connected(t);
  bob.peer.close();

  alice.connection.becomes("failed");
  await clock.turn(5000);

  assert.equal(alice.connection.restartsAsked, 1);
});

test("an attempt that still gathers candidates is not cut short", async (t) => {
  const clock = new HandClock(t);
  const { now } = Date;
  t.after(() => (Date.now = now));
  Date.now = () => clock.now;
  const bob = new Side("pb", "pa");
  t.after(() => bob.peer.close());
  bob.connection.iceGatheringState = "gathering";
  await bob.peer.setTrack("camera", {});

  await clock.turn(19_000);
  assert.deepEqual([bob.peer.state, bob.connection.restartsAsked], ["no-path", 0]);
  await clock.turn(3000);

  assert.equal(bob.connection.restartsAsked, 1);
});

test("new credentials are used from the next restart on", async (t) => {
  const { bob } = await connected(t);
  const configuration = { iceServers: [{ urls: "turn:x", username: "later", credential: "x" }] };

  bob.peer.configure(configuration);

  assert.equal(bob.connection.configuration, configuration);
  assert.equal(bob.connection.restartsAsked, 0);
});

test("another network is tried at once", async (t) => {
  const { clock, alice, bob } = await connected(t);

  bob.peer.lookAgain();
  await settle();
  await clock.turn(50);

  assert.equal(bob.connection.restartsAsked, 1);
  assert.equal(alice.connection.connectedTo, `${bob.connection.name}/1`);
});

test("a peer that is closed says nothing more", async (t) => {
  const { clock, bob } = await connected(t);
  await bob.peer.setTrack("screen", {});

  bob.peer.close();
  const said = bob.said.length;
  await settle();
  await clock.turn(60_000);

  assert.equal(bob.said.length, said);
});

// -- towards a recorder ------------------------------------------------------------------------------------------------------

/** It answers, as the recorder does: each offer by a connection of its own. */
async function recorded(t) {
  const clock = new HandClock(t);
  const alice = new Side("pa", "rec", { toRecorder: true });
  t.after(() => alice.peer.close());
  alice.deliver = (kind, body) => alice.said.push([kind, body]);
  await alice.peer.setTrack("microphone", { name: "microphone" });
  await alice.peer.setTrack("camera", { name: "camera" });
  await settle();
  return { clock, alice, answer: () => answerTo(alice.heard("offer").at(-1)) };
}

async function answerTo(offer) {
  const recorder = new FakeConnection();
  await recorder.setRemoteDescription(offer);
  await recorder.setLocalDescription();
  const answer = { ...recorder.localDescription, sources: {} };
  return { answer, candidates: { candidates: [{ candidate: `host of ${recorder.name}/0` }] } };
}

test("a recorder is offered everything in one offer", async (t) => {
  const { alice } = await recorded(t);

  const [offer, ...more] = alice.heard("offer");

  assert.equal(more.length, 0);
  assert.deepEqual(offer.sources, { 0: "microphone", 1: "camera" });
});

test("a broken path to a recorder is renewed with the same tracks, by whichever id", async (t) => {
  const { clock, alice, answer } = await recorded(t);
  const first = alice.connection;
  const before = await answer();
  await alice.peer.take("answer", before.answer);
  await alice.peer.take("candidate", before.candidates);
  await settle();
  assert.equal(alice.peer.state, "connected");

  first.becomes("failed");
  await clock.turn(50);
  const after = await answer();
  await alice.peer.take("answer", after.answer);
  await alice.peer.take("candidate", after.candidates);
  await settle();

  assert.equal(first.closed, true);
  assert.equal(first.restartsAsked, 0);
  assert.notEqual(alice.connection, first);
  assert.deepEqual(alice.heard("offer").at(-1).sources, { 0: "microphone", 1: "camera" });
  assert.equal(alice.peer.state, "connected");
});

test("a renewal in the middle of an answer does not leave the recorder without picture for good", async (t) => {
  const { clock, alice, answer } = await recorded(t);
  const before = await answer();

  void alice.peer.take("answer", before.answer);
  await Promise.resolve();
  alice.connection.becomes("failed");
  await clock.turn(0);
  const after = await answer();
  void alice.peer.take("answer", after.answer);
  void alice.peer.take("candidate", after.candidates);
  await settle();

  assert.equal(alice.peer.state, "connected");
});
