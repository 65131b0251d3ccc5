// Who speaks, from how loud each is heard: calm enough that a cough does not turn the picture. Pure; time comes in.

/** Of full scale; below it, it is the room. */
const HEARD = 0.02;
/** A pause between two words is still speaking. */
const PAUSE_MS = 900;
/** So long one speaks before the picture turns to them, while another has it. */
const TURN_MS = 700;
const MUTED_MS = 700;
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
    /** @type {{muted: number, silent: number}} when it began; Infinity: it has not */
    this.since = { muted: Infinity, silent: Infinity };
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
    const facts = { muted: isMuted && level >= HEARD * 2, silent: !isMuted && level < DEAD };
    const patience = { muted: MUTED_MS, silent: SILENT_MS };
    for (const what of /** @type {const} */ (["muted", "silent"])) {
      this.since[what] = facts[what] ? Math.min(this.since[what], nowMs) : Infinity;
      if (nowMs - this.since[what] < patience[what] || nowMs - (this.told[what] ?? -Infinity) < AGAIN_MS) continue;
      this.told[what] = nowMs;
      return what;
    }
    return null;
  }
}
