// The lines of chat, and reactions that rise from a tile, as one sees them.

import { find, make } from "./dom.js";
import { piecesOf } from "./links.js";
import { t } from "./text.js";

/** @typedef {import("./talk.js").Line} Line */

const MOST_SHOWN = 500;
const REACTION_MS = 4000;

export class ChatView {
  constructor() {
    this.list = find("#messages");
  }

  /** @param {(text: string) => void} said */
  onSay(said) {
    find("#chat-form").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const input = find("[data-testid=chat-input]");
      const text = input.value.trim();
      if (text) said(text);
      input.value = "";
    });
  }

  /**
   * @param {Line} line
   * @param {Line | undefined} next  the one it stands before
   */
  add(line, next) {
    const item = make("chat-message");
    item.dataset.line = line.id;
    item.classList.toggle("mine", line.isMine);
    item.classList.toggle("old", line.isOld);
    find(".who", item).textContent = line.name;
    find("time", item).textContent = new Date(line.atMs).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    find(".text", item).replaceChildren(...piecesOf(line.text).map(({ text, href }) => (href ? linkTo(href, text) : document.createTextNode(text))));
    const before = next && this.list.querySelector(`[data-line="${CSS.escape(next.id)}"]`);
    this.list.insertBefore(item, before ?? null);
    if (line.isOld) this.markOld();
    else item.scrollIntoView({ block: "end" });
    if (this.list.children.length > MOST_SHOWN) this.list.firstElementChild?.remove();
  }

  /**
   * @param {string} id    of a line of ours
   * @param {string} name  who has not got it
   */
  markUndelivered(id, name) {
    const item = this.list.querySelector(`[data-line="${CSS.escape(String(id))}"]`);
    if (!item) return;
    const note = document.createElement("p");
    note.className = "undelivered small";
    note.textContent = t("chat.undelivered", { name });
    item.append(note);
  }

  /** Where it begins that was said before one came. */
  markOld() {
    if (this.list.querySelector(".before")) return;
    const note = document.createElement("li");
    note.className = "before muted-text small";
    note.textContent = t("chat.before");
    this.list.prepend(note);
  }
}

/**
 * @param {string} href
 * @param {string} text
 */
function linkTo(href, text) {
  const link = document.createElement("a");
  link.href = href;
  link.textContent = text;
  link.target = "_blank";
  link.rel = "noopener noreferrer nofollow";
  return link;
}

/**
 * @param {Element | undefined} tile  of who has reacted
 * @param {string} reaction
 */
export function rise(tile, reaction) {
  if (!tile) return;
  const sign = document.createElement("span");
  sign.className = "reaction";
  sign.dataset.testid = "reaction";
  sign.textContent = reaction;
  sign.setAttribute("aria-hidden", "true");
  tile.append(sign);
  setTimeout(() => sign.remove(), REACTION_MS);
}
