// Files given to the page, chosen, dropped or pasted, and to whom. What sends and shows them is loaded when there is a file.

import { announce, find, setLines } from "./dom.js";
import { size, t } from "./text.js";

/**
 * @typedef {import("./room.js").Room} Room
 * @typedef {import("./room.js").Participant} Participant
 * @typedef {import("./files/cards.js").Cards} Cards
 */

export class Sharing {
  /**
   * @param {Room} room
   * @param {{offered: (name: string, file: string) => void, show: () => void}} on  show: the chat, where the cards are
   */
  constructor(room, on) {
    this.room = room;
    this.on = on;
    this.key = `letterbox.files.${room.id}`;
    /** @type {Cards | null} */
    this.cards = null;
    /** One thing after the other, the first after all is loaded. */
    this.work = Promise.resolve();
    const input = find("#choose-files");
    find("[data-testid=attach]").addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      void this.give([...input.files]);
      input.value = "";
    });
    find("[data-testid=chat-input]").addEventListener("paste", (/** @type {ClipboardEvent} */ event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length > 0) event.preventDefault();
      void this.give(files);
    });
    this.listenForDrops();
    addEventListener("beforeunload", (event) => {
      if (this.cards?.files.areUnderWay) event.preventDefault();
    });
  }

  /** A frame without chat has no place for files. */
  get isOff() {
    return document.body.classList.contains("no-chat");
  }

  listenForDrops() {
    const sign = find("#drop-here");
    const isOurs = (/** @type {DragEvent} */ event) => !find("#call").hidden && !this.isOff && event.dataTransfer?.types.includes("Files");
    addEventListener("dragover", (event) => {
      if (!isOurs(event)) return;
      event.preventDefault();
      sign.hidden = false;
    });
    addEventListener("dragleave", (event) => {
      // Only when the whole page is left.
      if (!event.relatedTarget) sign.hidden = true;
    });
    addEventListener("drop", (event) => {
      if (!isOurs(event)) return;
      event.preventDefault();
      sign.hidden = true;
      void this.give(filesIn(/** @type {DataTransfer} */ (event.dataTransfer)));
    });
  }

  /** @param {File[]} files */
  async give(files) {
    if (files.length === 0 || !this.room.token) return;
    const to = await this.askWhom(files);
    if (to === null) return;
    this.on.show();
    this.do((cards) => files.forEach((file) => cards.send(file, to)));
  }

  /**
   * @param {File[]} files
   * @returns {Promise<string | null>} a participant, or "*"; null: nobody
   */
  async askWhom(files) {
    const people = [...this.room.participants.values()].filter(({ kind }) => kind === "person");
    if (people.length < 2) return "*";
    const dialog = find("#send-files");
    const select = find("[data-testid=send-to]");
    select.replaceChildren(new Option(t("file.to-all"), "*"), ...people.map(({ id, name }) => new Option(name, id)));
    setLines(find("ul", dialog), files.map((file) => `${file.name} · ${size(file.size)}`));
    dialog.returnValue = "";
    dialog.showModal();
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    return dialog.returnValue === "send" ? select.value : null;
  }

  /** We are in the call: what a reload has cut short is shown. */
  start() {
    if ((sessionStorage.getItem(this.key) ?? "[]") !== "[]") this.do(() => this.on.show());
  }

  /** The call is over. */
  stop() {
    if (this.cards) this.cards.files.stopAll();
    else sessionStorage.removeItem(this.key);
  }

  /** @param {(cards: Cards) => void} deed */
  do(deed) {
    this.work = this.work
      .then(() => this.load())
      .then(deed)
      .catch((error) => {
        console.error("sharing: a file could not be dealt with", error);
        announce(t("server.away.help"));
      });
  }

  async load() {
    if (this.cards) return this.cards;
    const { Cards } = await import("./files/cards.js");
    this.cards ??= new Cards(this.room, {
      offered: this.on.offered,
      choose: () => find("#choose-files").click(),
      storage: sessionStorage,
      key: this.key,
    });
    return this.cards;
  }

  /**
   * @param {Participant} participant
   * @param {any} body
   * @returns {boolean} whether it was about a file
   */
  take(participant, body) {
    if (!("file" in body)) return false;
    if (!this.isOff) this.do((cards) => cards.files.hear(participant, body));
    return true;
  }

  /**
   * Only of a file we have asked for: all is loaded then.
   *
   * @param {Participant} participant
   * @param {RTCDataChannel} channel
   */
  listen(participant, channel) {
    if (this.cards) this.cards.files.listen(participant, channel);
    else channel.close();
  }

  /** @param {Participant} participant  whom a way leads to, or none will */
  reaches(participant) {
    if (this.cards) this.do((cards) => cards.files.reaches(participant));
  }

  /** @param {string} id  who has left; when we leave, nobody has */
  forget(id) {
    if (this.cards && this.room.token) this.do((cards) => cards.files.left(id));
  }
}

/**
 * @param {DataTransfer} given
 * @returns {File[]} without folders, which are no files
 */
function filesIn(given) {
  const items = [...given.items].filter((item) => item.kind === "file" && !item.webkitGetAsEntry?.()?.isDirectory);
  return items.map((item) => item.getAsFile()).filter((file) => file !== null);
}
