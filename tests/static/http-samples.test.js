import assert from "node:assert/strict";
import { test } from "node:test";

import { Packets, eachPacket } from "../../static/call/http/samples.js";

const PACKET = 960;

test("parts of any length become packets of 20 ms", () => {
  const found = [];
  const packets = new Packets((samples) => found.push(samples));
  const all = Float32Array.from({ length: 3 * PACKET }, (_, at) => at);

  let at = 0;
  for (const length of [480, 480, 441, 1000, 479]) {
    packets.add(all.subarray(at, at + length));
    at += length;
  }

  assert.deepEqual(found.map(({ length }) => length), [PACKET, PACKET, PACKET]);
  assert.deepEqual(found.flatMap((samples) => [...samples]), [...all]);
});

/** A track that gives these chunks, and then ends. */
function give(chunks) {
  const left = [...chunks];
  globalThis.MediaStreamTrackProcessor = class {
    readable = { getReader: () => ({ read: async () => ({ done: left.length === 0, value: left.shift() }), cancel: async () => undefined }) };
  };
}

const chunk = (value, { sampleRate = 48000, channels = [value] } = {}) => ({
  sampleRate, numberOfFrames: 480, numberOfChannels: channels.length, isClosed: false,
  copyTo: (target, { planeIndex }) => target.fill(channels[planeIndex]),
  close() { Object.assign(this, { isClosed: true, sampleRate: 0 }); },
});

test("what a track gives is mixed to one channel, and let go", async (t) => {
  t.after(() => delete globalThis.MediaStreamTrackProcessor);
  const chunks = Array.from({ length: 4 }, () => chunk(0, { channels: [0.5, 0.25] }));
  give(chunks);

  const found = await new Promise((resolve) => {
    const packets = [];
    const onPacket = (samples) => packets.push([samples.length, samples[0], samples[959]]) === 2 && resolve(packets);
    eachPacket(undefined, {}, onPacket, new AbortController().signal);
  });

  assert.deepEqual(found, [[960, 0.375, 0.375], [960, 0.375, 0.375]]);
  assert.ok(chunks.every(({ isClosed }) => isClosed));
});

test("a track of another rate goes through the audio graph, which knows how to change it", async (t) => {
  t.after(() => ["MediaStreamTrackProcessor", "AudioWorkletNode", "MediaStream"].forEach((name) => delete globalThis[name]));
  give([chunk(0, { sampleRate: 44100 })]);
  const port = {};
  globalThis.MediaStream = class {};
  globalThis.AudioWorkletNode = class { port = port; };
  const found = [];
  const isTapped = new Promise((resolve) => {
    const context = { createMediaStreamSource: () => ({ connect: resolve, disconnect: () => undefined }) };
    eachPacket(context, {}, ({ length }) => found.push(length), new AbortController().signal);
  });

  await isTapped;
  for (let packet = 0; packet < 3; packet += 1) port.onmessage({ data: new Float32Array(PACKET) });

  assert.deepEqual(found, [PACKET, PACKET, PACKET]);
});
