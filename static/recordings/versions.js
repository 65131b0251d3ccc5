// The host's dialog to have another film made: layout, people, a stretch, a format.

import { call } from "../call/api.js";
import { announce, find, make } from "../call/dom.js";
import { duration, t } from "../call/text.js";
import { wordsOf } from "../call/words.js";

/** @typedef {import("./card.js").Recording} Recording */

/**
 * `1:02:03`, `2:03` or `45` as milliseconds; null: it says no time.
 *
 * @param {string} text
 */
export function millisecondsOf(text) {
  if (!/^\d+(:[0-5]?\d){0,2}([.,]\d+)?$/.test(text.trim())) return null;
  const seconds = text.trim().replace(",", ".").split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  return Math.round(seconds * 1000);
}

export class Versions {
  /**
   * @param {string} hostKey
   * @param {(recording: Recording) => void} onAsked
   */
  constructor(hostKey, onAsked) {
    this.hostKey = hostKey;
    this.onAsked = onAsked;
    /** @type {Recording | null} */
    this.recording = null;
    this.now = () => 0;
    this.dialog = /** @type {HTMLDialogElement} */ (find("#versions"));
    this.form = /** @type {HTMLFormElement} */ (find("#make-version"));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.make();
    });
    for (const end of ["from", "to"])
      find(`[data-testid=here-${end}]`, this.form).addEventListener("click", () => (find(`[name=${end}]`, this.form).value = duration(this.now() * 1000)));
  }

  /**
   * @param {Recording} recording
   * @param {() => number} now  where the player is, seconds
   */
  open(recording, now) {
    this.recording = recording;
    this.now = now;
    this.form.reset();
    find("#version-problem").hidden = true;
    find("[name=to]", this.form).value = duration(recording.duration_ms ?? 0);
    find(".who", this.form).replaceChildren(...[...peopleOf(recording)].map(([name, ids]) => personOption(name, ids)));
    this.dialog.showModal();
  }

  /** What is asked for; a text is what is wrong with it. @returns {object | string} */
  wish() {
    const fields = new FormData(this.form);
    const length = this.recording?.duration_ms ?? 0;
    const start = millisecondsOf(String(fields.get("from")));
    const end = millisecondsOf(String(fields.get("to")));
    if (start === null || end === null || start >= end) return t("versions.no-stretch", { length: duration(length) });
    const boxes = /** @type {HTMLInputElement[]} */ ([...this.form.querySelectorAll("[name=person]")]);
    const chosen = boxes.filter(({ checked }) => checked);
    if (chosen.length === 0) return t("versions.nobody");
    return {
      title: String(fields.get("title")).trim(),
      layout: fields.get("layout"),
      format: fields.get("format"),
      people: chosen.length === boxes.length ? null : chosen.flatMap(({ value }) => value.split(" ")),
      start_ms: start,
      // What stands there is rounded to seconds: the end is the end.
      end_ms: end >= Math.floor(length / 1000) * 1000 ? null : end,
    };
  }

  async make() {
    const problem = find("#version-problem");
    const body = this.wish();
    problem.hidden = typeof body !== "string";
    if (typeof body === "string") {
      problem.textContent = body;
      return;
    }
    try {
      const recording = await call("POST", `/recordings/${this.recording?.id}/versions`, { token: this.hostKey, body });
      this.dialog.close();
      announce(t("versions.asked"));
      this.onAsked(recording);
    } catch (error) {
      problem.hidden = false;
      problem.textContent = wordsOf(error);
    }
  }
}

/**
 * Name → participants: who has left and come back has several.
 *
 * @param {Recording} recording
 * @returns {Map<string, string[]>}
 */
export function peopleOf({ artifacts }) {
  /** @type {Map<string, Set<string>>} */
  const found = new Map();
  for (const { kind, meta } of artifacts) {
    if (kind === "track") found.set(meta.person, (found.get(meta.person) ?? new Set()).add(meta.participant));
  }
  return new Map([...found].sort(([one], [other]) => one.localeCompare(other)).map(([name, ids]) => [name, [...ids]]));
}

/**
 * @param {string} name
 * @param {string[]} ids
 */
function personOption(name, ids) {
  const option = make("person-option");
  find("input", option).value = ids.join(" ");
  find("span", option).textContent = name;
  return option;
}
