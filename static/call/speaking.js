// Who speaks, from how loud each is heard: calm enough that a cough does not turn the picture. Pure; time comes in.

/** Of full scale; below it, it is the room. */
const HEARD = 0.02;
/** A pause between two words is still speaking. */
const PAUSE_MS = 900;
/** So long one speaks before the picture turns to them, while another has it. */
const TURN_MS = 700;
const MUTED_MS = 700;
/** Between two words of a sentence. */
const WORD_GAP_MS = 700;
const SILENT_MS = 10_000;
/** A hint is not repeated before. */
const AGAIN_MS = 30_000;
/** What a microphone that works never goes below: the noise of its own electronics. */
const DEAD = 0.0001;

export class Speakers {
  constructor() {
    /** @type {Map<string, {since: number, last: number}>} */
    this.heard = new Map();
    /** Who has the picture. */
    this.active = "";
    /** Who has had it, the latest first. @type {string[]} */
    this.recent = [];
  }

  /**
   * @param {Map<string, number>} levels  participant → 0 to 1
   * @param {number} nowMs
   * @returns {Set<string>} who speaks now
   */
  take(levels, nowMs) {
    for (const [id, level] of levels) {
      if (level < HEARD) continue;
      const known = this.heard.get(id);
      this.heard.set(id, { since: known && nowMs - known.last <= PAUSE_MS ? known.since : nowMs, last: nowMs });
    }
    const speaking = new Set([...this.heard].filter(([id, { last }]) => levels.has(id) && nowMs - last <= PAUSE_MS).map(([id]) => id));
    this.turn(speaking);
    return speaking;
  }

  /** @param {string} id */
  spokeMs(id) {
    const heard = this.heard.get(id);
    return heard ? heard.last - heard.since : 0;
  }

  /** @param {Set<string>} speaking */
  turn(speaking) {
    if (speaking.has(this.active)) return;
    const next = [...speaking].find((id) => !this.active || this.spokeMs(id) >= TURN_MS);
    if (!next) return;
    this.active = next;
    this.recent = [next, ...this.recent.filter((id) => id !== next)];
  }

  /** @param {string} id  who has left */
  forget(id) {
    this.heard.delete(id);
    this.recent = this.recent.filter((one) => one !== id);
    if (this.active === id) this.active = "";
  }
}

/** What one's own microphone should be told of: speaking while muted, or no sound at all. */
export class MicrophoneHints {
  constructor() {
    /** Since when there is no sound at all; Infinity: there is. */
    this.silentSince = Infinity;
    /** Of one stretch of speech into a muted microphone: how much of it was loud, and until when. */
    this.muted = { spokeMs: 0, lookedMs: 0, lastMs: -Infinity };
    /** @type {Record<string, number>} */
    this.told = {};
  }

  /**
   * @param {number} level     0 to 1, of the microphone itself, muted or not
   * @param {boolean} isMuted
   * @param {number} nowMs
   * @returns {"muted" | "silent" | null} what to say now
   */
  take(level, isMuted, nowMs) {
    if (this.speaksMuted(isMuted && level >= HEARD * 2, nowMs)) return this.tell("muted", nowMs);
    this.silentSince = !isMuted && level < DEAD ? Math.min(this.silentSince, nowMs) : Infinity;
    return nowMs - this.silentSince >= SILENT_MS ? this.tell("silent", nowMs) : null;
  }

  /**
   * Words have gaps between them: what counts is what was loud since the last real pause.
   *
   * @param {boolean} isLoud
   * @param {number} nowMs
   */
  speaksMuted(isLoud, nowMs) {
    const { muted } = this;
    const sinceMs = Math.min(nowMs - muted.lookedMs, WORD_GAP_MS);
    muted.lookedMs = nowMs;
    if (isLoud) {
      muted.spokeMs = nowMs - muted.lastMs > WORD_GAP_MS ? 0 : muted.spokeMs + sinceMs;
      muted.lastMs = nowMs;
    }
    return isLoud && muted.spokeMs >= MUTED_MS;
  }

  /**
   * @template {"muted" | "silent"} Hint
   * @param {Hint} hint
   * @param {number} nowMs
   */
  tell(hint, nowMs) {
    if (nowMs - (this.told[hint] ?? -Infinity) < AGAIN_MS) return null;
    this.told[hint] = nowMs;
    return hint;
  }
}
