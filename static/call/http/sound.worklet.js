// On the sound's own thread: takes the microphone's samples in packets, and plays what has come. A page that is busy does not
// make it stutter.

import { Packets } from "./samples.js";

const { AudioWorkletProcessor: Processor, registerProcessor, sampleRate } = /** @type {any} */ (globalThis);
const MS = sampleRate / 1000;

/** What the microphone gives, in packets of 20 ms. */
class Capture extends Processor {
  constructor() {
    super();
    this.packets = new Packets((packet) => this.port.postMessage(packet, [packet.buffer]));
  }

  /** @param {Float32Array[][]} inputs */
  process([input]) {
    // Without: nothing is connected, or the track has ended.
    if (input[0]) this.packets.add(input[0]);
    return true;
  }
}

/** So much must be left when the next packet comes: as much as would have been too little at the worst look of the last ones, and
 * a margin; what it was too little for makes it more at once. */
const SPARE_MS = { first: 20, least: 12, most: 240, more: 8, margin: 4, lessPerS: 4 };
const LOOK_MS = 400;
/** Looks that are remembered: a quarter of a minute. */
const LOOKS = 40;
/** Later than this is a stall, and no reason to be late for a quarter of a minute. */
const STALL_MS = 120;
/** Faster or slower than it was spoken, at most: nobody hears the little; the more is for when much has gathered. */
const STRETCH = { little: 0.02, more: 0.08, muchMs: 80 };
/** More than this is never made up for by playing faster. */
const FAR_MS = 400;
const FADE_MS = 5;
/** How long the last sound goes on, softer and softer, when nothing has come. */
const CONCEAL_MS = 80;
const TELL_MS = 100;

/** Plays packets at the pace at which they were spoken, with as little delay as their coming allows. */
class Playout extends Processor {
  constructor() {
    super();
    /** @type {{samples: Float32Array, atMs: number}[]} atMs: when it was captured, by its sender's clock */
    this.queue = [];
    /** Place in the first packet, with fractions. */
    this.place = 0;
    this.spareMs = SPARE_MS.first;
    /** For the picture's sake. */
    this.extraMs = 0;
    this.isDry = true;
    this.least = Infinity;
    /** How far below the goal each of the last looks found it. @type {number[]} */
    this.short = [];
    /** How long a gap has been waiting, and what was aimed at when it began; Infinity: there is none. */
    this.gap = { waitedMs: Infinity, goalMs: 0 };
    this.rate = 1;
    this.lookIn = LOOK_MS * MS;
    this.tellIn = TELL_MS * MS;
    this.endMs = -1;
    this.gain = 0;
    /** The last of what was played, to go on with. */
    this.past = new Float32Array(Math.round(20 * MS));
    this.pastAt = 0;
    this.dryFor = 0;
    /** silentMs: in gaps, beyond what was concealed. */
    this.seen = { gaps: 0, silentMs: 0, concealedMs: 0, skippedMs: 0, peak: 0 };
    this.port.onmessage = (/** @type {MessageEvent} */ { data }) => this.take(data);
  }

  /** @param {{samples?: Float32Array, atMs: number, extraMs?: number}} message */
  take({ samples, atMs, extraMs }) {
    if (extraMs !== undefined) this.extraMs = extraMs;
    if (!samples) return;
    if (this.gap.waitedMs < Infinity) this.learn();
    const missingMs = this.endMs < 0 ? 0 : atMs - this.endMs;
    // A packet that was lost keeps its time, so that what follows is still in step.
    if (missingMs > 5 && missingMs < 200 && this.queue.length > 0) this.queue.push({ samples: this.filler(missingMs), atMs: this.endMs });
    this.queue.push({ samples, atMs });
    this.endMs = atMs + samples.length / MS;
  }

  /** @param {number} ms  @returns {Float32Array} the packet before, fading: there is nothing better */
  filler(ms) {
    const { samples } = this.queue[this.queue.length - 1];
    const made = new Float32Array(Math.round(ms * MS));
    const fade = CONCEAL_MS * MS;
    for (let at = 0; at < made.length; at += 1) {
      // There and back, so that it begins where the other ended.
      const turn = at % (2 * samples.length);
      const from = turn < samples.length ? samples.length - 1 - turn : turn - samples.length;
      made[at] = samples[from] * Math.max(0, 1 - at / fade);
    }
    this.seen.concealedMs += ms;
    return made;
  }

  get levelMs() {
    return (this.queue.reduce((sum, { samples }) => sum + samples.length, 0) - this.place) / MS;
  }

  get goalMs() {
    return this.spareMs + this.extraMs;
  }

  /**
   * @param {Float32Array[][]} _inputs
   * @param {Float32Array[][]} outputs
   */
  process(_inputs, [[out]]) {
    const levelMs = this.levelMs;
    if (this.isDry && levelMs >= this.goalMs + 20) {
      this.isDry = false;
      this.least = Infinity;
      this.lookIn = LOOK_MS * MS;
      this.rate = 1;
    }
    if (levelMs > this.goalMs + FAR_MS) this.skip(levelMs - this.goalMs - 40);
    for (let at = 0; at < out.length; at += 1) out[at] = this.sample();
    this.gap.waitedMs += out.length / MS;
    this.least = Math.min(this.least, this.levelMs);
    if ((this.lookIn -= out.length) <= 0) this.look();
    if ((this.tellIn -= out.length) <= 0) this.tell();
    return true;
  }

  /** The next one, between two of those that came. */
  sample() {
    const fade = 1 / (FADE_MS * MS);
    const first = this.queue[0];
    if (this.isDry || !first) {
      if (!this.isDry) this.runDry();
      return this.goOn();
    }
    const index = Math.floor(this.place);
    const one = first.samples[index];
    const two = index + 1 < first.samples.length ? first.samples[index + 1] : (this.queue[1]?.samples[0] ?? one);
    const value = one + (two - one) * (this.place - index);
    this.place += this.rate;
    if (this.place >= first.samples.length) {
      this.place -= first.samples.length;
      this.queue.shift();
    }
    this.gain = Math.min(1, this.gain + fade);
    // What went on softly gives way to what has come.
    const mixed = this.gain < 1 ? value * this.gain + this.goOn() * (1 - this.gain) : value;
    if (this.gain >= 1) this.dryFor = 0;
    this.past[this.pastAt] = mixed;
    this.pastAt = (this.pastAt + 1) % this.past.length;
    this.seen.peak = Math.max(this.seen.peak, Math.abs(mixed));
    return mixed;
  }

  runDry() {
    this.isDry = true;
    this.gain = 0;
    this.dryFor = 0;
    this.seen.gaps += 1;
    this.gap = { waitedMs: 0, goalMs: this.goalMs };
    this.spareMs = Math.min(SPARE_MS.most, this.spareMs + SPARE_MS.more);
  }

  /** What a gap has waited for is here: so much sooner it should have been. */
  learn() {
    if (this.gap.waitedMs < STALL_MS) this.remember(this.gap.goalMs + this.gap.waitedMs);
    this.gap.waitedMs = Infinity;
  }

  /** @param {number} shortMs */
  remember(shortMs) {
    this.short.push(shortMs);
    if (this.short.length > LOOKS) this.short.shift();
  }

  /** The last twenty milliseconds, backwards and forwards, softer and softer. */
  goOn() {
    const soft = 1 - this.dryFor / (CONCEAL_MS * MS);
    if (soft <= 0) {
      if (this.seen.gaps > 0) this.seen.silentMs += 1 / MS;
      return 0;
    }
    const turn = this.dryFor % (2 * this.past.length);
    const back = turn < this.past.length ? turn : 2 * this.past.length - 1 - turn;
    this.dryFor += 1;
    return this.past[(this.pastAt - 1 - back + 2 * this.past.length) % this.past.length] * soft;
  }

  /** A jump: far too much has gathered. @param {number} ms */
  skip(ms) {
    this.seen.skippedMs += ms;
    let samples = ms * MS;
    while (this.queue.length > 1 && samples > this.queue[0].samples.length - this.place) {
      samples -= this.queue[0].samples.length - this.place;
      this.place = 0;
      this.queue.shift();
    }
    this.gain = 0;
    this.dryFor = 0;
  }

  /** Too much left, again and again: a little faster. Too little: a little slower. So drift of clocks is nothing special. */
  look() {
    this.lookIn = LOOK_MS * MS;
    if (this.isDry || this.least === Infinity) return;
    this.remember(this.goalMs - this.least);
    const neededMs = Math.min(SPARE_MS.most, Math.max(...this.short) + SPARE_MS.margin - this.extraMs);
    this.spareMs = Math.max(SPARE_MS.least, neededMs, this.spareMs - (SPARE_MS.lessPerS * LOOK_MS) / 1000);
    const errorMs = this.least - this.goalMs;
    const most = errorMs > STRETCH.muchMs ? STRETCH.more : STRETCH.little;
    this.rate = Math.abs(errorMs) < 3 ? 1 : 1 + Math.max(-STRETCH.little, Math.min(most, errorMs / 800));
    this.least = Infinity;
  }

  tell() {
    this.tellIn = TELL_MS * MS;
    const first = this.queue[0];
    const playingMs = this.isDry || !first ? null : first.atMs + this.place / MS;
    this.port.postMessage({ playingMs, levelMs: this.levelMs, isDry: this.isDry, spareMs: this.spareMs, ...this.seen });
    this.seen.peak = 0;
  }
}

registerProcessor("letterbox-capture", Capture);
registerProcessor("letterbox-playout", Playout);
