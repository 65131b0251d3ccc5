// A camera or a screen: pictures to packets (W3C WebCodecs), as large and as often as the plan says. A picture the road has no room
// for is not encoded at all: none that was is ever left out, for the next ones are built upon it.

import { DeviceClock } from "./clock.js";
import { KINDS } from "./frame.js";
import { eachFrame } from "./frames.js";

/** @typedef {import("./ladder.js").Picture} Picture */
/** @typedef {import("./sound-out.js").Encoded} Encoded */
/** @typedef {import("./codecs.js").Codec} Codec */

/** A bitrate that differs by less is not worth telling the encoder. */
const DIFFERS = 0.12;
/** How long a key frame takes to be seen by who has asked. */
const KEY_MS = 400;
/** A frame a little early is in time. */
const EARLY = 0.8;
/** Frames the encoder may be behind before this machine is too slow. */
const MOST_QUEUED = 1;
/** An encoder that failed, or that the browser took away, is made anew; one that fails at once, not for every picture. */
const AGAIN_MS = 1000;

export class PictureOut {
  /**
   * @param {MediaStreamTrack} track
   * @param {object} on
   * @param {(frame: Encoded) => void} on.frame
   * @param {() => boolean} on.hasRoom  the road has room for another picture
   * @param {(codec: Codec) => ReturnType<typeof import("./codecs.js").configOf>} on.config  what its encoder is told
   * @param {(codec: Codec) => void} [on.failed]  this machine does not encode it after all
   */
  constructor(track, on) {
    this.on = on;
    this.clock = new DeviceClock();
    /** @type {Picture | null} */
    this.plan = null;
    /** @type {Codec | null} */
    this.codec = null;
    /** What the encoder was made for. @type {Codec | null} */
    this.encodes = null;
    this.isOn = false;
    this.key = { isWanted: false, givenMs: -Infinity };
    this.size = { width: 0, height: 0, kbit: 0, fps: 0 };
    this.takenMs = -Infinity;
    /** How often the encoder was behind, of how many frames; see busy. */
    this.pace = { frames: 0, late: 0 };
    this.ending = new AbortController();
    this.madeMs = -Infinity;
    /** @type {VideoEncoder | null} */
    this.encoder = null;
    eachFrame(track, (frame) => this.take(frame), this.ending.signal);
  }

  /**
   * @param {Picture | null} plan  null: none for now
   * @param {Codec | null} codec
   */
  use(plan, codec) {
    this.plan = plan;
    this.codec = codec;
  }

  /** Asked again while the one just made is on its way: that is the answer. */
  wantKey() {
    if (performance.now() - this.key.givenMs > KEY_MS) this.key.isWanted = true;
  }

  /** Whether this machine was too slow since the last look. */
  busy() {
    const { frames, late } = this.pace;
    this.pace = { frames: 0, late: 0 };
    return frames >= 10 && late > frames * 0.3;
  }

  /** @param {VideoFrame} frame */
  take(frame) {
    const now = performance.now();
    const capturedMs = this.clock.capturedMs(frame.timestamp / 1000, now);
    if (this.isOn && this.plan && this.codec && now - this.takenMs >= (1000 / this.plan.fps) * EARLY && this.on.hasRoom()) this.encode(frame, this.plan, this.codec, capturedMs, now);
    frame.close();
  }

  /**
   * @param {VideoFrame} frame
   * @param {Picture} plan
   * @param {Codec} codec
   * @param {number} capturedMs
   * @param {number} now
   */
  encode(frame, plan, codec, capturedMs, now) {
    const encoder = this.encoderFor(codec, now);
    if (!encoder) return;
    this.pace.frames += 1;
    if (encoder.encodeQueueSize > MOST_QUEUED) {
      this.pace.late += 1;
      return;
    }
    this.configure(encoder, codec, frame, plan);
    // Not drifting: the next is due so long after this one was.
    this.takenMs = Math.max(now - 1000 / plan.fps, Math.min(now, this.takenMs + 1000 / plan.fps));
    const keyFrame = this.key.isWanted;
    if (keyFrame) this.key = { isWanted: false, givenMs: now };
    const stamped = new VideoFrame(frame, { timestamp: Math.round(capturedMs * 1000) });
    encoder.encode(stamped, { keyFrame });
    stamped.close();
  }

  /**
   * @param {Codec} codec
   * @param {number} now
   * @returns {VideoEncoder | null}  null: it has failed a moment ago
   */
  encoderFor(codec, now) {
    if (this.encodes === codec && this.encoder?.state !== "closed") return this.encoder;
    if (this.encodes === codec && now - this.madeMs < AGAIN_MS) return null;
    // Of another codec nothing is of use any more: what comes next is a key frame.
    if (this.encoder && this.encoder.state !== "closed") this.encoder.close();
    Object.assign(this, { encodes: codec, madeMs: now, size: { width: 0, height: 0, kbit: 0, fps: 0 } });
    this.encoder = new VideoEncoder({ output: (chunk) => this.encoded(chunk, codec), error: (error) => this.failed(codec, error) });
    return this.encoder;
  }

  /**
   * @param {Codec} codec
   * @param {DOMException} error
   */
  failed(codec, error) {
    console.warn(`picture: not encoded as ${codec}`, error);
    // What the browser takes away it gives again (W3C WebCodecs, "Resource Reclamation").
    if (error.name !== "QuotaExceededError") this.on.failed?.(codec);
  }

  /**
   * @param {VideoEncoder} encoder
   * @param {Codec} codec
   * @param {VideoFrame} frame
   * @param {Picture} plan
   */
  configure(encoder, codec, { displayWidth, displayHeight }, { height: most, kbit, fps }) {
    const height = even(Math.min(most, displayHeight));
    const width = even((displayWidth * height) / displayHeight);
    const { size } = this;
    const isSame = size.width === width && size.height === height;
    if (isSame && size.fps === fps && Math.abs(size.kbit - kbit) < size.kbit * DIFFERS) return;
    this.size = { width, height, kbit, fps };
    encoder.configure({ ...this.on.config(codec), width, height, bitrate: kbit * 1000, framerate: fps, latencyMode: "realtime" });
    if (!isSame) this.key.isWanted = true;
  }

  /**
   * @param {EncodedVideoChunk} chunk
   * @param {Codec} codec
   */
  encoded(chunk, codec) {
    const payload = new Uint8Array(chunk.byteLength);
    chunk.copyTo(payload);
    const { width, height, fps } = this.size;
    this.on.frame({ kind: KINDS[codec], isKey: chunk.type === "key", timestampUs: chunk.timestamp, durationUs: Math.round(1e6 / fps), width, height, payload });
  }

  close() {
    this.ending.abort();
    if (this.encoder && this.encoder.state !== "closed") this.encoder.close();
  }
}

/** @param {number} pixels */
const even = (pixels) => Math.max(2, Math.round(pixels / 2) * 2);
