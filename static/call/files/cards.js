// Files as one sees them in the chat: a card for each, a line in it for each who sends or gets it.

import { announce, find, make } from "../dom.js";
import { size, t } from "../text.js";
import { Files } from "./files.js";
import { safeName } from "./names.js";
import { Rate } from "./rate.js";
import { Dismissed, NoRoom, sinkFor } from "./sinks.js";

/**
 * @typedef {import("../room.js").Room} Room
 * @typedef {import("../room.js").Participant} Participant
 * @typedef {import("./files.js").Outgoing} Outgoing
 * @typedef {import("./files.js").Remembered} Remembered
 * @typedef {import("./receiving.js").Receiving} Receiving
 * @typedef {import("./sending.js").Sending} Sending
 * @typedef {{name: string, state: string, why: string, done: number, size: number, isOver: boolean, rate: Rate, wasTaken?: boolean}} Way
 */

/** Figures that change more often nobody can read. */
const DRAW_MS = 250;
const MOVING = ["sending", "receiving"];

export class Cards {
  /**
   * @param {Room} room
   * @param {{offered: (name: string, file: string) => void, choose: () => void, storage: Storage, key: string}} page
   */
  constructor(room, page) {
    this.room = room;
    this.page = page;
    this.list = find("#messages");
    /** @type {Map<Outgoing | Receiving | Remembered, Card>} */
    this.cards = new Map();
    /** Of those who were here, too: id → name. @type {Map<string, string>} */
    this.names = new Map();
    this.files = new Files({
      tell: (to, body) => room.tell(to, body),
      open: (to, label) => room.openChannel(to, label),
      people: () => [...room.participants.values()].filter(({ kind }) => kind === "person"),
      onOutgoing: (outgoing) => this.cards.get(outgoing)?.drawSoon(),
      onOffer: (receiving, from) => this.showOffer(receiving, from),
      onReceiving: (receiving) => this.cards.get(receiving)?.drawSoon(),
      storage: page.storage,
      key: page.key,
    });
    for (const remembered of this.files.cutShort) this.showCutShort(remembered);
  }

  /**
   * @param {File} file
   * @param {string} to  a participant, or "*"
   */
  send(file, to) {
    for (const remembered of this.files.cutShort) {
      if (remembered.name === file.name && remembered.size === file.size) this.cards.get(remembered)?.remove();
    }
    const outgoing = this.files.send(file, to);
    /** @type {Map<Sending, Rate>} */
    const rates = new Map();
    const isOffered = () => this.files.outgoing.includes(outgoing);
    const ways = () => {
      const all = [...outgoing.sendings.values()].map((sending) => {
        const rate = rates.get(sending) ?? new Rate();
        rates.set(sending, rate);
        const { state, why, done, isOver } = sending;
        return { name: this.nameOf(sending.to), state, why, done, size: file.size, isOver, rate };
      });
      const none = { name: "", state: isOffered() ? "nobody" : "cancelled", why: "", done: 0, size: file.size, isOver: true, rate: new Rate() };
      return all.length > 0 ? all : [none];
    };
    const isWanted = () => outgoing.to === "*" || [...outgoing.sendings.values()].some(({ isOver }) => !isOver);
    const card = this.add(outgoing, new Card({
      who: this.room.me?.name ?? "", isMine: true, name: file.name, size: file.size, ways,
      may: () => (isOffered() && isWanted() ? ["cancel"] : []),
      deeds: { cancel: () => this.files.withdraw(outgoing) },
    }));
    card.draw();
  }

  /**
   * @param {Receiving} receiving
   * @param {Participant} from
   */
  showOffer(receiving, from) {
    const { offer } = receiving;
    const name = safeName(offer.name);
    const rate = new Rate();
    const ways = () => {
      const { state, why, isOver, blob } = receiving;
      const wasTaken = receiving.sink !== null || blob !== null;
      return [{ name: from.name, state, why, done: receiving.done + receiving.held, size: offer.size, isOver, rate, wasTaken }];
    };
    /** @returns {string[]} */
    const may = () => {
      if (receiving.state === "offered" && !receiving.sink) return ["accept", "decline"];
      if (receiving.blob) return ["save"];
      return receiving.isOver || (receiving.state === "gone" && !receiving.sink) ? [] : ["cancel"];
    };
    const card = this.add(receiving, new Card({
      who: from.name, isMine: false, name, size: offer.size, ways, may,
      deeds: {
        accept: () => this.accept(receiving, card),
        decline: () => receiving.decline(),
        cancel: () => receiving.cancel(),
        save: () => save(/** @type {Blob} */ (receiving.blob), name),
      },
    }));
    card.draw();
    this.page.offered(from.name, name);
  }

  /** @param {Remembered} remembered */
  showCutShort(remembered) {
    const way = { name: "", state: "cut-short", why: "", done: 0, size: remembered.size, isOver: true, rate: new Rate() };
    const card = this.add(remembered, new Card({
      who: this.room.me?.name ?? "", isMine: true, name: remembered.name, size: remembered.size, ways: () => [way],
      may: () => ["choose", "cancel"],
      deeds: {
        choose: () => this.page.choose(),
        cancel: () => {
          this.files.forget(remembered);
          card.remove();
        },
      },
    }));
    card.draw();
  }

  /**
   * @param {Receiving} receiving
   * @param {Card} card
   */
  async accept(receiving, card) {
    try {
      card.tell("");
      const sink = await sinkFor(receiving.offer);
      if (receiving.state === "offered") receiving.accept(sink);
      else void sink.discard();
    } catch (error) {
      if (error instanceof Dismissed) return;
      if (!(error instanceof NoRoom)) throw error;
      const { size: bytes } = receiving.offer;
      card.tell(error.where === "memory" ? t("file.too-large", { most: size(error.bytes) }) : t("file.no-room", { free: size(error.bytes), size: size(bytes) }));
    }
  }

  /**
   * @param {Outgoing | Receiving | Remembered} subject
   * @param {Card} card
   */
  add(subject, card) {
    this.cards.set(subject, card);
    this.list.append(card.item);
    card.item.scrollIntoView({ block: "end" });
    return card;
  }

  /** @param {string} id */
  nameOf(id) {
    const known = this.room.participants.get(id)?.name ?? this.names.get(id) ?? "";
    this.names.set(id, known);
    return known;
  }
}

/**
 * @typedef {object} Shown
 * @property {string} who
 * @property {boolean} isMine
 * @property {string} name
 * @property {number} size
 * @property {() => Way[]} ways
 * @property {() => string[]} may  which of the deeds, now
 * @property {Record<string, () => unknown>} deeds
 */

class Card {
  /** @param {Shown} shown */
  constructor(shown) {
    this.shown = shown;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.item = make("file-card");
    this.item.classList.toggle("mine", shown.isMine);
    find(".who", this.item).textContent = shown.who;
    find("time", this.item).textContent = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    find(".file-name", this.item).textContent = shown.name;
    find(".file-name", this.item).title = shown.name;
    find(".size", this.item).textContent = size(shown.size);
    for (const button of this.item.querySelectorAll("[data-do]")) {
      button.title = t(`file.${button.dataset.do}-for`, { file: shown.name });
      const deed = shown.deeds[button.dataset.do];
      if (deed) button.addEventListener("click", () => void deed());
    }
  }

  drawSoon() {
    const moves = this.shown.ways().every(({ state }) => MOVING.includes(state));
    if (!moves) this.draw();
    this.timer ??= setTimeout(() => this.draw(), DRAW_MS);
  }

  draw() {
    clearTimeout(this.timer);
    this.timer = undefined;
    const ways = this.shown.ways();
    const lines = find(".ways", this.item);
    while (lines.children.length > ways.length) lines.lastElementChild.remove();
    while (lines.children.length < ways.length) lines.append(make("file-way"));
    ways.forEach((way, at) => this.drawWay(lines.children[at], way));
    const may = this.shown.may();
    for (const button of this.item.querySelectorAll("[data-do]")) button.hidden = !may.includes(button.dataset.do);
    // Nobody is getting it now: only those who come later would.
    const isIdle = this.shown.isMine && ways.every(({ isOver }) => isOver);
    find("[data-do=cancel]", this.item).textContent = t(isIdle ? "file.withdraw" : "file.cancel");
  }

  /**
   * @param {HTMLElement} line
   * @param {Way} way
   */
  drawWay(line, way) {
    const isMoving = MOVING.includes(way.state);
    if (isMoving) way.rate.add(way.done, performance.now());
    const saying = sayingOf(way, this.shown.isMine);
    if (way.isOver && line.dataset.state && line.dataset.state !== way.state) this.announce(way, saying);
    line.dataset.state = way.state;
    const name = find(".name", line);
    name.textContent = this.shown.isMine ? way.name : "";
    name.hidden = !name.textContent;
    const says = find(".says", line);
    says.textContent = saying;
    says.hidden = !says.textContent;
    const bar = find("progress", line);
    bar.hidden = way.isOver || ["offered", "waiting"].includes(way.state);
    bar.value = way.size ? way.done / way.size : 0;
    bar.setAttribute("aria-label", t(this.shown.isMine ? "file.progress-to" : "file.progress", { file: this.shown.name, name: way.name }));
  }

  /**
   * How it ended, for whoever looks elsewhere. What we have ended ourselves we know.
   *
   * @param {Way} way
   * @param {string} what
   */
  announce({ name, state }, what) {
    if (state === "cancelled" || (state === "declined" && !this.shown.isMine)) return;
    const file = this.shown.name.slice(0, 60);
    announce(this.shown.isMine ? t("file.news-of", { file, name, what }) : t("file.news", { file, what }));
  }

  /** @param {string} text */
  tell(text) {
    const problem = find(".problem", this.item);
    problem.textContent = text;
    problem.hidden = text === "";
  }

  remove() {
    clearTimeout(this.timer);
    this.item.remove();
  }
}

/**
 * @param {Way} way
 * @param {boolean} isMine
 */
function sayingOf(way, isMine) {
  const { name, state, why, done, size: whole, rate, wasTaken } = way;
  if (MOVING.includes(state)) {
    const [speed, leftS] = [rate.perSecond(), rate.leftS(whole)];
    const figures = { done: size(done), size: size(whole) };
    return speed === null || leftS === null ? t("file.state.begun", figures) : t("file.state.moving", { ...figures, speed: size(speed), left: leftOf(leftS) });
  }
  if (state === "offered") return isMine ? t("file.state.offered") : "";
  if (state === "interrupted") return t("file.state.interrupted", { percent: Math.floor((100 * done) / (whole || 1)) });
  if (state === "received") return t(wasTaken ? "file.state.received" : "file.state.saved");
  if (state === "gone" && !isMine) return t(wasTaken ? "file.state.sender-gone" : "file.state.offer-gone", { name });
  return why ? t(`file.why.${why}`) : t(`file.state.${state}`);
}

/** @param {number} seconds */
function leftOf(seconds) {
  if (seconds < 90) return t("file.left.seconds", { count: Math.max(1, Math.ceil(seconds)) });
  if (seconds < 5400) return t("file.left.minutes", { count: Math.round(seconds / 60) });
  return t("file.left.hours", { count: Math.round(seconds / 3600) });
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
function save(blob, name) {
  const link = document.createElement("a");
  // Never shown by the browser in this page's name, whatever it holds.
  link.href = URL.createObjectURL(new Blob([blob], { type: "application/octet-stream" }));
  link.download = name;
  link.click();
  // A large one is still being copied for long.
  setTimeout(() => URL.revokeObjectURL(link.href), 3_600_000);
}
