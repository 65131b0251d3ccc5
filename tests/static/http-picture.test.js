import assert from "node:assert/strict";
import { test } from "node:test";

import { CONFIGS } from "../../static/call/http/codecs.js";

/** Codecs and tracks as far as pictures use them (W3C WebCodecs, mediacapture-transform). */
class FakeCodec {
  static made = [];

  constructor({ output, error }) {
    Object.assign(this, { output, error, state: "unconfigured", encodeQueueSize: 0, configured: [], keys: [] });
    FakeCodec.made.push(this);
  }

  configure(how) {
    this.state = "configured";
    this.configured.push(how);
  }

  encode(_frame, { keyFrame }) {
    if (this.state === "closed") throw new Error("closed");
    this.keys.push(keyFrame);
  }

  /** As a browser that takes it away. */
  fail(name = "QuotaExceededError") {
    this.state = "closed";
    this.error(new DOMException("reclaimed", name));
  }

  close() {
    this.state = "closed";
  }
}

const frame = (ms) => ({ timestamp: ms * 1000, displayWidth: 640, displayHeight: 360, close() {} });
let nowMs = 0;
const written = [];
Object.assign(globalThis, {
  VideoEncoder: FakeCodec,
  VideoDecoder: FakeCodec,
  VideoFrame: class {
    close() {}
  },
  MediaStreamTrackProcessor: class {
    readable = { getReader: () => ({ read: () => new Promise(() => undefined), cancel: async () => undefined }) };
  },
  MediaStreamTrackGenerator: class {
    writable = { getWriter: () => ({ write: async (one) => void written.push(one), close: async () => undefined }) };
    stop() {}
  },
});
performance.now = () => nowMs;
const { PictureIn } = await import("../../static/call/http/picture-in.js");
const { PictureOut } = await import("../../static/call/http/picture-out.js");
const { eachFrame } = await import("../../static/call/http/frames.js");

test("pictures are shown, late, even where their sound stays too far behind to be waited for", () => {
  const lips = { waitMs: () => 1400, shown: () => 0 };
  const picture = new PictureIn(lips);
  written.length = 0;

  for (let n = 0; n < 30; n += 1) picture.decoded(frame(n * 40));

  assert.deepEqual(written.slice(0, 3).map(({ timestamp }) => timestamp), [0, 40_000, 80_000]);
  assert.equal(picture.shown, 18);
  picture.close();
});

test("an encoder the browser took away is made anew, and begins with a key frame", () => {
  const failed = [];
  const out = new PictureOut({}, { frame: () => undefined, hasRoom: () => true, config: (codec) => CONFIGS[codec], failed: (codec) => failed.push(codec) });
  out.isOn = true;
  out.use({ height: 360, fps: 20, kbit: 500 }, "vp8");
  nowMs = 10_000;
  out.take(frame(0));
  const lost = FakeCodec.made.at(-1);
  lost.fail();

  for (nowMs of [10_050, 10_100, 11_200]) out.take(frame(nowMs));

  const found = FakeCodec.made.at(-1);
  assert.notEqual(found, lost);
  assert.equal(found.configured[0].height, 360);
  assert.equal(found.keys[0], true);
  assert.deepEqual(failed, []);
  found.fail("EncodingError");
  assert.deepEqual(failed, ["vp8"]);
  out.close();
});

test("another codec begins at once, with a key frame, and nothing of the one before comes after it", () => {
  const sent = [];
  const out = new PictureOut({}, { frame: (one) => sent.push(one), hasRoom: () => true, config: (codec) => CONFIGS[codec] });
  out.isOn = true;
  const chunk = { byteLength: 1, copyTo: () => undefined, type: "key", timestamp: 0 };
  nowMs = 20_000;
  out.use({ height: 360, fps: 20, kbit: 500 }, "vp9");
  out.take(frame(0));
  const first = FakeCodec.made.at(-1);
  first.output(chunk);

  nowMs = 20_100;
  out.use({ height: 360, fps: 20, kbit: 500 }, "h264");
  out.take(frame(100));
  const second = FakeCodec.made.at(-1);
  second.output(chunk);

  assert.equal(first.state, "closed");
  assert.deepEqual(second.keys, [true]);
  assert.deepEqual(second.configured[0].avc, { format: "annexb" });
  assert.deepEqual(sent.map(({ kind }) => kind), [1, 2]);
  out.close();
});

test("a picture that cannot be dealt with is left out, and the next ones are not", async () => {
  const seen = [];
  const frames = [frame(0), frame(40), frame(80)];
  const reader = { read: async () => ({ done: frames.length === 0, value: frames.shift() }), cancel: async () => undefined };
  globalThis.MediaStreamTrackProcessor = class {
    readable = { getReader: () => reader };
  };

  eachFrame({}, ({ timestamp }) => {
    if (timestamp === 0) throw new Error("no");
    seen.push(timestamp);
  }, new AbortController().signal);
  await new Promise((resolve) => setImmediate(resolve));

  assert.deepEqual(seen, [40_000, 80_000]);
});
