import assert from "node:assert/strict";
import { test } from "node:test";

import { MicrophoneHints, Speakers } from "../../static/call/speaking.js";

/** Levels every 200 ms, from `from` on; who was active after each. */
function hear(speakers, levels, from, count) {
  for (let index = 0; index < count; index += 1) speakers.take(new Map(Object.entries(levels)), from + index * 200);
  return speakers.active;
}

test("the first who speaks has the picture at once", () => {
  assert.equal(hear(new Speakers(), { ana: 0.2, ben: 0 }, 0, 1), "ana");
});

test("a cough does not turn the picture, a sentence does", () => {
  const speakers = new Speakers();
  hear(speakers, { ana: 0.2, ben: 0 }, 0, 5);

  assert.equal(hear(speakers, { ana: 0, ben: 0.2 }, 1000, 2), "ana");
  assert.equal(hear(speakers, { ana: 0, ben: 0 }, 1400, 10), "ana");
  assert.equal(hear(speakers, { ana: 0, ben: 0.2 }, 4000, 6), "ben");
  assert.deepEqual(speakers.recent, ["ben", "ana"]);
});

test("two at once do not take the picture from each other", () => {
  const speakers = new Speakers();
  hear(speakers, { ana: 0.2, ben: 0 }, 0, 5);

  assert.equal(hear(speakers, { ana: 0.2, ben: 0.4 }, 1000, 50), "ana");
});

test("a pause between two words is still speaking, a longer one is not", () => {
  const speakers = new Speakers();
  speakers.take(new Map([["ana", 0.2]]), 0);

  assert.ok(speakers.take(new Map([["ana", 0]]), 600).has("ana"));
  assert.ok(!speakers.take(new Map([["ana", 0]]), 1000).has("ana"));
});

test("who has left has no picture", () => {
  const speakers = new Speakers();
  hear(speakers, { ana: 0.2 }, 0, 3);

  speakers.forget("ana");

  assert.equal(speakers.active, "");
  assert.deepEqual(speakers.recent, []);
});

const over = (hints, level, muted, from, ms) =>
  Array.from({ length: ms / 200 }, (_, index) => hints.take(level, muted, from + index * 200)).filter(Boolean);

test("who speaks while muted is told once, not with every word", () => {
  assert.deepEqual(over(new MicrophoneHints(), 0.3, true, 0, 10_000), ["muted"]);
});

test("a sentence has gaps between its words, and is speaking while muted all the same", () => {
  const hints = new MicrophoneHints();
  const word = (from) => [...over(hints, 0.3, true, from, 400), ...over(hints, 0.001, true, from + 400, 400)];

  assert.deepEqual([0, 800, 1600].flatMap(word), ["muted"]);
});

test("a clock that ticks is not speaking", () => {
  const hints = new MicrophoneHints();
  const tick = (from) => [...over(hints, 0.3, true, from, 200), ...over(hints, 0.001, true, from + 200, 800)];

  assert.deepEqual([0, 1000, 2000, 3000, 4000, 5000].flatMap(tick), []);
});

test("a door that slams is not speaking", () => {
  const hints = new MicrophoneHints();

  assert.deepEqual(over(hints, 0.3, true, 0, 400), []);
  assert.deepEqual(over(hints, 0.001, true, 400, 2000), []);
});

test("a microphone without even its own noise is told of, a quiet room is not", () => {
  assert.deepEqual(over(new MicrophoneHints(), 0, false, 0, 12_000), ["silent"]);
  assert.deepEqual(over(new MicrophoneHints(), 0.001, false, 0, 60_000), []);
});
