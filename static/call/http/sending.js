// What we send over HTTP: once, for all who want it. The road's rate decides how much of it.

import { choose, common, configOf } from "./codecs.js";
import { packFrame } from "./frame.js";
import { Ladder } from "./ladder.js";
import { flagsOf } from "./pair.js";
import { PictureOut } from "./picture-out.js";
import { newSenderKey, seal } from "./seal.js";
import { SoundOut } from "./sound-out.js";
import { SOURCES, STREAMS } from "./wire.js";

/** @typedef {import("../peer.js").Source} Source */

/** What has waited for so long says that there is no room for more. */
const FULL_MS = 70;
/** How long others may take to hear of a new key. */
const KEY_SPREADS_MS = 500;
const LOOK_FOR_BUSY_MS = 1500;

export class Sending {
  /**
   * @param {AudioContext} context
   * @param {import("./duplex.js").Duplex} duplex
   * @param {import("./codecs.js").Able} able
   * @param {() => unknown[]} theirs  what each of the others takes, as they say it
   */
  constructor(context, duplex, able, theirs) {
    this.context = context;
    this.duplex = duplex;
    this.able = able;
    this.theirs = theirs;
    this.wasSlow = false;
    this.ladder = new Ladder();
    /** @type {Map<number, SoundOut | PictureOut>} */
    this.streams = new Map();
    /** How far each has counted; never back. @type {Map<number, number>} */
    this.counts = new Map();
    /** @type {Record<string, import("./wire.js").Asked>} */
    this.asked = {};
    this.epoch = 1;
    this.key = newSenderKey(this.epoch);
    /** Those that chunks are sealed with now, or soon: what a newcomer needs. */
    this.keys = [this.key];
    this.mostHeight = Infinity;
    this.isBusy = false;
    this.busyMs = -Infinity;
    /** @type {import("./ladder.js").Picture | null | undefined} */
    this.picture = undefined;
  }

  /** @param {Source} source @param {MediaStreamTrack | null} track */
  setTrack(source, track) {
    const stream = STREAMS[source];
    this.streams.get(stream)?.close();
    this.streams.delete(stream);
    if (!track) return;
    const onFrame = (/** @type {import("./sound-out.js").Encoded} */ frame) => void this.send(stream, frame);
    const made = track.kind === "audio" ? new SoundOut(this.context, track, onFrame) : new PictureOut(track, {
      frame: onFrame,
      hasRoom: () => this.hasRoom,
      config: (codec) => configOf(this.able, codec),
      failed: (codec) => this.doWithout(codec),
    });
    this.streams.set(stream, made);
    this.follow(this.asked);
  }

  /** @type {import("./codecs.js").Codec | null} */
  get codec() {
    return choose(this.able, this.theirs(), this.wasSlow);
  }

  /** While there is another that all can show. @param {import("./codecs.js").Codec} codec */
  doWithout(codec) {
    const encodes = this.able.encodes.filter((one) => one !== codec);
    if (common(encodes, this.theirs()).length > 0) this.able = { ...this.able, encodes };
  }

  get hasRoom() {
    return this.duplex.backlogMs < FULL_MS && !this.duplex.up.isJammed;
  }

  /** @returns {Record<string, Source>} number → source, as others are told */
  get said() {
    return Object.fromEntries([...this.streams.keys()].map((stream) => [String(stream), SOURCES[stream]]));
  }

  /**
   * Seal from now on, or soon, with a new key: somebody may read no longer. Those who may get it from `give` first.
   *
   * @param {(key: import("./seal.js").SenderKey) => Promise<unknown>} give
   */
  async changeKey(give) {
    const next = newSenderKey((this.epoch += 1));
    this.keys.push(next);
    await give(await next);
    setTimeout(() => {
      this.key = next;
      this.keys.splice(0, this.keys.indexOf(next));
    }, KEY_SPREADS_MS);
  }

  /**
   * @param {number} stream
   * @param {import("./sound-out.js").Encoded} frame
   */
  async send(stream, frame) {
    const wallUs = performance.timeOrigin * 1000 + frame.timestampUs;
    await this.put(stream, flagsOf(frame.isKey, stream), packFrame({ ...frame, wallUs }));
  }

  /**
   * @param {number} stream
   * @param {number} flags
   * @param {Uint8Array<ArrayBuffer>} plain
   * @returns {Promise<number>} its number
   */
  async put(stream, flags, plain) {
    const n = (this.counts.get(stream) ?? 0) + 1;
    this.counts.set(stream, n);
    const sealed = await seal(await this.key, { stream, flags, n }, plain);
    this.duplex.send({ stream, flags, n, sealed });
    return n;
  }

  /** What others want of it. @param {Record<string, import("./wire.js").Asked>} asked */
  follow(asked) {
    this.asked = asked;
    for (const [stream, out] of this.streams) {
      const wish = asked[stream];
      out.isOn = Boolean(wish?.wanted);
      if (wish?.key && out instanceof PictureOut) out.wantKey();
    }
  }

  /** Chunks of these will never arrive: what is built upon them is of no use. @param {number[]} streams */
  lost(streams) {
    for (const stream of streams) {
      const out = this.streams.get(stream);
      if (out instanceof PictureOut) out.wantKey();
    }
  }

  /** As much as there is room for. @param {number} nowMs */
  adjust(nowMs) {
    const { up } = this.duplex;
    const pictures = [...this.streams].filter(([, out]) => out instanceof PictureOut && out.isOn).map(([stream]) => SOURCES[stream]);
    if (nowMs - this.busyMs > LOOK_FOR_BUSY_MS) {
      this.busyMs = nowMs;
      this.isBusy = [...this.streams.values()].some((out) => out instanceof PictureOut && out.busy());
      // Of a codec that is too much for this machine, rather than of a large picture, others get less.
      if (this.isBusy && this.codec !== choose(this.able, this.theirs(), true)) Object.assign(this, { wasSlow: true, isBusy: false });
    } else {
      this.isBusy = false;
    }
    const limits = Object.values(this.asked).map(({ kbit }) => kbit ?? Infinity);
    const plan = this.ladder.plan({ kbit: up.kbit, isJammed: this.duplex.lookForJam(), isBusy: this.isBusy, pictures, mostHeight: this.mostHeight, limitKbit: Math.min(...limits) }, nowMs);
    this.duplex.batchMs = plan.batchMs;
    const { codec } = this;
    for (const [stream, out] of this.streams) {
      if (out instanceof SoundOut) out.use(plan.sound);
      else out.use(plan.pictures.get(SOURCES[stream]) ?? null, codec);
    }
    this.picture = plan.pictures.get("camera");
  }

  close() {
    for (const out of this.streams.values()) out.close();
    this.streams.clear();
  }
}
