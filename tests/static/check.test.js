import assert from "node:assert/strict";
import { test } from "node:test";

import { ORDER } from "../../static/check/steps.js";
import { forAdministrator, hostAndPort, verdictOf } from "../../static/check/verdict.js";

/** All steps ended; ok but for these. */
const steps = (changes = {}, tried = {}) =>
  ORDER.map((id) => ({ id, state: "ok", says: "ok", with: {}, ms: 10, tried: tried[id] ?? [], ...changes[id] }));
const failed = (says = "silent") => ({ state: "failed", says });
const skipped = { state: "skipped", says: "none" };
const without = (...ids) => Object.fromEntries(ids.map((id) => [id, failed()]));

test("where every road is open calls will work", () => {
  assert.deepEqual(verdictOf(steps()), { verdict: "good", state: "ok" });
});

test("the best road that is left is named", () => {
  assert.equal(verdictOf(steps(without("stun", "turn-udp"))).verdict, "relay-tcp");
  assert.equal(verdictOf(steps(without("stun", "turn-udp", "turn-tcp"))).verdict, "relay-443");
});

test("where no relay answers no media passes", () => {
  const blocked = { ...without("stun", "turn-udp", "turn-tcp", "turn-443"), channel: skipped, media: skipped };

  assert.deepEqual(verdictOf(steps(blocked)), { verdict: "no-media", state: "failed" });
});

test("a relay that does not accept us is the server's fault, not the network's", () => {
  const refused = { "turn-udp": failed("credentials"), "turn-tcp": failed("credentials"), "turn-443": failed("credentials"), media: skipped };

  assert.equal(verdictOf(steps(refused)).verdict, "credentials");
});

test("a server without a relay is told apart from a network that blocks it", () => {
  const none = { "turn-udp": skipped, "turn-tcp": skipped, "turn-443": skipped };

  assert.deepEqual(verdictOf(steps(none)), { verdict: "no-relay-set-up", state: "warning" });
});

test("without the server nothing else counts", () => {
  assert.equal(verdictOf(steps({ signaling: failed("failed"), media: skipped })).verdict, "no-server");
});

test("the administrator reads hosts, ports and what was tried, and no secret", () => {
  const tried = {
    "turn-udp": [{ url: "turn:turn.example:3478", ok: false, code: 701 }],
    "turn-443": [{ url: "turns:turn.example:443?transport=tcp", ok: false, code: 0 }],
  };
  const t = (key, values = {}) => `${key} ${JSON.stringify(values)}`;

  const text = forAdministrator(steps({}, tried), { t, address: "call.example", browser: "Firefox", when: "today" });

  assert.match(text, /check\.admin\.relay-443 \{"host":"turn\.example","port":"443\/TCP"\}/);
  assert.match(text, /check\.admin\.relay \{"host":"turn\.example","port":"3478\/UDP"\}/);
  assert.match(text, /check\.admin\.code \{"code":701\}/);
  assert.match(text, /check\.admin\.silent/);
  assert.match(text, /check\.admin\.web \{"address":"call\.example"\}/);
});

test("hosts and ports are read as RFC 7065 writes them", () => {
  assert.deepEqual(hostAndPort("turn:turn.example"), { host: "turn.example", port: "3478" });
  assert.deepEqual(hostAndPort("turns:turn.example?transport=tcp"), { host: "turn.example", port: "5349" });
  assert.deepEqual(hostAndPort("turn:[2001:db8::1]:443?transport=tcp"), { host: "[2001:db8::1]", port: "443" });
});
