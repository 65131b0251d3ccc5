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
      find(`#show-${name}`).addEventListener("click", () => this.toggle(name));
    }
    find("#to-connection").addEventListener("click", () => this.open("connection"));
    find("#close-panel").addEventListener("click", () => this.close());
    this.root.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape") return;
      const opener = find(`#show-${this.root.dataset.tab}`);
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
    for (const part of ["#to-connection", "#people-settings"]) find(part).hidden = name !== "people";
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
   */
  showPeople(participants, me, mediaStates, marks) {
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
        return item;
      }),
    );
  }

  /**
   * @param {string} name
   * @param {string} text
   * @param {number} atMs
   * @param {boolean} mine
   */
  addMessage(name, text, atMs, mine) {
    const item = make("chat-message");
    item.classList.toggle("mine", mine);
    find(".who", item).textContent = name;
    find("time", item).textContent = new Date(atMs).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    find(".text", item).textContent = text;
    const list = find("#messages");
    list.append(item);
    item.scrollIntoView({ block: "end" });
    if (!mine && !this.showsChat) this.count(this.unread + 1);
  }
}
