import assert from "node:assert/strict";
import { test } from "node:test";

import { OURS, Steady, countsOf, judge } from "../../static/call/link.js";

const counts = (change = {}) => ({ received: 0, lost: 0, frozenS: 0, limitedCpuS: 0, limitedNetworkS: 0, atMs: 0, delayMs: 30, lossOutPercent: 0, ...change });
const after = (change, causes) => judge(counts({ atMs: 2000, received: 1000, ...change }), counts(), causes);

test("a connection on which all arrives is good", () => {
  assert.deepEqual(after({}), { verdict: "good", cause: null, figure: 0 });
});

test("each trouble has its name and its figure", () => {
  assert.deepEqual(after({ received: 900, lost: 100 }), { verdict: "poor", cause: "loss", figure: 10 });
  assert.deepEqual(after({ received: 970, lost: 30 }), { verdict: "fair", cause: "loss", figure: 3 });
  assert.deepEqual(after({ lossOutPercent: 9 }), { verdict: "poor", cause: "loss-out", figure: 9 });
  assert.deepEqual(after({ delayMs: 400 }), { verdict: "fair", cause: "delay", figure: 400 });
  assert.deepEqual(after({ frozenS: 1 }), { verdict: "poor", cause: "frozen", figure: 50 });
  assert.deepEqual(after({ limitedCpuS: 2 }, OURS), { verdict: "fair", cause: "cpu", figure: 100 });
  assert.deepEqual(after({ limitedNetworkS: 2 }, OURS), { verdict: "fair", cause: "bandwidth", figure: 100 });
});

test("that this machine is too slow is not said of the others", () => {
  assert.equal(after({ limitedCpuS: 2, limitedNetworkS: 2 }).cause, null);
});

test("of two troubles the worse is told", () => {
  assert.equal(after({ received: 970, lost: 30, delayMs: 900 }).cause, "delay");
});

test("a connection begun anew, whose counters are lower, is no trouble", () => {
  const { verdict } = judge(counts({ atMs: 2000, received: 10 }), counts({ received: 5000, lost: 20, frozenS: 3 }));

  assert.equal(verdict, "good");
});

test("what the browser counts is added up over picture and sound", () => {
  const reports = new Map([
    ["a", { type: "inbound-rtp", packetsReceived: 10, packetsLost: 1, timestamp: 5 }],
    ["b", { type: "inbound-rtp", packetsReceived: 20, packetsLost: -2, totalFreezesDuration: 0.5, timestamp: 6 }],
    ["c", { type: "remote-inbound-rtp", fractionLost: 0.05 }],
    ["d", { type: "candidate-pair", nominated: true, currentRoundTripTime: 0.04 }],
    ["e", { type: "outbound-rtp", qualityLimitationDurations: { cpu: 1, bandwidth: 2 } }],
  ]);

  assert.deepEqual(countsOf(reports), counts({ received: 30, lost: 1, frozenS: 0.5, limitedCpuS: 1, limitedNetworkS: 2, atMs: 6, delayMs: 40, lossOutPercent: 5 }));
});

test("one bad look is not shown, two are, and three good ones end it", () => {
  const steady = new Steady();

  assert.deepEqual(["poor", "poor", "good", "good", "poor", "good", "good", "good"].map((seen) => steady.take(seen)), [
    "good", "poor", "poor", "poor", "poor", "poor", "poor", "good",
  ]);
});
