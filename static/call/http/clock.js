// One clock for sound and picture. Each device stamps its frames by a clock of its own, that begins anywhere and runs a little
// fast or slow; a frame reaches us late by what is never less than nothing. The earliest ones show how the clocks stand. Pure.

const SPAN_MS = 4000;

export class Earliest {
  constructor() {
    /** @type {{least: number, sinceMs: number}} */
    this.now = { least: Infinity, sinceMs: -Infinity };
    this.before = Infinity;
  }

  /**
   * The least value of the last seconds, this one included.
   *
   * @param {number} value
   * @param {number} nowMs
   */
  take(value, nowMs) {
    if (nowMs - this.now.sinceMs > SPAN_MS) {
      this.before = this.now.least;
      this.now = { least: value, sinceMs: nowMs };
    }
    this.now.least = Math.min(this.now.least, value);
    return this.least;
  }

  get least() {
    return Math.min(this.now.least, this.before);
  }
}

export class DeviceClock {
  constructor() {
    this.offset = new Earliest();
    this.last = -Infinity;
  }

  /**
   * @param {number} stampMs  by the device's clock
   * @param {number} nowMs    when it has reached us
   * @returns {number} when it was captured, by our clock; always later than the one before
   */
  capturedMs(stampMs, nowMs) {
    this.last = Math.max(this.last + 0.001, stampMs + this.offset.take(nowMs - stampMs, nowMs));
    return this.last;
  }
}
