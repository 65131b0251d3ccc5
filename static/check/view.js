// How a check looks while it runs and when it is done: the same on its page and in a call.

import { find, make, setIcon } from "../call/dom.js";
import { t } from "../call/text.js";
import { ORDER, examine } from "./steps.js";
import { forAdministrator, verdictOf } from "./verdict.js";

/** @typedef {import("./steps.js").Step} Step */

const ICONS = { waiting: "circle", running: "circle", ok: "check", warning: "triangle-alert", failed: "x", skipped: "minus" };

export class CheckView {
  /** @param {HTMLElement} root  where the template `check-view` is put */
  constructor(root) {
    this.root = root;
    root.replaceChildren(make("check-view"));
    this.running = new AbortController();
    find("[data-testid=check-again]", root).addEventListener("click", () => void this.run());
    find("[data-testid=check-copy]", root).addEventListener("click", () => void this.copy());
  }

  /** Run it, from the beginning. */
  async run() {
    this.running.abort();
    const { signal } = (this.running = new AbortController());
    /** @type {Map<string, HTMLElement>} */
    const items = new Map(ORDER.map((id) => [id, make("check-step")]));
    find(".steps", this.root).replaceChildren(...items.values());
    this.showVerdict("running", "running");
    find(".administrator", this.root).hidden = true;
    find("[data-testid=check-again]", this.root).hidden = true;
    const steps = await examine((step) => this.show(/** @type {HTMLElement} */ (items.get(step.id)), step), signal);
    if (signal.aborted) return;
    const { verdict, state } = verdictOf(steps);
    this.showVerdict(state, verdict);
    find("[data-testid=check-again]", this.root).hidden = false;
    this.showAdministrator(steps, state);
  }

  stop() {
    this.running.abort();
  }

  /**
   * @param {HTMLElement} item
   * @param {Step} step
   */
  show(item, step) {
    item.dataset.state = step.state;
    item.dataset.step = step.id;
    setIcon(find(".sign", item), ICONS[step.state]);
    find(".sign", item).setAttribute("aria-label", t(`check.state.${step.state}`));
    find(".title", item).textContent = t(`check.${step.id}.title`);
    find(".says", item).textContent = step.says ? t(`check.${step.id}.${step.says}`, step.with) : "";
    find(".took", item).textContent = took(step.ms);
  }

  /**
   * @param {string} state
   * @param {string} verdict
   */
  showVerdict(state, verdict) {
    const card = find(".verdict", this.root);
    card.dataset.state = state;
    card.dataset.verdict = verdict;
    setIcon(find(".sign", card), state === "running" ? "circle" : ICONS[/** @type {keyof typeof ICONS} */ (state)]);
    find("strong", card).textContent = t(`check.verdict.${verdict}.title`);
    find("p", card).textContent = t(`check.verdict.${verdict}.text`);
  }

  /**
   * @param {Step[]} steps
   * @param {string} state
   */
  showAdministrator(steps, state) {
    const section = find(".administrator", this.root);
    section.hidden = false;
    section.open = state !== "ok";
    const about = { t, address: location.host, browser: navigator.userAgent, when: new Date().toLocaleString(document.documentElement.lang) };
    find("pre", section).textContent = forAdministrator(steps, about);
  }

  async copy() {
    const button = find("[data-testid=check-copy]", this.root);
    const text = find("pre", this.root);
    try {
      await navigator.clipboard.writeText(text.textContent);
      find("span", button).textContent = t("check.copied");
    } catch {
      getSelection()?.selectAllChildren(text);
      find("span", button).textContent = t("link.copy-by-hand");
    }
  }
}

/** @param {number | null} ms */
function took(ms) {
  if (ms === null || ms < 5) return "";
  return ms < 2000 ? t("check.took", { ms }) : t("check.took-long", { s: Math.round(ms / 1000) });
}
