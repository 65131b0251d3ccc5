// May we be recorded? The question, the answer, and what follows from it. Knows neither WebRTC nor the room.

import { Away } from "./api.js";
import { backoffMs, pause } from "./backoff.js";
import { announce, find } from "./dom.js";
import { t } from "./text.js";

/**
 * @typedef {"given" | "declined" | "withdrawn"} Answer
 * @typedef {"asked" | "notice" | "started" | "remembered"} How
 * @typedef {{recording: string, answer: Answer, text: string, language: string, how: How}} Wish
 * @typedef {{id: string, state: string, by: string}} Recording
 */

const RUNNING = new Set(["requested", "starting", "recording", "paused", "stopping"]);
const KEY = "letterbox.consent.";

/**
 * What this tab has answered about a recording before, for instance before a reload.
 *
 * @param {string} recording
 * @param {Pick<Storage, "getItem">} storage
 * @returns {{answer: Answer, text: string, language: string} | null}
 */
export function remembered(recording, storage) {
  try {
    return JSON.parse(storage.getItem(KEY + recording) || "null");
  } catch {
    return null;
  }
}

/** What we have answered about the recording that runs, and how the server and the call are told. */
export class Consent {
  /**
   * @param {object} options
   * @param {(wish: Wish) => Promise<unknown>} options.tell  the server, whose ledger comes before anything is sent
   * @param {(agreed: boolean) => void} options.apply        whether anything of ours goes to a recorder from now on
   * @param {Pick<Question, "ask" | "close">} options.question
   * @param {() => void} options.changed
   * @param {() => "ask" | "notice"} options.mode            what the server asks for
   * @param {Pick<Storage, "getItem" | "setItem">} options.storage
   * @param {string} options.language
   */
  constructor(options) {
    this.options = options;
    /** @type {Recording | null} the one that runs */
    this.recording = null;
    /** @type {Answer | null} `given` only once the server has it */
    this.answer = null;
    /** @type {Wish | null} answered before the call */
    this.chosen = null;
    /** @type {Promise<string | null>} the recording we are just starting ourselves */
    this.starting = Promise.resolve(null);
    /** @type {Wish | null} what we said last */
    this.last = null;
    this.turn = 0;
    /** One after the other: a late `given` must not overtake a `withdrawn`. */
    this.telling = Promise.resolve();
  }

  /** @param {Recording | null} recording  as the room has it now */
  follow(recording) {
    const running = recording && RUNNING.has(recording.state) ? recording : null;
    const isAnother = running?.id !== this.recording?.id;
    this.recording = running;
    if (!isAnother) return;
    this.turn += 1;
    this.options.question.close();
    this.set(null);
    if (running) void this.begin(running);
  }

  /** @param {Recording} recording */
  async begin(recording) {
    const started = await this.starting;
    if (this.recording?.id !== recording.id || this.answer) return;
    const before = remembered(recording.id, this.options.storage);
    if (this.chosen?.recording === recording.id) {
      await this.say(this.chosen.answer, this.chosen.text, this.chosen.how);
    } else if (before) {
      await this.say(before.answer === "given" ? "given" : "declined", before.text, "remembered", before.language);
    } else if (started === recording.id) {
      announce(t("consent.started"));
      await this.say("given", t("consent.started"), "started");
    } else if (this.options.mode() === "notice") {
      const text = t("consent.notice", { by: recording.by });
      const said = this.say("given", text, "notice");
      this.options.question.ask(text, t("consent.notice-yes"), t("consent.no"));
      await said;
    } else {
      this.options.question.ask(t("consent.question", { by: recording.by }), t("consent.yes"), t("consent.no"));
    }
  }

  /**
   * Yes or no, now or after a change of mind.
   *
   * @param {boolean} yes
   * @param {string} text  the very words that were shown
   */
  decide(yes, text) {
    if (yes && this.answer === "given") this.options.question.close();
    else return this.say(yes ? "given" : this.answer === "given" ? "withdrawn" : "declined", text, "asked");
  }

  /**
   * @param {Answer} answer
   * @param {string} text
   * @param {How} how
   * @param {string} [language]
   */
  say(answer, text, how, language = this.options.language) {
    if (!this.recording) return;
    const wish = { recording: this.recording.id, answer, text, language, how };
    this.last = wish;
    this.options.question.close();
    this.turn += 1;
    // No takes effect before anybody is told; yes only when it is written down.
    if (answer !== "given") this.set(answer, wish);
    const turn = this.turn;
    this.telling = this.telling.then(() => this.insist(wish, turn));
    return this.telling;
  }

  /**
   * @param {Wish} wish
   * @param {number} turn  whose wish it is: a newer one takes its place
   */
  async insist(wish, turn) {
    for (let failures = 1; turn === this.turn; failures += 1) {
      try {
        await this.options.tell(wish);
        if (turn === this.turn) this.set(wish.answer, wish);
        return;
      } catch (error) {
        if (!(error instanceof Away)) {
          // The recording was quicker to end; or it is not ours to answer any more.
          console.warn("consent: not taken", error);
          return;
        }
        await pause(backoffMs(failures));
      }
    }
  }

  /**
   * What the server has of ours now. A request that was given up for lost may have reached it after all, behind our back.
   *
   * @param {Answer} answer
   */
  heard(answer) {
    const { last } = this;
    if (answer === "given" && last && last.answer !== "given") void this.say(last.answer, last.text, last.how, last.language);
  }

  /**
   * @param {Answer | null} answer
   * @param {Wish} [wish]
   */
  set(answer, wish) {
    this.answer = answer;
    if (wish) this.options.storage.setItem(KEY + wish.recording, JSON.stringify({ answer, text: wish.text, language: wish.language }));
    this.options.apply(answer === "given");
    this.options.changed();
  }
}

/** Asked in the call: beside it, not before it. Everything stays to be heard and used. */
export class Question {
  /** @param {(yes: boolean, text: string) => void} onAnswer */
  constructor(onAnswer) {
    this.root = find("#consent");
    this.text = find("#consent-text");
    find("[data-testid=consent-yes]").addEventListener("click", () => onAnswer(true, this.text.textContent));
    find("[data-testid=consent-no]").addEventListener("click", () => onAnswer(false, this.text.textContent));
  }

  /**
   * @param {string} text
   * @param {string} yes
   * @param {string} no
   */
  ask(text, yes, no) {
    this.root.hidden = false;
    this.text.textContent = text;
    find("[data-testid=consent-yes]").textContent = yes;
    find("[data-testid=consent-no]").textContent = no;
  }

  close() {
    // Who answers by keyboard stands on a button that goes away.
    if (this.root.contains(document.activeElement)) find("[data-testid=mute]").focus();
    this.root.hidden = true;
  }

  /** To the words, not to a button: what is typed on must not answer. */
  focus() {
    if (!this.root.hidden) this.root.focus();
  }
}

/** Asked before the call: two ways in. */
export class Choice {
  constructor() {
    /** @type {Recording | null} */
    this.recording = null;
    /** @type {How} */
    this.how = "asked";
    this.text = find("#recorded-text");
    this.join = find("[data-testid=join]");
    this.plain = this.join.textContent;
    // Enter in the name's field would press the first button unseen.
    find("[data-testid=name-input]").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Enter" || !this.isOpen) return;
      event.preventDefault();
      this.join.focus();
    });
  }

  get isOpen() {
    return this.join.value !== "";
  }

  /**
   * @param {Recording | null} recording
   * @param {"ask" | "notice"} mode
   * @param {Pick<Storage, "getItem">} storage
   */
  show(recording, mode, storage) {
    const before = recording && remembered(recording.id, storage);
    const isOpen = recording !== null && !before;
    this.recording = recording;
    this.how = mode === "notice" ? "notice" : "asked";
    find("#recorded").hidden = recording === null;
    const key = before ? (before.answer === "given" ? "agreed" : "declined") : mode;
    const text = recording ? t(`prejoin.recorded-${key}`, { by: recording.by }) : "";
    // What did not change is not read out again.
    if (this.text.textContent !== text) this.text.textContent = text;
    this.join.value = isOpen ? "given" : "";
    this.join.textContent = isOpen ? t("prejoin.join-recorded") : this.plain;
    find("[data-testid=join-unrecorded]").hidden = !isOpen;
    // Two answers, neither of them more of a button than the other.
    this.join.classList.toggle("primary", !isOpen);
  }

  /**
   * @param {string} answer  the value of the button that was pressed
   * @param {string} language
   * @returns {Wish | null}
   */
  wish(answer, language) {
    if (!this.recording || (answer !== "given" && answer !== "declined")) return null;
    const button = find(answer === "given" ? "[data-testid=join]" : "[data-testid=join-unrecorded]");
    const text = `${this.text.textContent} ${button.textContent.trim()}`;
    return { recording: this.recording.id, answer, text, language, how: answer === "given" ? this.how : "asked" };
  }
}
