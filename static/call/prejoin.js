// Before the call: see oneself, hear that the microphone hears, choose devices, say a name.

import { pause } from "./backoff.js";
import { choose, chosenIn } from "./choices.js";
import { announce, find, setIcon } from "./dom.js";
import { offer, processingOf } from "./devices.js";
import * as media from "./media.js";
import { t } from "./text.js";

const NAME = "letterbox.name";
/** How long a quick Join waits for the camera before it says what it waits for. */
const ASK_MS = 3000;

/** @typedef {{name: string, stream: MediaStream, microphone: boolean, camera: boolean, answer: string}} Ready */

export class Prejoin {
  /** @param {(ready: Ready) => Promise<void>} onJoin */
  constructor(onJoin) {
    this.onJoin = onJoin;
    this.root = find("#prejoin");
    this.stream = new MediaStream();
    this.wanted = { microphone: true, camera: true };
    this.chosen = chosenIn(localStorage);
    this.metering = new AbortController();
    this.isOpen = false;
    this.wasTold = false;
    this.form = find("#join-form");
    this.name = find("[data-testid=name-input]");
    // Typed before we came: it stays.
    this.name.value ||= localStorage.getItem(NAME) || "";
    this.form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      void this.join(event.submitter instanceof HTMLButtonElement ? event.submitter.value : "");
    });
    find("#choose-sink").addEventListener("change", (/** @type {any} */ event) => (this.chosen = choose(localStorage, { sink: event.target.value })));
    find("[data-testid=ring]").addEventListener("click", () => void media.ring(find("#choose-sink").value).catch(() => announce(t("device.no-sound"))));
    find("#preview-mute").addEventListener("click", () => this.toggle("microphone"));
    find("#preview-camera").addEventListener("click", () => this.toggle("camera"));
    for (const kind of ["audio", "video"]) {
      find(`#choose-${kind}`).addEventListener("change", (/** @type {any} */ event) => this.choose(kind, event.target.value));
    }
  }

  /** Show the preview. Opposite: hide(). */
  async show() {
    this.root.hidden = false;
    find("[data-testid=join]").disabled = false;
    await this.open();
  }

  hide() {
    this.root.hidden = true;
    this.metering.abort();
  }

  /** Open the devices; join() waits for it, however quick one is. */
  open() {
    this.isOpen = false;
    this.opening = this.openDevices().finally(() => (this.isOpen = true));
    return this.opening;
  }

  /**
   * Whether one may go in now. A browser that asks for permission may be left without an answer: then say so, once; who
   * presses again comes without camera and microphone.
   *
   * @returns {Promise<boolean>}
   */
  async devicesSettled() {
    await Promise.race([this.opening, pause(ASK_MS)]);
    if (this.isOpen || this.wasTold) return true;
    this.wasTold = true;
    this.tell(t("device.asking.title"), t("device.asking.help"));
    return false;
  }

  /** @returns {Promise<void>} */
  async openDevices() {
    media.close(this.stream);
    const { stream, problems } = await media.open({ audio: this.chosen.audio, video: this.chosen.video, processing: processingOf(this.chosen) });
    if (Object.keys(problems).length > 0 && (this.chosen.audio || this.chosen.video)) {
      // A device chosen last time may be gone: any will do.
      media.close(stream);
      this.chosen = { ...this.chosen, audio: "", video: "" };
      return this.openDevices();
    }
    this.stream = stream;
    this.apply();
    this.explain(problems);
    await this.listDevices();
  }

  /** Draw what is on and what is off. */
  apply() {
    const [video] = this.stream.getVideoTracks();
    const [audio] = this.stream.getAudioTracks();
    for (const track of this.stream.getAudioTracks()) track.enabled = this.wanted.microphone;
    for (const track of this.stream.getVideoTracks()) track.enabled = this.wanted.camera;
    const preview = find("#preview");
    preview.srcObject = video ? new MediaStream([video]) : null;
    find("#preview-off").hidden = Boolean(video && this.wanted.camera);
    setIcon(find("#preview-mute"), this.wanted.microphone && audio ? "mic" : "mic-off", t(this.wanted.microphone ? "controls.mute" : "controls.unmute"));
    setIcon(find("#preview-camera"), this.wanted.camera && video ? "video" : "video-off", t(this.wanted.camera ? "controls.camera-off" : "controls.camera-on"));
    find("#preview-mute").setAttribute("aria-pressed", String(!this.wanted.microphone));
    find("#preview-camera").setAttribute("aria-pressed", String(!this.wanted.camera));
    this.metering.abort();
    this.metering = new AbortController();
    if (audio) media.meter(audio, (level) => find("#level").style.setProperty("--level", String(this.wanted.microphone ? level : 0)), this.metering.signal);
  }

  /** @param {"microphone" | "camera"} what */
  toggle(what) {
    this.wanted[what] = !this.wanted[what];
    this.apply();
  }

  /** @param {media.Opened["problems"]} problems */
  explain(problems) {
    const notice = find("#device-problem");
    const problem = problems.audio ?? problems.video;
    notice.hidden = !problem;
    if (!problem) return;
    const both = problems.audio && problems.video;
    const which = both ? "both" : problems.audio ? "microphone" : "camera";
    this.tell(t(`device.${problem}.title`, { device: t(`device.${which}`) }), t(`device.${problem}.help`, { address: location.host }));
  }

  /**
   * @param {string} title
   * @param {string} help
   */
  tell(title, help) {
    const notice = find("#device-problem");
    notice.hidden = false;
    find("strong", notice).textContent = title;
    find("p", notice).textContent = help;
  }

  async listDevices() {
    const found = await media.devices();
    offer(find("#choose-sink"), found, "audiooutput", this.chosen.sink);
    find("#speaker-choice").hidden = find("#choose-sink").options.length < 1;
    for (const kind of ["audio", "video"]) {
      const select = find(`#choose-${kind}`);
      select.closest("label").hidden = offer(select, found, kind === "audio" ? "audioinput" : "videoinput", "") < 1;
      const [track] = kind === "audio" ? this.stream.getAudioTracks() : this.stream.getVideoTracks();
      const current = track?.getSettings().deviceId;
      if (current) select.value = current;
    }
  }

  /**
   * @param {string} kind
   * @param {string} id
   */
  async choose(kind, id) {
    this.chosen = choose(localStorage, { [kind]: id });
    await this.open();
  }

  /** The room has a code, and we have not said the right one. */
  askCode() {
    find("#code-field").hidden = false;
    find("[data-testid=code-input]").focus();
  }

  get code() {
    return find("[data-testid=code-input]").value.trim();
  }

  /** @param {string} [answer]  the value of the button that was pressed */
  async join(answer = "") {
    const name = this.name.value.trim();
    if (!name) {
      this.name.focus();
      announce(t("prejoin.name-needed"));
      return;
    }
    localStorage.setItem(NAME, name);
    const buttons = [find("[data-testid=join]"), find("[data-testid=join-unrecorded]")];
    for (const button of buttons) button.disabled = true;
    try {
      if (!(await this.devicesSettled())) return;
      await this.onJoin({ name, stream: this.stream, microphone: this.wanted.microphone, camera: this.wanted.camera, answer });
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  }
}
