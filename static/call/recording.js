// The red banner everyone sees, and the host's control.

import { announce, find, setIcon } from "./dom.js";
import { duration, t } from "./text.js";

/** @typedef {import("./room.js").Recording} Recording */

/** Worth interrupting for; the banner says the rest. */
const SPOKEN = new Set(["recording", "paused", "failed"]);
const RUNNING = new Set(["requested", "starting", "recording", "paused", "stopping"]);

export class RecordingControl {
  /**
   * @param {boolean} isHost
   * @param {(action: "start" | "stop" | "pause" | "resume" | "mark") => void} onAction
   */
  constructor(isHost, onAction) {
    /** @type {Recording | null} */
    this.recording = null;
    find("#host-recording").hidden = !isHost;
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
   */
  show(recording, mark) {
    const before = this.recording?.state;
    this.recording = recording;
    const banner = find("[data-testid=recording-banner]");
    banner.hidden = !this.isRunning;
    banner.dataset.state = recording?.state ?? "";
    document.body.classList.toggle("is-recorded", recording?.state === "recording");
    find("[data-testid=record-start]").hidden = this.isRunning;
    for (const name of ["stop", "pause", "mark"]) find(`[data-testid=record-${name}]`).hidden = !this.isRunning;
    if (recording) {
      find("#recording-text").textContent = t(`recording.${recording.state}`, { by: recording.by });
      find("#recording-reason").textContent = recording.state === "requested" ? (recording.reason ?? "") : "";
      const paused = recording.wanted === "paused";
      setIcon(find("[data-testid=record-pause]"), paused ? "play" : "pause", t(paused ? "recording.resume" : "recording.pause"));
      if (recording.state !== before && SPOKEN.has(recording.state)) announce(t(`recording.${recording.state}`, { by: recording.by }));
    }
    if (mark) announce(t("recording.marked", { by: mark.by }));
    this.tick();
  }

  tick() {
    const since = this.recording?.started_at_ms;
    find("#recording-time").textContent = since && this.isRunning ? duration(Date.now() - since) : "";
  }
}
