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

/** Half a sample more or less. */
const ROUNDING_US = 1000;

/**
 * A codec of sound counts samples from the first stamp on (as Chromium does): it knows nothing of holes, nor of clocks that
 * drift. So it is given stamps without either, and what comes out of it gets its own moment back.
 */
export class Stamps {
  constructor() {
    this.nextUs = 0;
    /** What has gone in and not come out. @type {{codecUs: number, realUs: number}[]} */
    this.inside = [];
  }

  /**
   * @param {number} realUs
   * @param {number} durationUs
   * @returns {number} the stamp for the codec
   */
  put(realUs, durationUs) {
    const codecUs = this.nextUs;
    this.nextUs += durationUs;
    this.inside.push({ codecUs, realUs });
    return codecUs;
  }

  /** @param {number} codecUs  of what has come out @returns {number} its own moment, microseconds */
  take(codecUs) {
    while (this.inside.length > 1 && this.inside[1].codecUs <= codecUs + ROUNDING_US) this.inside.shift();
    const [first] = this.inside;
    return first ? first.realUs + codecUs - first.codecUs : codecUs;
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
