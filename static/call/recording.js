// The red banner everyone sees, and the host's control.

import { announce, find, setIcon, setLines } from "./dom.js";
import { duration, t } from "./text.js";

/** @typedef {import("./room.js").Recording} Recording */
/** @typedef {import("./room.js").Alarm} Alarm */

/** Worth interrupting for; the banner says the rest. */
const SPOKEN = new Set(["recording", "paused", "failed"]);
const RUNNING = new Set(["requested", "starting", "recording", "paused", "stopping"]);

export class RecordingControl {
  /**
   * @param {(action: "start" | "stop" | "pause" | "resume" | "mark") => void} onAction
   * @param {(participant: string) => string} nameOf
   */
  constructor(onAction, nameOf) {
    this.nameOf = nameOf;
    /** @type {import("./powers.js").Powers} */
    this.powers = "none";
    /** @type {Recording | null} */
    this.recording = null;
    find("[data-testid=record-start]").addEventListener("click", () => onAction("start"));
    find("[data-testid=record-stop]").addEventListener("click", () => onAction("stop"));
    find("[data-testid=record-mark]").addEventListener("click", () => onAction("mark"));
    find("[data-testid=record-pause]").addEventListener("click", () => onAction(this.recording?.wanted === "paused" ? "resume" : "pause"));
    setInterval(() => this.tick(), 1000);
  }

  get isRunning() {
    return this.recording !== null && RUNNING.has(this.recording.state);
  }

  /**
   * @param {Recording | null} recording
   * @param {{label: string, by: string}} [mark]
   * @param {Alarm[]} [alarms]  to hosts: all there are now, when they have changed
   */
  show(recording, mark, alarms) {
    const before = this.recording?.state;
    this.recording = recording;
    const banner = find("[data-testid=recording-banner]");
    banner.hidden = !this.isRunning;
    const state = recording?.waiting?.why === "interrupted" ? "interrupted" : (recording?.state ?? "");
    banner.dataset.state = state;
    document.body.classList.toggle("is-recorded", state === "recording");
    this.showButtons();
    if (recording) {
      find("#recording-text").textContent = t(`recording.${state}`, { by: recording.by });
      find("#recording-reason").textContent = this.isRunning ? reasonOf(recording.waiting) : "";
      const paused = recording.wanted === "paused";
      setIcon(find("[data-testid=record-pause]"), paused ? "play" : "pause", t(paused ? "recording.resume" : "recording.pause"));
      if (recording.state !== before && SPOKEN.has(recording.state)) announce(t(`recording.${recording.state}`, { by: recording.by }));
    }
    if (alarms || !this.isRunning) this.warn(alarms ?? []);
    if (mark) announce(t("recording.marked", { by: mark.by }));
    this.tick();
  }

  /** @param {(text: string) => void} heard  given the words that stood there */
  onChangeOfMind(heard) {
    const button = find("[data-testid=consent-change]");
    button.addEventListener("click", () => heard(`${find("#recording-text").textContent}. ${button.textContent}`));
  }

  /**
   * Beside the words that say who records: a change of mind, at any time.
   *
   * @param {import("./consent.js").Answer | null} answer  ours
   */
  showAnswer(answer) {
    const button = find("[data-testid=consent-change]");
    button.hidden = !answer;
    button.textContent = t(answer === "given" ? "consent.stop-me" : "consent.record-me");
  }

  /** @param {import("./powers.js").Powers} powers */
  allow(powers) {
    this.powers = powers;
    this.showButtons();
  }

  get mayMark() {
    return this.isRunning && this.powers !== "none";
  }

  showButtons() {
    find("[data-testid=record-start]").hidden = this.isRunning;
    for (const name of ["stop", "pause", "mark"]) find(`[data-testid=record-${name}]`).hidden = !this.isRunning;
    find("#host-recording").hidden = !(this.powers === "all" || this.mayMark);
  }

  /** @param {Alarm[]} alarms */
  warn(alarms) {
    const notice = find("[data-testid=recording-alarms]");
    notice.hidden = alarms.length === 0;
    setLines(
      find("ul", notice),
      alarms.map((alarm) => this.wordsOf(alarm)),
    );
  }

  /** @param {Alarm} alarm */
  wordsOf({ kind, participant = "", source = "", since_ms: sinceMs = 0, percent = 0 }) {
    const time = new Date(sinceMs).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    return t(`alarm.${kind}`, { name: this.nameOf(participant), source: t(`source.${source}`), time, percent });
  }

  tick() {
    const since = this.recording?.started_at_ms;
    find("#recording-time").textContent = since && this.isRunning ? duration(Date.now() - since) : "";
  }
}

/**
 * Why it does not record yet, or any more, and about when it will.
 *
 * @param {import("./room.js").Waiting | null | undefined} waiting
 */
function reasonOf(waiting) {
  if (!waiting) return "";
  const minutes = Math.max(1, Math.round((waiting.starts_in_s ?? 0) / 60));
  if (waiting.why === "busy" && waiting.starts_in_s) return t(minutes === 1 ? "waiting.busy-soon" : "waiting.busy-until", { minutes, place: waiting.place ?? 1 });
  return t(`waiting.${waiting.why}`);
}
