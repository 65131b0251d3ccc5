// One other participant with whom we speak over HTTP: the secret we share, the keys they seal with, and what we get of them.

import { unpackFrame } from "./frame.js";
import { fromBase64, newPair, toBase64, unwrap, wrap, wrappingKey } from "./keys.js";
import { Lips } from "./lips.js";
import { Order } from "./order.js";
import { PictureIn } from "./picture-in.js";
import { epochOf, senderKey, unseal } from "./seal.js";
import { SoundIn } from "./sound-in.js";
import { AUDIO, DATA, KEY, SOURCES, STREAMS } from "./wire.js";

/** @typedef {import("../peer.js").Source} Source */
/** @typedef {import("./seal.js").SenderKey} SenderKey */

/** Keys of before that chunks still under way may be sealed with. */
const KEYS_KEPT = 3;

export class Pair {
  /**
   * @param {string} id
   * @param {AudioContext} context
   * @param {object} on
   * @param {(track: MediaStreamTrack, source: Source) => void} on.track
   * @param {(source: Source) => void} on.trackEnded
   * @param {(bytes: Uint8Array) => void} on.data
   */
  constructor(id, context, on) {
    this.id = id;
    this.context = context;
    this.on = on;
    this.ours = newPair();
    /** @type {Uint8Array<ArrayBuffer> | null} */
    this.theirPoint = null;
    /** @type {Promise<CryptoKey> | null} */
    this.wrapping = null;
    /** @type {Map<number, SenderKey>} */
    this.keys = new Map();
    /** What they send. @type {Map<number, SoundIn | PictureIn>} */
    this.streams = new Map();
    /** @type {Order<Uint8Array>} */
    this.data = new Order({ patienceMs: Infinity });
    this.lips = { face: new Lips(), screen: new Lips() };
    /** Which codecs they can decode, as they say it. @type {unknown} */
    this.takes = undefined;
    this.hasTold = false;
    this.closed = false;
  }

  // -- keys ---------------------------------------------------------------------------------------------------------------------

  async publicPoint() {
    return toBase64((await this.ours).publicPoint);
  }

  /** @param {string} written  base64 */
  meet(written) {
    const point = fromBase64(written);
    if (this.theirPoint && toBase64(this.theirPoint) === written) return;
    this.theirPoint = point;
    this.wrapping = this.ours.then((ours) => wrappingKey(ours, point));
  }

  /** @param {SenderKey} key  of ours @returns {Promise<{epoch: number, wrapped: string}>} for them only */
  async wrapped({ epoch, raw }) {
    const wrapping = await /** @type {Promise<CryptoKey>} */ (this.wrapping);
    return { epoch, wrapped: toBase64(await wrap(wrapping, raw)) };
  }

  /** @param {{epoch: number, wrapped: string}} body */
  async takeKey({ epoch, wrapped }) {
    if (!this.wrapping) return;
    this.keys.set(epoch, await senderKey(epoch, await unwrap(await this.wrapping, fromBase64(wrapped))));
    for (const old of this.keys.keys()) if (this.keys.size > KEYS_KEPT) this.keys.delete(old);
  }

  // -- what they send -----------------------------------------------------------------------------------------------------------

  /** @param {Record<string, string>} said  number → source */
  offer(said) {
    for (const source of SOURCES) {
      const stream = STREAMS[source];
      const isThere = said[stream] === source;
      if (isThere && !this.streams.has(stream)) this.open(stream, source);
      else if (!isThere && this.streams.has(stream)) this.end(stream);
    }
  }

  /**
   * @param {number} stream
   * @param {Source} source
   */
  open(stream, source) {
    const lips = source.startsWith("screen") ? this.lips.screen : this.lips.face;
    const made = source === "microphone" || source === "screen-sound"
      ? new SoundIn(this.context, ({ playingMs }) => lips.hear(playingMs, performance.now()))
      : new PictureIn(lips, (extraMs) => this.sound(source)?.wait(extraMs));
    this.streams.set(stream, made);
    this.on.track(made.track, source);
  }

  /** @param {Source} source  of a picture @returns {SoundIn | undefined} that goes with it */
  sound(source) {
    return /** @type {SoundIn | undefined} */ (this.streams.get(STREAMS[source === "screen" ? "screen-sound" : "microphone"]));
  }

  /** @param {number} stream */
  end(stream) {
    this.streams.get(stream)?.close();
    this.streams.delete(stream);
    this.on.trackEnded(SOURCES[stream]);
  }

  /** Whether there is a picture of theirs. */
  get shows() {
    return [...this.streams.values()].some((receiver) => receiver instanceof PictureIn);
  }

  /** @returns {Map<Source, MediaStreamTrack>} */
  get tracks() {
    return new Map([...this.streams].map(([stream, { track }]) => [SOURCES[stream], track]));
  }

  /**
   * What of them is wanted: nothing before they have given us a key.
   *
   * @param {{mostKbit: number | undefined, noPictures: boolean}} road
   * @returns {import("./wire.js").Wish[]}
   */
  wishes({ mostKbit, noPictures }) {
    if (this.keys.size === 0) return [];
    const media = [...this.streams].filter(([, receiver]) => !(noPictures && receiver instanceof PictureIn)).map(([stream, receiver]) => ({
      from: this.id, stream, after: receiver.order.after, key: receiver.needsKey,
      ...(mostKbit && { mostKbit }),
    }));
    return [...media, { from: this.id, stream: DATA, after: this.data.after }];
  }

  /** @param {import("./wire.js").ChunkOf} chunk */
  async take({ stream, flags, n, sealed }) {
    const key = this.keys.get(epochOf(sealed));
    const order = stream === DATA ? this.data : this.streams.get(stream)?.order;
    if (!key || !order || n <= order.after) return;
    /** @type {Uint8Array} */
    let plain;
    try {
      plain = await unseal(key, { stream, flags, n }, sealed);
    } catch {
      console.warn("http: a chunk was not sealed by who is said to have sent it");
      return;
    }
    if (this.closed) return;
    const now = performance.now();
    if (stream !== DATA) this.streams.get(stream)?.take(n, unpackFrame(plain), now);
    else this.takeData(n, plain, now);
  }

  /**
   * @param {number} n
   * @param {Uint8Array} plain
   * @param {number} nowMs
   */
  takeData(n, plain, nowMs) {
    this.data.add(n, plain, nowMs);
    for (const item of this.data.take(nowMs).items) this.on.data(item);
  }

  /**
   * What came up to here will not come.
   *
   * @param {number} stream
   * @param {number} n
   */
  skip(stream, n) {
    if (stream === DATA) {
      this.data.skip(n);
      for (const item of this.data.take(performance.now()).items) this.on.data(item);
      return;
    }
    const receiver = this.streams.get(stream);
    if (!receiver || n <= receiver.order.after) return;
    receiver.order.skip(n);
    if (receiver instanceof PictureIn) receiver.needsKey = true;
  }

  /** Time has passed: what is missing may have to be given up. @param {number} nowMs */
  look(nowMs) {
    for (const receiver of this.streams.values()) receiver.look(nowMs);
  }

  /** How loud they are, 0 to 1. */
  get level() {
    return this.sound("camera")?.heard?.peak ?? 0;
  }

  close() {
    this.closed = true;
    for (const receiver of this.streams.values()) receiver.close();
    this.streams.clear();
  }
}

/** @param {boolean} isKey @param {number} stream */
export const flagsOf = (isKey, stream) => (isKey ? KEY : 0) | (SOURCES[stream]?.includes("sound") || stream === 0 ? AUDIO : 0);
