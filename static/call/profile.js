// What this network lets a request do, learnt from how our polls end: how long it may hang before something cuts it, whether
// something repeats it. Pure; the page remembers it for the next visit.

/**
 * @typedef {object} Remembered
 * @property {number | null} cutS     after how many seconds this network cuts a quiet request
 * @property {number} replays         how often something between has sent a request again
 * @property {boolean | null} buffers whether something between keeps whole answers; null: nobody has looked
 */

/** A request that ends so soon was refused or lost: it says nothing of how long one may hang. */
const SOON_S = 2;
/** Of the time a network allows, how much we use. */
const SAFE = 0.8;
/** A cut seen once may have been an accident: after so many quiet polls we try longer again. */
const QUIET_POLLS = 3;
/** Below this a parked request is not worth parking. */
const SHORTEST_S = 2;
/** How long to wait between polls where none may hang, seconds. */
export const SHORT_PAUSE_S = 0.7;

export class Profile {
  /**
   * @param {number} mostS                     as long as the server would hold a poll
   * @param {Partial<Remembered>} [remembered] from the last visit
   */
  constructor(mostS, { cutS = null, replays = 0, buffers = null } = {}) {
    this.mostS = mostS;
    this.cutS = cutS;
    this.replays = replays;
    this.buffers = buffers;
    /** Seen more than once: no accident. */
    this.certain = cutS !== null;
    this.quiet = 0;
    this.silences = 0;
    this.holdS = this.safeS();
  }

  /** @returns {"long" | "short"} */
  get mode() {
    return this.holdS === 0 ? "short" : "long";
  }

  /** @returns {Remembered | null}  what is worth keeping, null when nothing is certain */
  get toRemember() {
    const cutS = this.certain ? this.cutS : null;
    return cutS === null && this.replays === 0 && this.buffers === null ? null : { cutS, replays: this.replays, buffers: this.buffers };
  }

  /** How long a poll may hang for all we know, whole seconds; 0: not at all. */
  safeS() {
    if (this.cutS === null) return this.mostS;
    const safe = Math.floor(this.cutS * SAFE);
    return safe < SHORTEST_S ? 0 : Math.min(this.mostS, safe);
  }

  /**
   * A poll got no answer of the server's: something between ended it.
   *
   * @param {number} seconds  after how long
   */
  cut(seconds) {
    if (seconds < SOON_S) return;
    this.certain = this.cutS !== null && Math.abs(seconds - this.cutS) <= Math.max(1, this.cutS * 0.2);
    this.cutS = Math.round(seconds * 10) / 10;
    this.quiet = 0;
    this.holdS = this.safeS();
  }

  /** A poll hung for longer than it may, and nothing came: not even an end. Some networks forget a quiet connection. */
  silent() {
    this.silences += 1;
    if (this.silences < 2) return;
    this.silences = 0;
    this.cut(Math.max(SOON_S, this.holdS / 2 / SAFE));
  }

  /**
   * The server has answered.
   *
   * @param {number} askedS   how long it might have held the poll
   * @param {boolean} isFull  it had nothing to say for all that time
   * @param {number} [cutS]   the poll came to it twice, the first time cut after so many seconds
   */
  answered(askedS, isFull, cutS) {
    this.silences = 0;
    if (cutS !== undefined) {
      this.replays += 1;
      this.cut(cutS);
      return;
    }
    if (!isFull || this.cutS === null) return;
    // It was held for longer than the network is said to allow: it is another network, or it was an accident.
    if (askedS > this.cutS * 1.1) this.forget();
    else if (!this.certain && (this.quiet += 1) >= QUIET_POLLS) this.holdS = this.mostS;
  }

  /** Another network: nothing is known of it. */
  forget() {
    this.cutS = null;
    this.certain = false;
    this.quiet = 0;
    this.silences = 0;
    this.holdS = this.mostS;
  }
}

// -- from one visit to the next ------------------------------------------------------------------------------------------------

const KEY = "letterbox.network";
const KEPT_MS = 7 * 24 * 3600 * 1000;

/** @returns {Partial<Remembered>} */
export function remembered() {
  try {
    const { at, ...profile } = JSON.parse(localStorage.getItem(KEY) || "{}");
    return Date.now() - at < KEPT_MS ? profile : {};
  } catch {
    return {};
  }
}

/** @param {Remembered | null} profile */
export function remember(profile) {
  try {
    if (profile) localStorage.setItem(KEY, JSON.stringify({ ...profile, at: Date.now() }));
    else localStorage.removeItem(KEY);
  } catch {
    // Storage may be full or forbidden: the next visit learns it again.
  }
}
