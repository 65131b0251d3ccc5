// Beside the pictures: who is here, and what is written.

import { find, make } from "./dom.js";
import { t } from "./text.js";

/** @typedef {import("./room.js").Participant} Participant */
/** @typedef {import("./room.js").MediaState} MediaState */

const TABS = ["people", "chat", "connection"];
/** The notice that the server is away has had the name for longer. @type {Record<string, string>} */
const PLACES = { connection: "network" };

export class Panel {
  /** @param {(tab: string) => void} onTab  which is shown, "" none */
  constructor(onTab) {
    this.onTab = onTab;
    this.root = find("#panel");
    this.unread = 0;
    for (const name of TABS) {
      find(`#show-${name}`).addEventListener("click", () => {
        find("#more-menu").hidePopover?.();
        this.toggle(name);
      });
    }
    find("#close-panel").addEventListener("click", () => this.close());
    this.root.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape") return;
      const opener = this.root.dataset.tab === "connection" ? find("#show-more") : find(`#show-${this.root.dataset.tab}`);
      this.close();
      opener.focus();
    });
  }

  /** @param {string} name  of TABS */
  toggle(name) {
    if (!this.root.hidden && this.root.dataset.tab === name) this.close();
    else this.open(name);
  }

  /** @param {string} name */
  open(name) {
    this.root.hidden = false;
    this.root.dataset.tab = name;
    find("#panel-title").textContent = t(`panel.${name}`);
    for (const tab of TABS) {
      find(`#${PLACES[tab] ?? tab}`).hidden = tab !== name;
      find(`#show-${tab}`).setAttribute("aria-expanded", String(tab === name));
    }
    find("#people-settings").hidden = name !== "people";
    this.onTab(name);
    if (name === "chat") {
      this.count(0);
      find("[data-testid=chat-input]").focus();
    }
  }

  close() {
    this.root.hidden = true;
    for (const tab of TABS) find(`#show-${tab}`).setAttribute("aria-expanded", "false");
    this.onTab("");
  }

  get showsChat() {
    return !this.root.hidden && this.root.dataset.tab === "chat";
  }

  /** @param {number} unread */
  count(unread) {
    this.unread = unread;
    const badge = find("#unread");
    badge.hidden = unread === 0;
    badge.textContent = String(unread);
    find("#show-chat").setAttribute("aria-label", unread === 0 ? t("panel.chat") : t("panel.chat-unread", { count: unread }));
  }

  /**
   * @param {Participant[]} participants  in order of joining
   * @param {string | undefined} me
   * @param {Map<string, MediaState>} mediaStates  as far as they have said
   * @param {Map<string, string>} marks  who is not recorded, in words
   * @param {((button: HTMLElement, participant: Participant) => void) | null} onMenu  what a host may do; null for others
   */
  showPeople(participants, me, mediaStates, marks, onMenu) {
    const count = participants.filter(({ kind }) => kind === "person").length;
    find("#people-count").textContent = String(count);
    find("#show-people").setAttribute("aria-label", t("panel.people-count", { count }));
    find("#people").replaceChildren(
      ...participants.map((participant) => {
        const item = make("person");
        item.dataset.kind = participant.kind;
        const name = participant.kind === "recorder" ? t("roster.recorder") : participant.name;
        find(".name", item).textContent = participant.id === me ? t("tile.you", { name }) : name;
        find(".role", item).textContent = participant.kind === "recorder" ? t("roster.records") : participant.role === "host" ? t("roster.host") : "";
        const mark = marks.get(participant.id) ?? "";
        find(".mark", item).textContent = mark;
        find(".mark", item).hidden = mark === "";
        const state = mediaStates.get(participant.id);
        find(".muted", item).hidden = state?.microphone !== false;
        find(".camera-off", item).hidden = state?.camera !== false;
        find(".hand", item).hidden = !state?.hand_at_ms;
        const more = find("[data-testid=person-more]", item);
        more.hidden = !onMenu || participant.kind !== "person" || participant.id === me;
        more.setAttribute("aria-label", t("host.menu", { name }));
        more.addEventListener("click", () => onMenu?.(more, participant));
        return item;
      }),
    );
  }
}
