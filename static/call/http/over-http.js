// A call, or a part of it, over plain HTTP: the pairs that speak so, what we send to all of them, and the road it takes.
// Loaded only when a pair needs it. Knows neither WebRTC nor HTML.

import { post } from "../api.js";
import { look } from "./codecs.js";
import { Data } from "./data.js";
import { Duplex } from "./duplex.js";
import { comparisonCode } from "./keys.js";
import { Pair } from "./pair.js";
import { Sending } from "./sending.js";
import { DATA } from "./wire.js";

/** @typedef {import("../peer.js").Source} Source */
/** @typedef {import("./data.js").HttpChannel} HttpChannel */
/** @typedef {import("./wire.js").Control} Control */

const LOOK_MS = 50;
/** A way down that was never narrow needs no word about it. */
const NARROW_KBIT = 4000;

/** Whether this browser can: W3C WebCodecs, Web Audio's worklets, and WebCrypto, which secure pages have. */
export const isAble = () =>
  ["VideoEncoder", "VideoDecoder", "AudioEncoder", "AudioDecoder", "AudioWorkletNode"].every((name) => name in globalThis) && Boolean(globalThis.crypto?.subtle);

/**
 * @typedef {object} OverHttpEvents
 * @property {(id: string, track: MediaStreamTrack, source: Source) => void} track
 * @property {(id: string, source: Source) => void} trackEnded
 * @property {(id: string) => void} begun                        both know of it
 * @property {(id: string, channel: HttpChannel) => void} channel  somebody has opened one
 * @property {(error: Error) => void} refused                    the server carries no media for us
 */

export class OverHttp {
  /**
   * @param {object} options
   * @param {string} options.me
   * @param {() => string} options.token
   * @param {(to: string, kind: "over-http" | "chunk-key", body: object) => void} options.tell
   * @param {OverHttpEvents} options.on
   * @param {import("./codecs.js").Able} able
   */
  constructor({ me, token, tell, on }, able) {
    this.tell = tell;
    this.on = on;
    /** @type {Map<string, Pair>} */
    this.pairs = new Map();
    this.context = new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
    // Some browsers are silent until the person has pressed something.
    this.ending = new AbortController();
    for (const press of ["pointerdown", "keydown"]) document.addEventListener(press, () => void this.context.resume(), { signal: this.ending.signal });
    this.duplex = new Duplex({
      post: (query, body, timeoutMs, signal) => post(`/chunks?${query}`, { token: token(), body, timeoutMs, signal }),
      wishes: () => this.wishes(),
      take: ({ control, chunks }) => this.take(control, chunks),
      lost: (streams) => this.sending.lost(streams),
      refused: (error) => on.refused(error),
    });
    this.sending = new Sending(this.context, this.duplex, able, () => [...this.pairs.values()].filter(({ theirPoint }) => theirPoint).map(({ takes }) => takes));
    this.wasJammed = false;
    this.data = new Data({ me, put: (plain) => this.sending.put(DATA, 0, plain), onChannel: (from, channel) => on.channel(from, channel) });
  }

  /** @param {ConstructorParameters<typeof OverHttp>[0]} options */
  static async open(options) {
    const made = new OverHttp(options, await look());
    await made.context.audioWorklet.addModule(new URL("sound.worklet.js", import.meta.url));
    return made;
  }

  // -- pairs --------------------------------------------------------------------------------------------------------------------

  /** @param {string} id */
  begin(id) {
    const pair = this.pairOf(id);
    if (!pair.hasTold) void this.invite(pair);
  }

  /** @param {string} id */
  pairOf(id) {
    const known = this.pairs.get(id);
    if (known) return known;
    const pair = new Pair(id, this.context, {
      track: (track, source) => this.on.track(id, track, source),
      trackEnded: (source) => this.on.trackEnded(id, source),
      data: (plain) => this.data.take(id, plain),
    });
    this.pairs.set(id, pair);
    if (!this.looking) this.looking = setInterval(() => this.look(), LOOK_MS);
    return pair;
  }

  /** @param {Pair} pair */
  async invite(pair) {
    pair.hasTold = true;
    const publicPoint = await pair.publicPoint();
    if (!pair.closed) this.tell(pair.id, "over-http", { on: true, public: publicPoint, streams: this.sending.said, takes: this.sending.able.takes });
  }

  /**
   * They speak over HTTP, too, or show other things than before.
   *
   * @param {string} id
   * @param {any} body
   */
  async met(id, body) {
    if (typeof body.public !== "string") return;
    const pair = this.pairOf(id);
    const isNew = pair.theirPoint === null;
    pair.meet(body.public);
    pair.takes = body.takes;
    pair.offer(body.streams ?? {});
    if (!pair.hasTold) await this.invite(pair);
    if (isNew) for (const key of await Promise.all(this.sending.keys)) this.tell(id, "chunk-key", await pair.wrapped(key));
    if (pair.closed) return;
    this.duplex.start();
    this.duplex.ask();
    if (isNew) this.on.begun(id);
  }

  /**
   * @param {string} id
   * @param {any} body
   */
  async takeKey(id, body) {
    const pair = this.pairs.get(id);
    if (!pair) return;
    await pair.takeKey(body);
    this.duplex.ask();
  }

  /**
   * No longer over HTTP with this one, who from then on can read nothing of what we send to others.
   *
   * @param {string} id
   */
  end(id) {
    const pair = this.pairs.get(id);
    if (!pair) return;
    pair.close();
    this.pairs.delete(id);
    this.data.close(id);
    void this.sending.changeKey(async (key) => {
      for (const other of this.pairs.values()) if (other.wrapping) this.tell(other.id, "chunk-key", await other.wrapped(key));
    });
    if (this.pairs.size > 0) return;
    this.duplex.stop();
    clearInterval(this.looking);
    this.looking = undefined;
  }

  /**
   * @param {Source} source
   * @param {MediaStreamTrack | null} track
   */
  setTrack(source, track) {
    this.sending.setTrack(source, track);
    for (const pair of this.pairs.values()) if (pair.hasTold) void this.invite(pair);
  }

  /** How large others show our camera, at most. @param {number} height */
  showAt(height) {
    this.sending.mostHeight = height;
  }

  /** @param {string} id @param {string} label @returns {HttpChannel} */
  openChannel(id, label) {
    return this.data.open(id, label);
  }

  /**
   * Twenty digits to read to each other: the same, unless somebody sits in between.
   *
   * @param {string} id
   * @returns {Promise<string | null>} null: they have not answered yet
   */
  async code(id) {
    const pair = this.pairs.get(id);
    if (!pair?.theirPoint) return null;
    return comparisonCode((await pair.ours).publicPoint, pair.theirPoint);
  }

  // -- the road -----------------------------------------------------------------------------------------------------------------

  wishes() {
    const { kbit } = this.duplex.down;
    // A recorder shows nothing: it takes no share.
    const showing = [...this.pairs.values()].filter(({ shows }) => shows).length;
    const mostKbit = kbit < NARROW_KBIT ? kbit / Math.max(1, showing) : undefined;
    // In a jam sound alone is wanted: what of pictures has gathered meanwhile is not brought, nor are new ones made.
    const noPictures = this.wasJammed;
    return [...this.pairs.values()].flatMap((pair) => pair.wishes({ mostKbit, noPictures }));
  }

  /**
   * @param {Control} control
   * @param {import("./wire.js").ChunkOf[]} chunks
   */
  take({ streams, skipped }, chunks) {
    this.sending.follow(streams);
    this.data.follow(streams);
    for (const [name, n] of Object.entries(skipped)) {
      const [id, stream] = name.split(".");
      this.pairs.get(id)?.skip(Number(stream), n);
    }
    for (const chunk of chunks) void this.pairs.get(chunk.from)?.take(chunk);
  }

  look() {
    const now = performance.now();
    // Of a page nobody sees browsers let the clock strike as they like.
    this.duplex.strike(document.hidden ? Infinity : LOOK_MS);
    if (this.duplex.isDownJammed !== this.wasJammed) {
      this.wasJammed = !this.wasJammed;
      this.duplex.ask();
    }
    this.sending.adjust(now);
    const isLonely = this.sending.picture === undefined;
    const { up } = this.duplex;
    void this.data.pump(up.isJammed ? up.leastKbit : up.kbit * (isLonely ? 2 : 1), LOOK_MS);
    for (const pair of this.pairs.values()) pair.look(now);
    this.duplex.go();
  }

  /** What it looks like from inside, for the connection panel and for tests. @param {string} id */
  figures(id) {
    const pair = this.pairs.get(id);
    const { up, down, roundTrip } = this.duplex;
    const sound = pair?.sound("camera");
    const picture = pair?.streams.get(1);
    return {
      roundTripMs: Number.isFinite(roundTrip.least) ? Math.round(roundTrip.least) : null,
      upKbit: Math.round(up.kbit), downKbit: Math.round(down.kbit), queueUpMs: Math.round(up.queueMs), queueDownMs: Math.round(down.queueMs),
      isJammed: up.isJammed, picture: this.sending.picture ?? null, codec: this.sending.codec, batchMs: this.duplex.batchMs,
      shown: picture && "shown" in picture ? picture.shown : 0, packets: sound?.packets ?? 0, heard: sound?.heard ?? null,
      lateMs: pair ? Math.round(pair.lips.face.lateMs) : 0, extraMs: pair ? Math.round(pair.lips.face.extraMs) : 0,
    };
  }

  close() {
    for (const id of [...this.pairs.keys()]) this.end(id);
    this.duplex.stop();
    this.sending.close();
    this.ending.abort();
    clearInterval(this.looking);
    void this.context.close();
  }
}
