import assert from "node:assert/strict";
import { test } from "node:test";

import { backoffMs, pause } from "../../static/call/backoff.js";

test("waiting grows with every failure, up to a limit", () => {
  const longest = [1, 2, 3, 4, 20].map((attempt) => backoffMs(attempt, { firstMs: 100, mostMs: 1000, random: () => 1 }));

  assert.deepEqual(longest, [100, 200, 400, 800, 1000]);
});

test("no wait is shorter than half of the longest, so that a server that comes back is not met by all at once", () => {
  assert.equal(backoffMs(1, { firstMs: 100, random: () => 0 }), 50);
});

test("a pause ends at once when it is told to", async () => {
  const stopper = new AbortController();
  const waiting = pause(60_000, stopper.signal);

  stopper.abort();

  await waiting;
});
