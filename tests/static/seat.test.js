import assert from "node:assert/strict";
import { test } from "node:test";

import { SeatKept } from "../../static/call/seat.js";

/** What a tab keeps. */
function tab() {
  const kept = new Map();
  return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };
}
const seat = { name: "Ana", microphone: true, camera: false, token: "pt_1" };

test("a seat is kept for its own room, until one leaves", () => {
  const storage = tab();
  const kept = new SeatKept("room-a", storage);

  kept.keep(seat);

  assert.deepEqual(new SeatKept("room-a", storage).get(), seat);
  assert.equal(new SeatKept("room-b", storage).get(), null);
  kept.forget();
  assert.equal(kept.get(), null);
});

test("a seat that cannot be read is none", () => {
  const storage = tab();
  storage.setItem("letterbox.rejoin.room-a", "{");

  assert.equal(new SeatKept("room-a", storage).get(), null);
});
