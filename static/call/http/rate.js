// How much one way of the road carries, learnt from how long each batch was on its way. Where even the least late of the last
// ones is late there is a queue that stands: then less is sent, at once and by what really arrived; while there is none and all
// that is allowed is used, a little more is tried. Pure; time comes in, all of it in milliseconds.
//
// (That a standing queue is the one that counts is CoDel's idea, RFC 8289: a burst, or a machine that was busy for a moment, is none.)

import { Earliest } from "./clock.js";

/** Later than the earliest by so much is a queue... */
const QUEUE_MS = 90;
/** ...and by so much a jam: nothing but sound until it has gone. */
const JAM_MS = 350;
/** While a queue is short it grows again; so is one batch behind another. */
const CALM_MS = 50;
/** What is late for so long is no accident. */
const STANDING_MS = 360;
/** A change's time to be seen. */
const SETTLE_MS = 400;
const WINDOW_MS = 1000;
/** Of what arrived while there was a queue: less, so that the queue becomes shorter. */
const BACK_OFF = 0.8;
/** Never less than this of what was, outside a jam: what arrived may be little because little was sent. */
const HALF = 0.5;
/** A second: fast where it was never too much, slow near where it was. */
const GROWTH = { fast: 0.3, slow: 0.1 };
const FORGET_MS = 8_000;

export class Rate {
  /** @param {{startKbit?: number, leastKbit?: number, mostKbit?: number}} [options] */
  constructor({ startKbit = 900, leastKbit = 40, mostKbit = 2000 } = {}) {
    this.kbit = startKbit;
    this.leastKbit = leastKbit;
    this.mostKbit = mostKbit;
    this.earliest = new Earliest();
    /** How long a batch stands in a queue now, at least. */
    this.queueMs = 0;
    /** @type {{lateMs: number, atMs: number}[]} */
    this.late = [];
    this.isJammed = false;
    this.jammedMs = -Infinity;
    /** Where it was too much. @type {{kbit: number, atMs: number}} */
    this.ceiling = { kbit: Infinity, atMs: -Infinity };
    /** @type {{bytes: number, atMs: number}[]} */
    this.arrived = [];
    this.changedMs = -Infinity;
    this.seenMs = -Infinity;
  }

  /**
   * A batch has arrived.
   *
   * @param {{bytes: number, delayMs: number, nowMs: number}} batch  delayMs: arrival less departure, by whatever two clocks
   */
  take({ bytes, delayMs, nowMs }) {
    if (nowMs < this.jammedMs) return;
    const lateMs = delayMs - this.earliest.take(delayMs, nowMs);
    this.late.push({ lateMs, atMs: nowMs });
    while (nowMs - this.late[0].atMs > STANDING_MS && this.late.length > 3) this.late.shift();
    this.queueMs = Math.min(...this.late.map((one) => one.lateMs));
    this.arrived.push({ bytes, atMs: nowMs });
    while (nowMs - this.arrived[0].atMs > WINDOW_MS) this.arrived.shift();
    if (this.queueMs > JAM_MS) this.isJammed = true;
    else if (this.queueMs < CALM_MS) this.isJammed = false;
    if (this.queueMs > QUEUE_MS) this.less(this.arrivedKbit(nowMs), nowMs);
    else if (this.queueMs < CALM_MS) this.more(nowMs);
    this.seenMs = nowMs;
  }

  /** Nothing arrives: no picture until what arrives from now on has said how it is. @param {number} nowMs */
  jam(nowMs) {
    if (this.isJammed) return;
    this.isJammed = true;
    this.jammedMs = nowMs;
    this.late = [];
  }

  /** @param {number} nowMs */
  arrivedKbit(nowMs) {
    const bytes = this.arrived.reduce((sum, one) => sum + one.bytes, 0);
    return (bytes * 8) / Math.max(WINDOW_MS / 2, nowMs - this.arrived[0]?.atMs || 0);
  }

  /**
   * @param {number} arrivedKbit
   * @param {number} nowMs
   */
  less(arrivedKbit, nowMs) {
    if (nowMs - this.changedMs < SETTLE_MS) return;
    this.changedMs = nowMs;
    this.ceiling = { kbit: Math.max(this.leastKbit, Math.min(this.kbit, arrivedKbit)), atMs: nowMs };
    this.kbit = Math.max(this.leastKbit, this.queueMs > JAM_MS ? 0 : this.kbit * HALF, Math.min(this.kbit, arrivedKbit) * BACK_OFF);
  }

  /** The server has asked us to send less. @param {number} nowMs */
  refused(nowMs) {
    this.less(this.kbit, nowMs);
  }

  /** @param {number} nowMs */
  more(nowMs) {
    // What is not used has not been tried.
    if (this.arrivedKbit(nowMs) < this.kbit * 0.5 || nowMs - this.changedMs < SETTLE_MS) return;
    const seconds = Math.min(0.2, Math.max(0, nowMs - this.seenMs) / 1000);
    const isNear = nowMs - this.ceiling.atMs < FORGET_MS && this.kbit > this.ceiling.kbit * 0.75;
    this.kbit = Math.min(this.mostKbit, this.kbit * (1 + (isNear ? GROWTH.slow : GROWTH.fast) * seconds));
  }
}
