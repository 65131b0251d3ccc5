import assert from "node:assert/strict";
import { test } from "node:test";

import { columnsFor } from "../../static/call/layout.js";
import { stepFor } from "../../static/call/quality.js";
import { isPolite } from "../../static/call/peer.js";

test("two people sit side by side on a desk and one above the other on a phone", () => {
  assert.equal(columnsFor(2, 1440, 780), 2);
  assert.equal(columnsFor(2, 390, 700), 1);
});

test("four people make a square, on a phone as well, seven three columns", () => {
  assert.equal(columnsFor(4, 374, 590), 2);
  assert.equal(columnsFor(4, 1440, 780), 2);
  assert.equal(columnsFor(7, 1440, 780), 3);
});

test("an empty call has one column", () => {
  assert.equal(columnsFor(0, 1440, 780), 1);
});

test("what is sent to each becomes less with every person", () => {
  const rates = [1, 2, 3, 5, 8, 20].map((others) => stepFor(others).bps);

  assert.deepEqual(rates, [...rates].sort((one, other) => other - one));
  assert.ok(rates[0] > rates[5]);
});

test("of two participants exactly one is polite", () => {
  assert.notEqual(isPolite("pa", "pb"), isPolite("pb", "pa"));
});
