import assert from "node:assert/strict";
import { test } from "node:test";

import { choose, configOf, look } from "../../static/call/http/codecs.js";

const ALL = ["vp8", "vp9", "h264"];
const able = (more = {}) => ({ encodes: ALL, takes: ALL, hasChip: false, cores: 8, ...more });

test("the fewest bits where the machine is quick enough, and what costs it least where it is not", () => {
  assert.equal(choose(able(), [ALL], false), "vp9");
  assert.equal(choose(able({ cores: 2 }), [ALL], false), "vp8");
  assert.equal(choose(able(), [ALL], true), "vp8");
});

test("a chip of its own comes first", () => {
  assert.equal(choose(able({ hasChip: true }), [ALL], false), "h264");
  assert.equal(configOf(able({ hasChip: true }), "h264").hardwareAcceleration, "prefer-hardware");
  assert.equal(choose(able({ hasChip: true }), [ALL], true), "vp8", "what is called a chip may be slower than none");
});

test("what one of them cannot show is sent to nobody", () => {
  assert.equal(choose(able({ hasChip: true }), [ALL, ["vp8", "vp9"]], false), "vp9");
  assert.equal(choose(able(), [ALL, undefined], false), "vp8");
  assert.equal(choose(able({ encodes: ["h264"] }), [ALL], false), "h264");
});

test("where all share nothing those are served who can be, and who can encode nothing sends none", () => {
  assert.equal(choose(able({ encodes: ["h264"] }), [["vp8"], ALL], false), "h264");
  assert.equal(choose(able({ encodes: [] }), [ALL], false), null);
});

test("what a browser says of itself is believed, and what it has never heard of is no", async () => {
  const isConfigSupported = async ({ codec, hardwareAcceleration }) => {
    if (codec.startsWith("vp09")) throw new TypeError("no such codec");
    return { supported: codec === "vp8" || hardwareAcceleration === "prefer-hardware" };
  };
  Object.assign(globalThis, { VideoEncoder: { isConfigSupported }, VideoDecoder: { isConfigSupported } });

  const found = await look({ hardwareConcurrency: 4 });

  assert.deepEqual(found, { encodes: ["vp8"], takes: ["vp8"], hasChip: true, cores: 4 });
});
