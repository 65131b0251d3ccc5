// The host's dialog to bring captions that were made elsewhere: a WebVTT file.

import { call } from "../call/api.js";
import { announce, find } from "../call/dom.js";
import { t } from "../call/text.js";
import { wordsOf } from "../call/words.js";

export class Captions {
  /**
   * @param {string} hostKey
   * @param {() => void} onBrought
   */
  constructor(hostKey, onBrought) {
    this.hostKey = hostKey;
    this.onBrought = onBrought;
    this.recording = "";
    this.dialog = /** @type {HTMLDialogElement} */ (find("#captions"));
    this.form = /** @type {HTMLFormElement} */ (find("#bring-captions"));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.bring();
    });
  }

  /** @param {string} recording */
  open(recording) {
    this.recording = recording;
    this.form.reset();
    find("[name=language]", this.form).value = document.documentElement.lang;
    find("#captions-problem").hidden = true;
    this.dialog.showModal();
  }

  async bring() {
    const fields = new FormData(this.form);
    const problem = find("#captions-problem");
    problem.hidden = true;
    try {
      const text = await /** @type {File} */ (fields.get("file")).text();
      const body = { text, language: String(fields.get("language")).trim() };
      await call("POST", `/recordings/${this.recording}/captions`, { token: this.hostKey, body });
      this.dialog.close();
      announce(t("captions.brought"));
      this.onBrought();
    } catch (error) {
      problem.hidden = false;
      problem.textContent = wordsOf(error);
    }
  }
}
