// The host's own link to the room: a new one, after which the old one opens nothing any more.

import { call } from "./api.js";
import { copyFrom } from "./copy.js";
import { announce, find } from "./dom.js";
import { remember } from "./hosts.js";
import { t } from "./text.js";
import { wordsOf } from "./words.js";

export class HostLink {
  /**
   * @param {string} room
   * @param {string} title
   * @param {string | null} key  null: this browser has none, and cannot make another
   */
  constructor(room, title, key) {
    this.room = room;
    this.title = title;
    this.key = key;
    this.button = find("[data-testid=new-host-link]");
    this.shown = /** @type {HTMLInputElement} */ (find("[data-testid=host-link]"));
    this.button.hidden = key === null;
    this.button.addEventListener("click", () => void this.renew());
  }

  async renew() {
    this.button.disabled = true;
    try {
      const made = await call("POST", `/rooms/${this.room}/host-key`, { token: this.key ?? "", body: {} });
      this.key = made.host_key;
      remember({ room: this.room, title: this.title, hostKey: made.host_key, at: Date.now() });
      this.shown.value = new URL(`/r/${this.room}#host=${encodeURIComponent(made.host_key)}`, location.href).href;
      this.shown.hidden = false;
      await copyFrom(this.shown, t("settings.host-link.copied"));
    } catch (error) {
      announce(wordsOf(error));
    } finally {
      this.button.disabled = false;
    }
  }
}
