// Looks at the running call again and again: who speaks, how good each connection is, whether our own microphone is heard.

import { OURS, Steady, countsOf, judge } from "./link.js";
import { meter } from "./media.js";
import { MicrophoneHints, Speakers } from "./speaking.js";

const LISTEN_MS = 200;
const LOOK_MS = 2500;

export class Watch {
  /**
   * @param {import("./room.js").Room} room
   * @param {object} on
   * @param {(speaking: Set<string>, recent: string[]) => void} on.speaking
   * @param {(id: string, verdict: import("./link.js").Verdict, cause: import("./link.js").Cause | null, figure: number) => void} on.link
   * @param {(hint: "muted" | "silent") => void} on.hint
   */
  constructor(room, on) {
    this.room = room;
    this.on = on;
    this.speakers = new Speakers();
    this.hints = new MicrophoneHints();
    /** @type {Map<string, ReturnType<typeof countsOf>>} at the last look */
    this.counts = new Map();
    /** @type {Map<string, Steady>} */
    this.steady = new Map();
    this.level = 0;
    this.metering = new AbortController();
    /** @type {MediaStreamTrack | undefined} */
    this.heard = undefined;
  }

  /** Opposite: stop(). */
  start() {
    this.stop();
    this.listening = setInterval(() => this.listen(), LISTEN_MS);
    this.looking = setInterval(() => void this.look(), LOOK_MS);
  }

  stop() {
    clearInterval(this.listening);
    clearInterval(this.looking);
    this.hear(undefined);
  }

  /**
   * Our own microphone. A copy of the track is heard even while the one that is sent is muted.
   *
   * @param {MediaStreamTrack | undefined} track
   */
  hear(track) {
    this.metering.abort();
    this.metering = new AbortController();
    this.level = 0;
    this.heard = track;
    if (!track) return;
    const copy = track.clone();
    copy.enabled = true;
    this.metering.signal.addEventListener("abort", () => copy.stop());
    meter(copy, (level) => (this.level = level), this.metering.signal);
  }

  listen() {
    const isMuted = !this.room.mediaState.microphone;
    /** @type {Map<string, number>} */
    const levels = new Map();
    for (const id of this.room.peers.keys()) levels.set(id, this.room.levelOf(id));
    // meter() has made it four times as large, for the eye.
    if (this.room.me) levels.set(this.room.me.id, isMuted ? 0 : this.level / 4);
    this.on.speaking(this.speakers.take(levels, Date.now()), this.speakers.recent);
    const isOpen = this.heard?.readyState === "live" && !this.heard.muted;
    const hint = isOpen ? this.hints.take(this.level / 4, isMuted, Date.now()) : null;
    if (hint) this.on.hint(hint);
  }

  async look() {
    /** @type {ReturnType<typeof judge>[]} */
    const ours = [];
    for (const [id, peer] of this.room.peers) {
      if (peer.options.toRecorder || peer.state !== "connected") continue;
      const counts = countsOf(/** @type {any} */ (await peer.connection.getStats()));
      const before = this.counts.get(id);
      this.counts.set(id, counts);
      if (!before) continue;
      this.tell(id, judge(counts, before));
      ours.push(judge(counts, before, OURS));
    }
    if (ours.length > 0 && this.room.me) this.tell(this.room.me.id, ours.find(({ cause }) => cause) ?? ours[0]);
  }

  /**
   * @param {string} id
   * @param {ReturnType<typeof judge>} seen
   */
  tell(id, { verdict, cause, figure }) {
    const steady = this.steady.get(id) ?? new Steady();
    this.steady.set(id, steady);
    const shown = steady.take(verdict);
    // What is not bad enough any more has no cause to tell.
    if (shown === "good" || cause) this.on.link(id, shown, shown === "good" ? null : cause, figure);
  }

  /** @param {string} id  who has left */
  forget(id) {
    this.speakers.forget(id);
    this.counts.delete(id);
    this.steady.delete(id);
  }
}
