// Chunks that come out of order, because several requests are under way at once, put in order again. Pure; time comes in.

/** Numbers differ by less than this: whoever restarts begins far ahead. */
const FAR = 5000;

/** @template T */
export class Order {
  /**
   * @param {{patienceMs?: number}} [options]  patienceMs: how long to wait for what is missing; Infinity: it comes for certain
   */
  constructor({ patienceMs = 250 } = {}) {
    this.patienceMs = patienceMs;
    /** Up to which everything was taken or given up; 0 before the first. */
    this.after = 0;
    /** @type {Map<number, {item: T, atMs: number}>} */
    this.waiting = new Map();
    this.lost = 0;
  }

  /**
   * @param {number} n
   * @param {T} item
   * @param {number} nowMs
   * @param {boolean} [isStart]  those before it need not be waited for
   */
  add(n, item, nowMs, isStart = false) {
    if (n <= this.after) return;
    this.waiting.set(n, { item, atMs: nowMs });
    const jumps = this.after === 0 ? isStart : isStart || n - this.after > FAR;
    if (jumps) this.skip(n - 1);
  }

  /** @param {number} n  what came up to here will not come any more */
  skip(n) {
    if (n <= this.after) return;
    this.after = n;
    for (const one of this.waiting.keys()) if (one <= n) this.waiting.delete(one);
  }

  /**
   * What can be taken now.
   *
   * @param {number} nowMs
   * @returns {{items: T[], lost: boolean}} lost: some before these are missing for good
   */
  take(nowMs) {
    let lost = false;
    if (!this.waiting.has(this.after + 1)) {
      const first = Math.min(...this.waiting.keys());
      const oldest = this.waiting.get(first);
      if (!oldest || nowMs - oldest.atMs < this.patienceMs) return { items: [], lost };
      this.lost += first - 1 - this.after;
      this.after = first - 1;
      lost = true;
    }
    /** @type {T[]} */
    const items = [];
    for (let next = this.waiting.get(this.after + 1); next; next = this.waiting.get(this.after + 1)) {
      this.after += 1;
      this.waiting.delete(this.after);
      items.push(next.item);
    }
    return { items, lost };
  }
}
