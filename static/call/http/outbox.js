// What waits to be sent: sealed chunks, in the order in which they were made. Pure; time comes in.

import { AUDIO, DATA } from "./wire.js";

/** @typedef {import("./wire.js").Chunk} Chunk */

/** A picture that has waited for so long would come too late. */
const STALE_MS = 1500;
/** Below what the server takes at once. */
const MOST_BYTES = 200_000;

export class Outbox {
  constructor() {
    /** @type {{chunk: Chunk, atMs: number}[]} */
    this.waiting = [];
    /** Of which streams chunks were dropped, since lost() was asked. @type {Set<number>} */
    this.dropped = new Set();
    this.soundMs = -Infinity;
  }

  get isEmpty() {
    return this.waiting.length === 0;
  }

  /**
   * @param {Chunk} chunk
   * @param {number} nowMs
   */
  add(chunk, nowMs) {
    this.waiting.push({ chunk, atMs: nowMs });
    if (chunk.flags & AUDIO) this.soundMs = nowMs;
  }

  /** Whether a packet of sound is the newest. */
  get endsWithSound() {
    return Boolean((this.waiting.at(-1)?.chunk.flags ?? 0) & AUDIO);
  }

  /** How long the oldest has waited. @param {number} nowMs */
  ageMs(nowMs) {
    return this.isEmpty ? 0 : nowMs - this.waiting[0].atMs;
  }

  /**
   * The next batch; media nobody would play any more is left out, data never.
   *
   * @param {number} nowMs
   * @param {number} soundMs  sound that has waited for longer would come too late
   * @returns {Chunk[]}
   */
  take(nowMs, soundMs) {
    /** @type {Chunk[]} */
    const batch = [];
    let bytes = 0;
    while (this.waiting.length > 0 && (batch.length === 0 || bytes + this.waiting[0].chunk.sealed.length < MOST_BYTES)) {
      const { chunk, atMs } = /** @type {{chunk: Chunk, atMs: number}} */ (this.waiting.shift());
      if (chunk.stream !== DATA && nowMs - atMs > (chunk.flags & AUDIO ? soundMs : STALE_MS)) {
        this.dropped.add(chunk.stream);
        continue;
      }
      batch.push(chunk);
      bytes += chunk.sealed.length;
    }
    return batch;
  }

  /** @returns {number[]} streams of which something was dropped since the last look */
  lost() {
    const streams = [...this.dropped];
    this.dropped.clear();
    return streams;
  }
}
