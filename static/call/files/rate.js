// How fast something comes, by what came in the last seconds. Pure: told the time.

const WINDOW_MS = 5000;
/** From less nothing can be said. */
const LEAST_MS = 400;

export class Rate {
  constructor() {
    /** @type {{bytes: number, atMs: number}[]} */
    this.seen = [];
  }

  /**
   * @param {number} bytes  in all
   * @param {number} atMs
   */
  add(bytes, atMs) {
    // What began anew is measured anew.
    if (bytes < (this.seen.at(-1)?.bytes ?? 0)) this.seen = [];
    this.seen.push({ bytes, atMs });
    while (this.seen.length > 2 && this.seen[1].atMs <= atMs - WINDOW_MS) this.seen.shift();
  }

  /** @returns {number | null} bytes a second; null: too early to say */
  perSecond() {
    const [first, last] = [this.seen[0], this.seen.at(-1)];
    if (!first || !last || last.atMs - first.atMs < LEAST_MS) return null;
    return ((last.bytes - first.bytes) * 1000) / (last.atMs - first.atMs);
  }

  /**
   * @param {number} size
   * @returns {number | null} seconds; null: nobody knows
   */
  leftS(size) {
    const speed = this.perSecond();
    return speed ? (size - (this.seen.at(-1)?.bytes ?? 0)) / speed : null;
  }
}
