// A host has asked for something. What makes one quieter is done, what makes one heard is a question.

import { announce, find } from "./dom.js";
import { t } from "./text.js";

/** @typedef {"microphone" | "camera"} Device */

export class Asked {
  /**
   * @param {object} own
   * @param {(device: Device) => boolean} own.isOn
   * @param {(device: Device) => Promise<void>} own.toggle
   */
  constructor(own) {
    this.own = own;
    this.banner = find("#asked");
    find("[data-testid=asked-yes]").addEventListener("click", () => this.answer(true));
    find("[data-testid=asked-no]").addEventListener("click", () => this.answer(false));
  }

  /**
   * @param {"mute" | "unmute" | "camera-off"} what
   * @param {string} by  the host's name
   */
  async take(what, by) {
    if (what === "unmute") {
      if (!this.own.isOn("microphone")) this.ask(by);
      return;
    }
    const device = what === "mute" ? "microphone" : "camera";
    if (!this.own.isOn(device)) return;
    await this.own.toggle(device);
    announce(t(`asked.${what}`, { by }));
  }

  /** @param {string} by */
  ask(by) {
    find("span", this.banner).textContent = t("asked.unmute", { by });
    this.banner.hidden = false;
  }

  /** @param {boolean} isYes */
  answer(isYes) {
    this.banner.hidden = true;
    if (isYes && !this.own.isOn("microphone")) void this.own.toggle("microphone");
  }
}
