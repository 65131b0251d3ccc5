import assert from "node:assert/strict";
import { test } from "node:test";

import { pathOf } from "../../static/call/path.js";

/** Statistics as a browser gives them. */
function reports({ ours = {}, theirs = {}, received = 100, lost = 0, delay = 0.02 } = {}) {
  const all = [
    { id: "T", type: "transport", selectedCandidatePairId: "P" },
    { id: "P", type: "candidate-pair", localCandidateId: "L", remoteCandidateId: "R", currentRoundTripTime: delay },
    { id: "L", type: "local-candidate", candidateType: "host", ...ours },
    { id: "R", type: "remote-candidate", candidateType: "host", ...theirs },
    { id: "I", type: "inbound-rtp", packetsReceived: received, packetsLost: lost },
  ];
  return new Map(all.map((report) => [report.id, report]));
}

test("two who see each other are connected directly", () => {
  assert.deepEqual(pathOf(reports()).path, { way: "direct", delayMs: 20, lossPercent: 0 });
});

test("a relay is named by how we reach it", () => {
  assert.equal(pathOf(reports({ ours: { candidateType: "relay", relayProtocol: "tls" } })).path.way, "tls");
});

test("a relay that only they need is reached by UDP", () => {
  assert.equal(pathOf(reports({ theirs: { candidateType: "relay" } })).path.way, "udp");
});

test("loss is that of the time since the last look", () => {
  const { counted } = pathOf(reports({ received: 1000, lost: 500 }));

  assert.equal(pathOf(reports({ received: 1090, lost: 510 }), counted).path.lossPercent, 10);
});

test("without a chosen pair there is no path", () => {
  assert.equal(pathOf(new Map()).path, null);
});
