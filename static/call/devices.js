// In the call: which camera, microphone and loudspeaker, how the microphone is treated, how much data. The dialog for it.

import { choose, chosenIn } from "./choices.js";
import { announce, find } from "./dom.js";
import * as media from "./media.js";
import { t } from "./text.js";

/** @typedef {import("./choices.js").Chosen} Chosen */

const KINDS = /** @type {const} */ ([["audio", "audioinput"], ["video", "videoinput"], ["sink", "audiooutput"]]);
const SWITCHES = /** @type {const} */ (["echoCancellation", "noiseSuppression", "autoGainControl", "blur"]);

/** @param {Chosen} chosen @returns {import("./media.js").Processing} */
export const processingOf = ({ echoCancellation, noiseSuppression, autoGainControl }) => ({ echoCancellation, noiseSuppression, autoGainControl });

/**
 * The devices of one kind as the options of a select.
 *
 * @param {HTMLSelectElement} select
 * @param {MediaDeviceInfo[]} found
 * @param {MediaDeviceKind} kind
 * @param {string} current
 * @returns {number} how many there are
 */
export function offer(select, found, kind, current) {
  const options = found.filter((one) => one.kind === kind);
  select.replaceChildren(...options.map((one, index) => new Option(one.label || t("device.number", { number: index + 1 }), one.deviceId)));
  if (options.some(({ deviceId }) => deviceId === current)) select.value = current;
  return options.length;
}

export class Devices {
  /**
   * @param {object} on
   * @param {(change: Partial<Chosen>) => Promise<void>} on.change  make it so
   * @param {() => {audio?: MediaStreamTrack, video?: MediaStreamTrack}} on.tracks  what is open now
   */
  constructor(on) {
    this.on = on;
    this.dialog = /** @type {HTMLDialogElement} */ (find("#devices"));
    find("#show-devices").addEventListener("click", () => void this.show());
    for (const [name] of KINDS) this.select(name).addEventListener("change", () => void this.change({ [name]: this.select(name).value }));
    for (const name of SWITCHES) this.box(name).addEventListener("change", () => void this.change({ [name]: this.box(name).checked }));
    for (const radio of this.radios()) radio.addEventListener("change", () => void this.change({ data: /** @type {any} */ (radio.value) }));
    find("[data-testid=ring-here]").addEventListener("click", () => void media.ring(this.select("sink").value).catch(() => announce(t("device.no-sound"))));
    navigator.mediaDevices?.addEventListener?.("devicechange", () => void this.refresh());
    this.metering = new AbortController();
    this.dialog.addEventListener("close", () => this.metering.abort());
  }

  /** @param {string} name @returns {HTMLSelectElement} */
  select(name) {
    return find(`[data-device=${name}]`, this.dialog);
  }

  /** @param {string} name @returns {HTMLInputElement} */
  box(name) {
    return find(`[name=${name}]`, this.dialog);
  }

  /** @returns {HTMLInputElement[]} */
  radios() {
    return [.../** @type {NodeListOf<HTMLInputElement>} */ (this.dialog.querySelectorAll("[name=data]"))];
  }

  async show() {
    find("#more-menu").hidePopover?.();
    this.dialog.showModal();
    await this.refresh();
    this.listen();
  }

  async refresh() {
    if (!this.dialog.open) return;
    const chosen = chosenIn(localStorage);
    const open = this.on.tracks();
    const found = await media.devices();
    for (const [name, kind] of KINDS) {
      const current = name === "sink" ? chosen.sink : open[name]?.getSettings().deviceId;
      const count = offer(this.select(name), found, kind, current ?? "");
      /** @type {HTMLElement} */ (this.select(name).closest("[data-choice]")).hidden = count < 1;
    }
    for (const name of SWITCHES) this.box(name).checked = chosen[name];
    for (const radio of this.radios()) radio.checked = radio.value === chosen.data;
    const capabilities = /** @type {any} */ (open.video?.getCapabilities?.() ?? {});
    /** @type {HTMLElement} */ (this.box("blur").closest("label")).hidden = !capabilities.backgroundBlur?.includes(true);
  }

  /** The level of one's own microphone, while the dialog is open. */
  listen() {
    this.metering.abort();
    this.metering = new AbortController();
    const { audio } = this.on.tracks();
    const bar = find(".level", this.dialog);
    bar.hidden = !audio;
    if (audio) media.meter(audio, (level) => bar.style.setProperty("--level", String(level)), this.metering.signal);
  }

  /** @param {Partial<Chosen>} change */
  async change(change) {
    choose(localStorage, change);
    await this.on.change(change);
    await this.refresh();
    this.listen();
  }
}
