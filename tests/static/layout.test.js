import assert from "node:assert/strict";
import { test } from "node:test";

import { arrange, divide } from "../../static/call/layout.js";

const faces = (count) => Array.from({ length: count }, (_, index) => ({ key: `p${index}`, isMine: index === 0 }));
const view = (change = {}) => ({ layout: "grid", pinned: "", recent: [], ...change });
const keys = (cells) => cells.map(({ key }) => key);
const screen = { key: "p1 screen", isScreen: true };

test("in a grid everybody is on the stage", () => {
  assert.deepEqual(keys(divide(faces(4), view()).stage), ["p0", "p1", "p2", "p3"]);
});

test("who speaks has the stage, oneself never while somebody else is here", () => {
  assert.deepEqual(keys(divide(faces(4), view({ layout: "speaker", recent: ["p0", "p2"] })).stage), ["p2"]);
  assert.deepEqual(keys(divide(faces(3), view({ layout: "speaker" })).stage), ["p1"]);
  assert.deepEqual(keys(divide(faces(1), view({ layout: "speaker" })).stage), ["p0"]);
});

test("side by side are the two who spoke last", () => {
  assert.deepEqual(keys(divide(faces(5), view({ layout: "side-by-side", recent: ["p4", "p2", "p1"] })).stage), ["p2", "p4"]);
});

test("a shared screen has the stage, and side by side the speaker stands beside it", () => {
  const cells = [...faces(3), screen];

  assert.deepEqual(keys(divide(cells, view()).stage), ["p1 screen"]);
  assert.deepEqual(keys(divide(cells, view({ layout: "side-by-side", recent: ["p2"] })).stage), ["p2", "p1 screen"]);
});

test("a pin goes before everything, and one that points to nobody changes nothing", () => {
  const cells = [...faces(3), screen];

  assert.deepEqual(keys(divide(cells, view({ pinned: "p2" })).stage), ["p2"]);
  assert.deepEqual(keys(divide(cells, view({ pinned: "gone" })).stage), ["p1 screen"]);
});

const overlap = (one, other) =>
  one.x < other.x + other.width - 0.01 && other.x < one.x + one.width - 0.01 && one.y < other.y + other.height - 0.01 && other.y < one.y + one.height - 0.01;

test("nobody covers anybody or leaves the window, in any layout, number and window", () => {
  for (const layout of ["grid", "speaker", "side-by-side"]) {
    for (let count = 1; count <= 14; count += 1) {
      for (const [width, height] of [[1440, 780], [390, 640], [820, 1000], [700, 300], [320, 400]]) {
        for (const cells of [faces(count), [...faces(count), screen]]) {
          const { places, more, hidden } = arrange(cells, view({ layout }), width, height);
          const all = [...places.values(), ...(more ? [more] : [])];
          const about = `${layout} ${count} in ${width}×${height}`;
          assert.equal(places.size + hidden, cells.length, about);
          for (const [index, place] of all.entries()) {
            assert.ok(place.x >= -0.01 && place.y >= -0.01 && place.x + place.width <= width + 0.01 && place.y + place.height <= height + 0.01, about);
            assert.ok(!all.some((other, at) => at > index && overlap(place, other)), about);
          }
        }
      }
    }
  }
});

test("where not all fit into the strip, those who spoke last are seen and the others counted", () => {
  const { places, hidden } = arrange(faces(14), view({ layout: "speaker", recent: ["p13", "p12"] }), 390, 640);

  assert.ok(hidden > 0);
  assert.ok(places.has("p13") && places.has("p12"));
});

test("a last row that is not full stands in the middle", () => {
  const { places } = arrange(faces(3), view(), 1440, 780);
  const [first, , last] = [...places.values()];

  assert.ok(Math.abs(last.x + last.width / 2 - 720) < 1);
  assert.ok(first.x < last.x);
});

test("a window that has no size yet breaks nothing", () => {
  assert.equal(arrange(faces(3), view({ layout: "speaker" }), 0, 0).hidden >= 0, true);
});
