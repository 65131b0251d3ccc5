// What a host may do with the others: ask, hand over, remove, end the call. The menu beside each name, and its questions.

import { find } from "./dom.js";
import { t } from "./text.js";

/** @typedef {import("./room.js").Participant} Participant */
/** @typedef {"mute" | "unmute" | "camera-off" | "host" | "guest" | "remove"} Deed */

export class HostMenu {
  /**
   * @param {object} on
   * @param {(id: string, deed: Deed) => void} on.deed
   * @param {() => void} on.end  the call, for all
   */
  constructor(on) {
    this.on = on;
    this.menu = find("#person-menu");
    /** @type {Participant | undefined} */
    this.person = undefined;
    for (const item of this.menu.querySelectorAll("[data-deed]")) {
      item.addEventListener("click", () => this.choose(/** @type {Deed} */ (item.dataset.deed)));
    }
    this.confirm = /** @type {HTMLDialogElement} */ (find("#confirm-remove"));
    this.confirm.addEventListener("close", () => {
      if (this.confirm.returnValue === "yes" && this.person) this.on.deed(this.person.id, "remove");
    });
    const ending = /** @type {HTMLDialogElement} */ (find("#confirm-end"));
    find("#end-for-all").addEventListener("click", () => {
      find("#more-menu").hidePopover?.();
      ending.returnValue = "";
      ending.showModal();
    });
    ending.addEventListener("close", () => ending.returnValue === "yes" && this.on.end());
  }

  /** @param {boolean} isHost */
  allow(isHost) {
    find("#end-for-all").hidden = !isHost;
  }

  /**
   * @param {HTMLElement} button  beside the name
   * @param {Participant} person
   * @param {{microphone: boolean, camera: boolean} | undefined} state
   */
  open(button, person, state) {
    this.person = person;
    /** @type {Record<string, boolean>} */
    const sense = {
      mute: state?.microphone !== false, unmute: state?.microphone === false, "camera-off": state?.camera !== false,
      host: person.role !== "host", guest: person.role === "host", remove: true,
    };
    for (const item of this.menu.querySelectorAll("[data-deed]")) item.hidden = !sense[item.dataset.deed];
    find("h3", this.menu).textContent = person.name;
    this.menu.showPopover();
    const { bottom, right } = button.getBoundingClientRect();
    this.menu.style.top = `${Math.min(bottom + 4, innerHeight - this.menu.offsetHeight - 8)}px`;
    this.menu.style.left = `${Math.max(8, right - this.menu.offsetWidth)}px`;
    this.menu.querySelector("[data-deed]:not([hidden])")?.focus();
  }

  /** @param {Deed} deed */
  choose(deed) {
    this.menu.hidePopover();
    if (!this.person) return;
    if (deed !== "remove") {
      this.on.deed(this.person.id, deed);
      return;
    }
    find("p", this.confirm).textContent = t("host.remove.text", { name: this.person.name });
    this.confirm.returnValue = "";
    this.confirm.showModal();
  }
}
