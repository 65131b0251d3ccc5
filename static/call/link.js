// How good the connection with one person is, and what is to blame, from its statistics (W3C webrtc-stats). Pure.

/**
 * @typedef {"good" | "fair" | "poor"} Verdict
 * @typedef {"loss" | "loss-out" | "delay" | "frozen" | "cpu" | "bandwidth"} Cause
 * @typedef {object} Counts  totals, as the browser counts them
 * @property {number} received         packets
 * @property {number} lost
 * @property {number} frozenS
 * @property {number} limitedCpuS      seconds in which this machine was too slow to send more
 * @property {number} limitedNetworkS  seconds in which the network let no more through
 * @property {number} atMs
 */

/** What lies with this machine and its network, and is the same towards everybody. */
export const OURS = /** @type {Cause[]} */ (["cpu", "bandwidth"]);
export const THEIRS = /** @type {Cause[]} */ (["loss", "loss-out", "delay", "frozen"]);

/** From where on it is fair, and poor. */
const BOUNDS = /** @type {const} */ ({
  loss: [2, 7], // percent of what they send
  "loss-out": [2, 7], // percent of what we send
  delay: [350, 800], // milliseconds there and back
  frozen: [5, 20], // percent of the time
  cpu: [50, 101], // percent of the time; it only makes our picture smaller
  bandwidth: [50, 101],
});

/**
 * @param {Map<string, any>} reports  of getStats()
 * @returns {Counts & {delayMs: number, lossOutPercent: number}}
 */
export function countsOf(reports) {
  const found = { received: 0, lost: 0, frozenS: 0, limitedCpuS: 0, limitedNetworkS: 0, atMs: 0, delayMs: 0, lossOutPercent: 0 };
  for (const report of reports.values()) {
    found.atMs = Math.max(found.atMs, report.timestamp ?? 0);
    if (report.type === "inbound-rtp") {
      found.received += report.packetsReceived ?? 0;
      found.lost += Math.max(0, report.packetsLost ?? 0);
      found.frozenS += report.totalFreezesDuration ?? 0;
    } else if (report.type === "outbound-rtp") {
      found.limitedCpuS += report.qualityLimitationDurations?.cpu ?? 0;
      found.limitedNetworkS += report.qualityLimitationDurations?.bandwidth ?? 0;
    } else if (report.type === "remote-inbound-rtp") {
      found.lossOutPercent = Math.max(found.lossOutPercent, 100 * (report.fractionLost ?? 0));
    } else if (report.type === "candidate-pair" && report.nominated) {
      found.delayMs = Math.max(found.delayMs, 1000 * (report.currentRoundTripTime ?? 0));
    }
  }
  return found;
}

/**
 * @param {ReturnType<typeof countsOf>} now
 * @param {Counts} before    at the last look
 * @param {Cause[]} [causes] to look for
 * @returns {{verdict: Verdict, cause: Cause | null, figure: number}} figure: of the cause, in its unit, rounded
 */
export function judge(now, before, causes = THEIRS) {
  const seconds = (now.atMs - before.atMs) / 1000;
  if (seconds <= 0) return { verdict: "good", cause: null, figure: 0 };
  const received = now.received - before.received;
  const lost = Math.max(0, now.lost - before.lost);
  const part = (/** @type {number} */ some) => Math.min(100, Math.max(0, (100 * some) / seconds));
  /** @type {Record<Cause, number>} */
  const figures = {
    loss: received + lost > 0 ? (100 * lost) / (received + lost) : 0,
    "loss-out": now.lossOutPercent,
    delay: now.delayMs,
    frozen: part(now.frozenS - before.frozenS),
    cpu: part(now.limitedCpuS - before.limitedCpuS),
    bandwidth: part(now.limitedNetworkS - before.limitedNetworkS),
  };
  for (const [level, verdict] of /** @type {const} */ ([[1, "poor"], [0, "fair"]])) {
    const cause = causes.find((one) => figures[one] >= BOUNDS[one][level]);
    if (cause) return { verdict, cause, figure: Math.round(figures[cause]) };
  }
  return { verdict: "good", cause: null, figure: 0 };
}

/**
 * A tile that flickers between two verdicts tells nobody anything: worse is said at the second look, better at the third.
 */
export class Steady {
  constructor() {
    /** @type {Verdict} */
    this.verdict = "good";
    this.streak = 0;
  }

  /**
   * @param {Verdict} seen
   * @returns {Verdict} to be shown
   */
  take(seen) {
    const order = ["good", "fair", "poor"];
    this.streak = seen === this.verdict ? 0 : this.streak + 1;
    if (this.streak < (order.indexOf(seen) > order.indexOf(this.verdict) ? 2 : 3)) return this.verdict;
    this.streak = 0;
    this.verdict = seen;
    return seen;
  }
}
