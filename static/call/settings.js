// The host's settings of the room: a form in the panel, drawn from what the server says they are.

import { find } from "./dom.js";
import { t } from "./text.js";

/** @typedef {import("./room.js").Settings} Settings */
/** @typedef {Partial<Settings> & {code?: string | null}} Wish */

const SWITCHES = /** @type {const} */ ([["lobby", "lobby"], ["lock", "locked"]]);

export class SettingsForm {
  /** @param {(wish: Wish) => void} onChange */
  constructor(onChange) {
    this.keepDays = /** @type {HTMLSelectElement} */ (find("[data-testid=keep-days]"));
    find("[data-testid=everyone-records]").addEventListener("change", (/** @type {any} */ event) => {
      onChange({ who_may_record: event.target.checked ? "everyone" : "host" });
    });
    for (const [testid, name] of SWITCHES) {
      find(`[data-testid=${testid}]`).addEventListener("change", (/** @type {any} */ event) => onChange({ [name]: event.target.checked }));
    }
    find("#code-form").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const input = find("[data-testid=code]");
      onChange({ code: input.value.trim() });
      input.value = "";
    });
    find("[data-testid=clear-code]").addEventListener("click", () => onChange({ code: null }));
    this.keepDays.addEventListener("change", () => onChange({ keep_days: Number(this.keepDays.value) || null }));
  }

  /** @param {Settings} settings */
  show(settings) {
    find("[data-testid=everyone-records]").checked = settings.who_may_record === "everyone";
    for (const [testid, name] of SWITCHES) find(`[data-testid=${testid}]`).checked = settings[name];
    find("[data-testid=code]").placeholder = t(settings.has_code ? "settings.code.is-set" : "settings.code.none");
    find("[data-testid=clear-code]").hidden = !settings.has_code;
    const days = String(settings.keep_days ?? "");
    // Set by an API call to something else than we offer.
    if (![...this.keepDays.options].some(({ value }) => value === days)) this.keepDays.add(new Option(t("settings.keep.days", { days }), days));
    this.keepDays.value = days;
  }

  /** @param {boolean} isHost */
  allow(isHost) {
    find("#room-settings").hidden = !isHost;
  }
}
