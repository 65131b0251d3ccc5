// From what the road carries to what is sent: how often a batch leaves, how good the sound is, how large the picture. Sound is
// served first; the picture goes when nothing is left for it. Pure; time comes in.

/**
 * @typedef {{height: number, fps: number, kbit: number}} Picture
 * @typedef {{batchMs: number, sound: {kbit: number, frameMs: number}, picture: Picture | null}} Plan
 */

/** From so many kbit/s on. A face that moves is better than one that is sharp. */
const CAMERA = [
  { from: 60, height: 180, fps: 12, most: 150 },
  { from: 130, height: 270, fps: 20, most: 400 },
  { from: 420, height: 360, fps: 24, most: 700 },
  { from: 900, height: 540, fps: 25, most: 1300 },
];
/** Of a screen one wants to read. */
const SCREEN = [
  { from: 60, height: 360, fps: 4, most: 200 },
  { from: 180, height: 540, fps: 6, most: 500 },
  { from: 450, height: 720, fps: 10, most: 1200 },
];
/** What a request costs beside its body: its header, and the answer to it. */
export const HEAD_BYTES = 700;
/** Of all that is sent, as headers. */
const HEADS = 0.25;
const BATCH_MS = { least: 20, most: 120 };
/** Sealing and numbering, per packet of sound. */
const SOUND_HEAD_BITS = 59 * 8;
/** Below the one there is little sound in large packets, until there is more than the other. */
const POOR_KBIT = { below: 160, until: 220 };
/** A larger picture only when there has been room for it for so long. */
const PATIENCE_MS = 3000;
const ROOM = 1.15;
/** A machine that was too slow is not asked for more before. */
const BUSY_MS = 30_000;

/** @param {number} kbit */
const batchMs = (kbit) => Math.round(Math.min(BATCH_MS.most, Math.max(BATCH_MS.least, (HEAD_BYTES * 8) / (HEADS * kbit))));

/** @param {{kbit: number, frameMs: number}} sound */
const costOf = ({ kbit, frameMs }) => kbit + SOUND_HEAD_BITS / frameMs;

export class Ladder {
  constructor() {
    /** @type {Map<string, {step: number, roomSinceMs: number}>} camera, screen → on which step; -1: none */
    this.at = new Map();
    this.isPoor = false;
  }

  /** @param {number} kbit */
  soundFor(kbit) {
    this.isPoor = kbit < (this.isPoor ? POOR_KBIT.until : POOR_KBIT.below);
    return this.isPoor ? { kbit: 16, frameMs: 60 } : { kbit: 32, frameMs: 20 };
  }

  /**
   * @param {object} road
   * @param {number} road.kbit        what it carries
   * @param {boolean} road.isJammed
   * @param {boolean} road.isBusy     this machine is too slow for what it encodes
   * @param {string[]} road.pictures  which are wanted
   * @param {number} [road.mostHeight] larger is shown by nobody
   * @param {number} [road.limitKbit]  more gets not through to somebody
   * @param {number} nowMs
   * @returns {{batchMs: number, sound: {kbit: number, frameMs: number}, pictures: Map<string, Picture | null>}}
   */
  plan({ kbit, isJammed, isBusy, pictures, mostHeight = 540, limitKbit = Infinity }, nowMs) {
    const sound = this.soundFor(isJammed ? 0 : Math.min(kbit, limitKbit));
    const room = (/** @type {number} */ road) => road * (1 - HEADS) - costOf(sound);
    const left = room(kbit);
    const hasBoth = pictures.includes("camera") && pictures.includes("screen");
    /** @type {Map<string, Picture | null>} */
    const found = new Map();
    for (const which of pictures) {
      const share = hasBoth ? left * (which === "screen" ? 0.7 : 0.3) : left;
      found.set(which, isJammed ? null : this.step(which, Math.min(share, room(limitKbit)), isBusy, mostHeight, nowMs));
    }
    return { batchMs: batchMs(kbit), sound, pictures: found };
  }

  /**
   * @param {string} which
   * @param {number} kbit
   * @param {boolean} isBusy
   * @param {number} mostHeight
   * @param {number} nowMs
   * @returns {Picture | null}
   */
  step(which, kbit, isBusy, mostHeight, nowMs) {
    const steps = which === "screen" ? SCREEN : CAMERA;
    const most = which === "screen" ? steps.length - 1 : Math.max(0, steps.findLastIndex(({ height }) => height <= Math.max(mostHeight, 180)));
    const fits = Math.min(most, steps.findLastIndex(({ from }) => kbit >= from));
    const now = this.at.get(which) ?? { step: Math.min(fits, 1), roomSinceMs: Infinity };
    const next = steps[now.step + 1];
    if (isBusy) {
      Object.assign(now, { step: Math.min(fits, Math.max(0, now.step - 1)), roomSinceMs: nowMs + BUSY_MS });
    } else if (fits < now.step) {
      Object.assign(now, { step: fits, roomSinceMs: Infinity });
    } else if (next && fits > now.step && kbit >= next.from * ROOM) {
      if (now.roomSinceMs === Infinity) now.roomSinceMs = nowMs;
      if (nowMs - now.roomSinceMs >= PATIENCE_MS) Object.assign(now, { step: now.step + 1, roomSinceMs: Infinity });
    } else {
      now.roomSinceMs = Infinity;
    }
    this.at.set(which, now);
    if (now.step < 0) return null;
    const { height, fps, most: mostKbit } = steps[now.step];
    return { height, fps, kbit: Math.round(Math.max(40, Math.min(kbit, mostKbit))) };
  }
}
