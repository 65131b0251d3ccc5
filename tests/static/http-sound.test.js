import assert from "node:assert/strict";
import { test } from "node:test";

const RATE = 48000;
const made = {};
Object.assign(globalThis, {
  sampleRate: RATE,
  AudioWorkletProcessor: class {
    port = { postMessage: (message) => this.told?.(message) };
  },
  registerProcessor: (name, processor) => (made[name] = processor),
});
await import("../../static/call/http/sound.worklet.js");

const tone = (n) => Math.sin((2 * Math.PI * 440 * n) / RATE) * 0.5;
/** Of a tone of 440 Hz at half its height, from one sample to the next. */
const STEP = (2 * Math.PI * 440 * 0.5) / RATE;

function packet(index, speed = 1) {
  const samples = Float32Array.from({ length: 960 }, (_, at) => tone((index * 960 + at) * speed));
  return { samples, atMs: index * 20 };
}

/**
 * Plays for so long what arrives when it arrives.
 *
 * @returns what is heard in each second: samples, gaps, how much waited
 */
function play(seconds, arrivesMs, { drift = 0, extraMs = 0 } = {}) {
  const playout = new made["letterbox-playout"]();
  if (extraMs) playout.take({ extraMs });
  const arrivals = [];
  for (let index = 0; index < seconds * 50; index += 1) {
    const ms = arrivesMs(index);
    if (ms !== null) arrivals.push({ ms: ms * (1 + drift), ...packet(index) });
  }
  arrivals.sort((one, other) => one.ms - other.ms);
  const heard = [];
  const out = new Float32Array(128);
  for (let block = 0; block * 128 < seconds * RATE; block += 1) {
    const nowMs = (block * 128 * 1000) / RATE;
    while (arrivals.length > 0 && arrivals[0].ms <= nowMs) playout.take(arrivals.shift());
    playout.process([], [[out]]);
    const second = (heard[Math.floor(nowMs / 1000)] ??= { samples: [], gaps: 0, levelMs: 0 });
    second.samples.push(...out);
    second.gaps = playout.seen.gaps;
    second.levelMs = playout.levelMs;
  }
  return { heard, playout };
}

/** The largest jump from one sample to the next. */
const jump = (samples) => samples.reduce((most, one, at) => (at === 0 ? 0 : Math.max(most, Math.abs(one - samples[at - 1]))), 0);

test("packets that come in batches are played without a gap, and with little delay", () => {
  const { heard } = play(20, (index) => Math.ceil((index * 20) / 60) * 60 + 40);

  assert.equal(heard[19].gaps - heard[5].gaps, 0);
  assert.ok(heard[19].levelMs < 130, `${heard[19].levelMs}`);
  for (const { samples } of heard.slice(6)) assert.ok(jump(samples) < STEP * 1.5);
});

test("what is late every ten seconds is a gap once, and then allowed for", () => {
  const stalls = (index) => (index % 500 < 4 ? 75 - (index % 500) * 20 : 0);
  const { heard } = play(60, (index) => index * 20 + 40 + stalls(index));

  assert.equal(heard[59].gaps - heard[15].gaps, 0);
  assert.ok(heard[59].levelMs < 180, `${heard[59].levelMs}`);
});

test("sound that waits for late pictures waits no longer than they need", () => {
  const { heard } = play(20, (index) => Math.ceil((index * 20) / 60) * 60 + 40, { extraMs: 100 });

  assert.equal(heard[19].gaps, 0);
  assert.ok(heard[19].levelMs < 100 + 130, `${heard[19].levelMs}`);
});

test("a sender whose clock runs fast or slow is heard without gaps, and without more and more delay", () => {
  for (const drift of [-0.0005, 0.0005]) {
    const { heard } = play(60, (index) => index * 20 + 40 + (index % 3) * 5, { drift });

    assert.equal(heard[59].gaps - heard[5].gaps, 0);
    assert.ok(heard[59].levelMs < 100, `${drift}: ${heard[59].levelMs}`);
  }
});

test("a packet that is lost is no click", () => {
  const { heard } = play(6, (index) => (index === 200 ? null : index * 20 + 40 + (index % 2) * 15));

  for (const { samples } of heard.slice(1)) assert.ok(jump(samples) < 0.2, `${jump(samples)}`);
});

test("when nothing comes for a while the sound fades, and comes back without a click", () => {
  const { heard, playout } = play(6, (index) => index * 20 + 40 + (index >= 150 && index < 170 ? 400 - (index - 150) * 20 : 0));

  assert.ok(playout.seen.gaps >= 1);
  for (const { samples } of heard.slice(1)) assert.ok(jump(samples) < 0.2, `${jump(samples)}`);
});

test("after a long stall what has gathered is left out rather than heard late for ever", () => {
  const { heard } = play(12, (index) => (index >= 150 && index < 250 ? 5040 : index * 20 + 40));

  assert.ok(heard[11].levelMs < 150, `${heard[11].levelMs}`);
});

test("the microphone is taken in packets of 20 ms, none lost and none twice", () => {
  const capture = new made["letterbox-capture"]();
  const packets = [];
  capture.told = (samples) => packets.push([...samples]);
  let count = 0;
  for (let block = 0; block < 75; block += 1) capture.process([[Float32Array.from({ length: 128 }, () => (count += 1))]]);

  assert.equal(packets.length, 10);
  assert.deepEqual(packets.flat(), Array.from({ length: 9600 }, (_, at) => at + 1));
});
