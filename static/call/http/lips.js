// Lips and voice: pictures are held back until the sound of their moment is played; sound that would be ahead of them waits. Pure.

/** So much before the sound of its moment leaves the mixer a picture may be seen, the loudspeaker's share included. Measured (`make
 * bench-http`), a picture is seen some 30 ms before it is heard: cameras take that longer than microphones, and it costs no delay. */
const AHEAD_MS = 60;
/** Of what is heard, the way from the mixer to the loudspeaker. */
const SPEAKER_MS = 15;
/** So late pictures make the sound wait. */
const LATE_MS = 15;
const MOST_EXTRA_MS = 250;
/** Sound that is further behind than it can be is no measure. */
const MOST_WAIT_MS = 1500;

export class Lips {
  constructor() {
    /** Which moment is heard at a time of ours. @type {{playingMs: number, atMs: number} | null} */
    this.sound = null;
    this.extraMs = 0;
    /** Pictures less sound, smoothed; positive: the picture is late. */
    this.lateMs = 0;
  }

  /**
   * @param {number | null} playingMs  what is being played; null: nothing
   * @param {number} nowMs
   */
  hear(playingMs, nowMs) {
    this.sound = playingMs === null ? null : { playingMs: playingMs - SPEAKER_MS, atMs: nowMs };
  }

  /**
   * How long to hold a picture back.
   *
   * @param {number} capturedMs  by its sender's clock
   * @param {number} nowMs
   */
  waitMs(capturedMs, nowMs) {
    const heard = this.heardAt(nowMs);
    const waitMs = heard === null ? 0 : Math.max(0, capturedMs - heard - AHEAD_MS);
    return waitMs > MOST_WAIT_MS ? 0 : waitMs;
  }

  /** @param {number} nowMs @returns {number | null} the moment that is heard then */
  heardAt(nowMs) {
    return this.sound && nowMs - this.sound.atMs < 1000 ? this.sound.playingMs + nowMs - this.sound.atMs : null;
  }

  /**
   * A picture is shown.
   *
   * @param {number} capturedMs
   * @param {number} nowMs
   * @returns {number} how much longer than it needs the sound is to wait
   */
  shown(capturedMs, nowMs) {
    const heard = this.heardAt(nowMs);
    if (heard === null) return this.extraMs;
    this.lateMs += (heard - capturedMs - this.lateMs) * 0.05;
    const step = this.lateMs > LATE_MS ? 0.5 : this.lateMs < LATE_MS / 2 ? -0.1 : 0;
    this.extraMs = Math.max(0, Math.min(MOST_EXTRA_MS, this.extraMs + step));
    return this.extraMs;
  }
}
