// Who waits before the door, as a host sees them, and how one waits oneself.

import { announce, find, make } from "./dom.js";
import { t } from "./text.js";

export class Lobby {
  /** @param {(id: string, answer: "admit" | "deny") => void} onAnswer  of the host */
  constructor(onAnswer) {
    this.onAnswer = onAnswer;
    this.root = find("#knocks");
    this.list = find("ul", this.root);
    this.count = 0;
  }

  /** @param {Map<string, string>} waiting  id → name, in order of coming */
  show(waiting) {
    for (const item of [...this.list.children]) if (!waiting.has(item.dataset.waiting)) item.remove();
    const shown = new Set([...this.list.children].map((item) => item.dataset.waiting));
    for (const [id, name] of waiting) if (!shown.has(id)) this.list.append(this.item(id, name));
    this.root.hidden = waiting.size === 0;
    const newest = [...waiting.values()].at(-1);
    if (newest && waiting.size > this.count) announce(t("lobby.knocks", { name: newest }));
    this.count = waiting.size;
  }

  /**
   * @param {string} id
   * @param {string} name
   */
  item(id, name) {
    const item = make("knock");
    item.dataset.waiting = id;
    find("span", item).textContent = t("lobby.knocks", { name });
    for (const answer of /** @type {const} */ (["admit", "deny"])) {
      const button = find(`[data-testid=${answer}]`, item);
      button.setAttribute("aria-label", t(`lobby.${answer}-name`, { name }));
      button.addEventListener("click", () => this.onAnswer(id, answer));
    }
    return item;
  }
}

/** @param {boolean} waits  whether we stand before the door */
export function showWaiting(waits) {
  find("#waiting").hidden = !waits;
  find("#join-form").hidden = waits;
  if (waits) find("#waiting h2").focus();
}
