// The road itself: one kind of request carries what we send up and brings back what we want. Several are under way at once, so
// that a round trip costs no frame its place; some of them are held by the server until there is something to hear.
//
// Nothing is lost with an answer: a request that failed is repeated under its nonce, with what of it is still worth sending.

import { Away, Refused } from "../api.js";
import { backoffMs } from "../backoff.js";
import { Earliest } from "./clock.js";
import { HEAD_BYTES } from "./ladder.js";
import { Outbox } from "./outbox.js";
import { Rate } from "./rate.js";
import { DATA, pack, unpack, want } from "./wire.js";

/** @typedef {import("./wire.js").Chunk} Chunk */
/** @typedef {{nonce: string, chunks: Chunk[], bornMs: number, tries: number}} Batch */

/** Of a browser's six connections to a server: one is the mailbox's, one is for all else. */
const MOST_UNDER_WAY = 4;
/** The server holds no more of one participant's. */
const MOST_HELD = 3;
const WAIT_MS = 2000;
/** Longer than it may be held, and the connection is dead. */
const GIVE_UP_MS = 6000;
/** A batch leaves so much sooner with a packet of sound, or waits so much longer for one: half a packet. */
const WITH_SOUND_MS = 10;
/** While there is sound its packets come more often. */
const SOUND_MS = 100;
/** Of a failed batch, what is older is not worth repeating. */
const STALE_MS = 1500;
/** In a jam sound that has waited for longer, beside a round trip, is left out: it would be late, and make late what follows. */
const JAM_STALE_MS = 400;
/** A round trip of more: while one answer comes back others must be on their way. */
const LONG_WAY_MS = 70;
/** While somebody speaks answers come all the time: so long without one, and a large one is stuck on its way down. */
const STALLED_MS = 700;
/** All requests are under way and what is made waits for so long: they are stuck, and their answers will be late to say so. */
const STUCK_MS = 350;
/** A page that was busy for longer than this, within so long, took its answers late: that says nothing of the road. */
const BUSY_MS = { more: 40, within: 400 };

export class Duplex {
  /**
   * @param {object} options
   * @param {(query: string, body: Uint8Array<ArrayBuffer>, timeoutMs: number, signal: AbortSignal) => Promise<Uint8Array>} options.post
   * @param {() => import("./wire.js").Wish[]} options.wishes
   * @param {(answer: ReturnType<typeof unpack>) => void} options.take
   * @param {(streams: number[]) => void} options.lost      chunks of these streams of ours will never arrive
   * @param {(error: Refused) => void} options.refused      for good
   * @param {() => number} [options.now]
   * @param {() => string} [options.newNonce]
   */
  constructor({ post, wishes, take, lost, refused, now = () => performance.now(), newNonce = () => crypto.randomUUID() }) {
    this.post = post;
    this.wishes = wishes;
    this.take = take;
    this.lost = lost;
    this.refused = refused;
    this.now = now;
    this.newNonce = newNonce;
    this.outbox = new Outbox();
    this.up = new Rate();
    this.down = new Rate({ startKbit: 5000, leastKbit: 60, mostKbit: 5000 });
    this.batchMs = 25;
    /** Requests without an answer yet, and whether the server may hold them. @type {Map<string, boolean>} */
    this.underWay = new Map();
    /** Failed, to be repeated. @type {Batch[]} */
    this.again = [];
    this.failures = 0;
    this.roundTrip = new Earliest();
    this.sentMs = -Infinity;
    this.heardMs = -Infinity;
    /** The server's clock less ours. @type {number | undefined} */
    this.serverAheadMs = undefined;
    this.restUntilMs = -Infinity;
    /** When the page's clock is to strike next, and when it last struck late. */
    this.beat = { nextMs: Infinity, lateMs: -Infinity };
    this.stopping = new AbortController();
    this.isRunning = false;
    this.isUrgent = false;
  }

  /** Opposite: stop(). */
  start() {
    if (this.isRunning) return;
    this.isRunning = true;
    this.stopping = new AbortController();
    this.go();
  }

  stop() {
    this.isRunning = false;
    clearTimeout(this.timer);
    this.stopping.abort();
    this.underWay.clear();
    this.again = [];
    this.outbox = new Outbox();
  }

  /** @param {Chunk} chunk */
  send(chunk) {
    this.outbox.add(chunk, this.now());
    this.go();
  }

  get held() {
    return [...this.underWay.values()].filter(Boolean).length;
  }

  /** The page's clock strikes. @param {number} nextInMs  Infinity: it is not to be relied upon */
  strike(nextInMs) {
    const now = this.now();
    if (this.isBusy) this.beat.lateMs = now;
    this.beat.nextMs = now + nextInMs;
  }

  /** Whether the page is behind with what it has to do. */
  get isBusy() {
    return this.now() > this.beat.nextMs + BUSY_MS.more;
  }

  /** The shortest round trip of late; 0 before any is known. */
  get leastMs() {
    const { least } = this.roundTrip;
    return Number.isFinite(least) ? least : 0;
  }

  /** How many requests should be with the server, or on their way to it, for what comes to be brought at once. */
  get listeners() {
    return this.leastMs > LONG_WAY_MS ? MOST_HELD : 2;
  }

  /** Whether what is wanted must become less, at once. */
  get isDownJammed() {
    const silentMs = this.now() - this.heardMs;
    return this.down.isJammed || (silentMs > STALLED_MS && silentMs < GIVE_UP_MS && this.underWay.size > 0);
  }

  /** Note that nothing gets through, before answers can say so. @returns {boolean} whether there is room for nothing but sound */
  lookForJam() {
    const mostMs = STUCK_MS + this.leastMs;
    if (this.failures === 0 && this.underWay.size >= MOST_UNDER_WAY && this.backlogMs > mostMs && !this.down.isJammed) this.up.jam(this.now());
    return this.up.isJammed;
  }

  /** How long what is made now will wait before it leaves. */
  get backlogMs() {
    return this.outbox.ageMs(this.now());
  }

  /** When the next batch is to leave. Sound is what all else waits for: it should not come just after a batch has left. */
  get dueMs() {
    const evenMs = this.sentMs + this.batchMs;
    if (this.outbox.endsWithSound) return evenMs - WITH_SOUND_MS;
    return this.now() - this.outbox.soundMs < SOUND_MS ? evenMs + WITH_SOUND_MS : evenMs;
  }

  /** What is wanted has changed: those that listen say what was wanted before. */
  ask() {
    this.isUrgent = true;
    this.go();
  }

  /** Send what is due, and listen. */
  go() {
    if (!this.isRunning) return;
    clearTimeout(this.timer);
    const now = this.now();
    if (now < this.restUntilMs) {
      this.timer = setTimeout(() => this.go(), this.restUntilMs - now);
      return;
    }
    // Where nothing gets through one request tries, not five.
    const most = this.failures > 0 ? 1 : MOST_UNDER_WAY;
    while (this.underWay.size < most) {
      const batch = this.next(now);
      if (!batch) break;
      void this.exchange(batch);
    }
    const { dueMs } = this;
    if (!this.outbox.isEmpty && this.underWay.size < most && dueMs > now) this.timer = setTimeout(() => this.go(), dueMs - now);
  }

  /**
   * @param {number} now
   * @returns {Batch | undefined}
   */
  next(now) {
    const failed = this.again.shift();
    if (failed) {
      const isStale = now - failed.bornMs > STALE_MS;
      if (isStale) this.forget(failed.chunks);
      return { ...failed, chunks: failed.chunks.filter(({ stream }) => !isStale || stream === DATA) };
    }
    const isDue = !this.outbox.isEmpty && now >= this.dueMs;
    // While we send anyway, what we send listens as well.
    const isQuiet = now - this.sentMs > 2 * this.batchMs;
    const listens = this.isUrgent || this.held < (isQuiet ? this.listeners : this.listeners - 1);
    if (!isDue && !listens) return undefined;
    this.isUrgent = false;
    const chunks = this.outbox.take(now, this.up.isJammed ? JAM_STALE_MS + this.leastMs : STALE_MS);
    const lost = this.outbox.lost();
    if (lost.length > 0) this.lost(lost);
    if (chunks.length > 0) this.sentMs = now;
    return { nonce: this.newNonce(), chunks, bornMs: now, tries: 0 };
  }

  /** @param {Chunk[]} chunks */
  forget(chunks) {
    const streams = new Set(chunks.filter(({ stream }) => stream !== DATA).map(({ stream }) => stream));
    if (streams.size > 0) this.lost([...streams]);
  }

  /** @param {Batch} batch */
  async exchange(batch) {
    const { nonce, chunks } = batch;
    const mayBeHeld = this.held < this.listeners && this.failures === 0;
    const body = pack(chunks);
    const sentMs = this.now();
    this.underWay.set(nonce, mayBeHeld);
    const query = `nonce=${nonce}&wait_ms=${mayBeHeld ? WAIT_MS : 0}&want=${want(this.wishes())}`;
    try {
      const bytes = await this.post(query, body, GIVE_UP_MS, this.stopping.signal);
      const answer = unpack(bytes);
      if (!this.underWay.delete(nonce)) return;
      this.failures = 0;
      if (batch.tries === 0) this.measure(answer.control, { sentMs, upBytes: body.length + HEAD_BYTES, downBytes: bytes.length + HEAD_BYTES / 2 });
      if (answer.control.full) this.up.refused(this.now());
      if (answer.chunks.length > 0) this.heardMs = this.now();
      this.take(answer);
    } catch (error) {
      if (!this.underWay.delete(nonce)) return;
      this.failed(batch, error);
    }
    this.go();
  }

  /**
   * @param {import("./wire.js").Control} control
   * @param {{sentMs: number, upBytes: number, downBytes: number}} sent
   */
  measure({ came_ms: cameMs, left_ms: leftMs }, { sentMs, upBytes, downBytes }) {
    if (cameMs === undefined || leftMs === undefined) return;
    const now = this.now();
    const isTrue = !this.isBusy && now - this.beat.lateMs > BUSY_MS.within;
    this.roundTrip.take(now - sentMs - (leftMs - cameMs), now);
    // An answer may have been held: what counts is when the request came.
    this.serverAheadMs ??= cameMs - sentMs;
    this.up.take({ bytes: upBytes, delayMs: cameMs - sentMs, nowMs: cameMs - this.serverAheadMs });
    if (isTrue) this.down.take({ bytes: downBytes, delayMs: now - leftMs, nowMs: now });
  }

  /**
   * @param {Batch} batch
   * @param {unknown} error
   */
  failed(batch, error) {
    if (!this.isRunning) return;
    if (error instanceof Refused) {
      this.stop();
      this.refused(error);
      return;
    }
    this.again.push({ ...batch, tries: batch.tries + 1 });
    if (this.failures === 0 || this.underWay.size === 0) this.failures += 1;
    const retryAfterMs = error instanceof Away ? error.retryAfterS * 1000 : 0;
    if (retryAfterMs > 0) this.up.refused(this.now());
    this.restUntilMs = this.now() + Math.max(retryAfterMs, this.failures === 1 ? 0 : backoffMs(this.failures, { firstMs: 100, mostMs: 2000 }));
  }
}
