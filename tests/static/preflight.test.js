import assert from "node:assert/strict";
import { test } from "node:test";

import { preflight } from "../../static/call/preflight.js";
import { HandClock } from "./fake_connection.js";

const RELAY = [{ urls: ["stun:s", "turn:t"], username: "1:x", credential: "y" }];

/** A connection whose candidates the test brings. */
function look(t, servers = RELAY) {
  const clock = new HandClock(t);
  const verdicts = [];
  const connection = { createDataChannel() {}, setLocalDescription: async () => undefined, close: () => (connection.closed = true) };
  preflight(servers, (verdict) => verdicts.push(verdict), (configuration) => Object.assign(connection, { configuration }));
  return { clock, connection, verdicts };
}

test("a candidate of the relay's says that media passes", (t) => {
  const { connection, verdicts } = look(t);

  connection.onicecandidate({ candidate: { candidate: "candidate:1 1 udp 1 192.0.2.1 49160 typ relay" } });

  assert.deepEqual(verdicts, ["yes"]);
  assert.equal(connection.configuration.iceTransportPolicy, "relay");
  assert.ok(connection.closed);
});

test("when every server is refused the verdict comes at once", (t) => {
  const { connection, verdicts } = look(t);

  connection.onicecandidate({ candidate: null });

  assert.deepEqual(verdicts, ["no"]);
  assert.ok(connection.closed);
});

test("five seconds of silence are a no, which what comes later takes back", async (t) => {
  const { clock, connection, verdicts } = look(t);

  await clock.turn(5000);
  assert.deepEqual(verdicts, ["no"]);
  connection.onicecandidate({ candidate: { candidate: "candidate:1 1 udp 1 192.0.2.1 49160 typ relay" } });

  assert.deepEqual(verdicts, ["no", "yes"]);
});

test("without a relay nothing is asked, and nothing is known", (t) => {
  const { connection, verdicts } = look(t, [{ urls: "stun:s" }]);

  assert.deepEqual(verdicts, ["unknown"]);
  assert.equal(connection.configuration, undefined);
});
