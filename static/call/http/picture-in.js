// What somebody shows: packets in order, decoded, and each picture shown when the sound of its moment is heard.

import { CONFIGS } from "./codecs.js";
import { KINDS } from "./frame.js";
import { Order } from "./order.js";
import { PictureTrack } from "./picture-track.js";

/** @typedef {import("./frame.js").Frame} Frame */

const PATIENCE_MS = 250;
/** More wait for their sound: it is too far behind, and the oldest is shown without. */
const MOST_WAITING = 12;
/** By kind. */
const CODECS = new Map(Object.entries(CONFIGS).map(([name, { codec }]) => [KINDS[/** @type {import("./codecs.js").Codec} */ (name)], codec]));

export class PictureIn {
  /** @param {import("./lips.js").Lips} lips  of the same person */
  constructor(lips, onWait = (/** @type {number} */ _extraMs) => {}) {
    this.lips = lips;
    this.onWait = onWait;
    /** @type {Order<Frame>} */
    this.order = new Order({ patienceMs: PATIENCE_MS });
    /** Nothing can be decoded before. */
    this.needsKey = true;
    this.kind = -1;
    this.out = new PictureTrack();
    this.track = this.out.track;
    this.shown = 0;
    /** @type {VideoFrame[]} */
    this.waiting = [];
    this.decoder = this.newDecoder();
  }

  newDecoder() {
    return new VideoDecoder({
      output: (frame) => this.decoded(frame),
      error: (error) => {
        console.warn("picture: not decoded", error);
        this.needsKey = true;
        this.kind = -1;
        this.decoder = this.newDecoder();
      },
    });
  }

  /**
   * @param {number} n
   * @param {Frame} frame
   * @param {number} nowMs
   */
  take(n, frame, nowMs) {
    // A key frame needs nothing of what came before: while one is needed, nothing else is waited for.
    this.order.add(n, frame, nowMs, frame.isKey && this.needsKey);
    this.look(nowMs);
  }

  /** @param {number} nowMs */
  look(nowMs) {
    const { items, lost } = this.order.take(nowMs);
    if (lost) this.needsKey = true;
    for (const frame of items) this.decode(frame);
  }

  /** @param {Frame} frame */
  decode({ kind, isKey, timestampUs, payload }) {
    const codec = CODECS.get(kind);
    if (!codec || (this.needsKey && !isKey)) return;
    this.needsKey = false;
    if (kind !== this.kind) {
      this.kind = kind;
      this.decoder.configure({ codec, optimizeForLatency: true });
    }
    this.decoder.decode(new EncodedVideoChunk({ type: isKey ? "key" : "delta", timestamp: timestampUs, data: payload }));
  }

  /** @param {VideoFrame} frame */
  decoded(frame) {
    this.waiting.push(frame);
    if (this.waiting.length > MOST_WAITING) this.showFirst();
    if (this.waiting.length === 1 || this.timer === undefined) this.show();
  }

  show() {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (let frame = this.waiting[0]; frame; frame = this.waiting[0]) {
      const waitMs = this.lips.waitMs(frame.timestamp / 1000, performance.now());
      // Timers are coarse: a few milliseconds early is in time.
      if (waitMs > 3) {
        this.timer = setTimeout(() => this.show(), Math.min(waitMs, 500));
        return;
      }
      this.showFirst();
    }
  }

  showFirst() {
    const frame = this.waiting.shift();
    if (!frame) return;
    this.shown += 1;
    this.onWait(this.lips.shown(frame.timestamp / 1000, performance.now()));
    this.out.write(frame);
  }

  close() {
    clearTimeout(this.timer);
    for (const frame of this.waiting.splice(0)) frame.close();
    if (this.decoder.state !== "closed") this.decoder.close();
    this.out.close();
  }
}
