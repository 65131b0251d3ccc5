// What people wrote, beside the film and on its time: a click goes to where it was written.

import { find, make } from "../call/dom.js";
import { duration } from "../call/text.js";

/** @typedef {{at_us: number, participant: string, text: string}} Said */
/** @typedef {{at: number, name: string, text: string}} Line  at: second of the film */

/**
 * The lines of a stretch of the recording.
 *
 * @param {Said[]} chat
 * @param {Map<string, string>} names  participant → name
 * @param {number} from  seconds
 * @param {number} to
 * @returns {Line[]}
 */
export const linesOf = (chat, names, from, to) =>
  chat
    .map(({ at_us: us, participant, text }) => ({ at: us / 1e6 - from, name: names.get(participant) ?? participant, text }))
    .filter(({ at }) => at >= 0 && at <= to - from);

export class Chat {
  /**
   * @param {HTMLElement} item  the recording's card
   * @param {(second: number) => void} seek
   */
  constructor(item, seek) {
    this.box = find("[data-testid=chat-beside]", item);
    this.list = find("ol", this.box);
    this.seek = seek;
    /** @type {Line[]} */
    this.lines = [];
    this.now = -1;
  }

  /** @param {Line[]} lines  in order */
  show(lines) {
    this.lines = lines;
    this.now = -1;
    this.box.hidden = lines.length === 0;
    this.list.replaceChildren(
      ...lines.map(({ at, name, text }) => {
        const row = make("said");
        find(".at", row).textContent = duration(at * 1000);
        find(".name", row).textContent = name;
        find(".text", row).textContent = text;
        find("button", row).addEventListener("click", () => this.seek(at));
        return row;
      }),
    );
  }

  /** @param {number} second */
  follow(second) {
    const now = this.lines.findLastIndex(({ at }) => at <= second);
    if (now === this.now) return;
    this.list.children[this.now]?.removeAttribute("aria-current");
    this.now = now;
    const row = /** @type {HTMLElement | undefined} */ (this.list.children[now]);
    if (!row) return;
    row.setAttribute("aria-current", "true");
    // Only the list moves, never the page.
    this.list.scrollTop = row.offsetTop - this.list.clientHeight / 2;
  }
}
