// Who is here, as far as we know: what each has said of camera and microphone, and in which order they are named.

import { t } from "./text.js";

/** @typedef {import("./room.js").Participant} Participant */
/** @typedef {import("./room.js").MediaState} MediaState */

export class People {
  /**
   * @param {import("./room.js").Room} room
   * @param {object} parts
   * @param {import("./panel.js").Panel} parts.panel
   * @param {import("./tiles.js").Tiles} parts.tiles
   * @param {(button: HTMLElement, participant: Participant, state: MediaState | undefined) => void} parts.menu  what a host may do
   * @param {() => {isRunning: boolean, answer: string | null}} parts.recorded  whether we are asked, and what we have said
   */
  constructor(room, { panel, tiles, menu, recorded }) {
    this.room = room;
    this.panel = panel;
    this.tiles = tiles;
    this.menu = menu;
    this.recorded = recorded;
    /** @type {Map<string, MediaState>} */
    this.states = new Map();
  }

  /**
   * @param {string} id
   * @param {MediaState} state
   * @returns {boolean} whether the hand went up
   */
  set(id, state) {
    const before = this.states.get(id);
    this.states.set(id, state);
    this.tiles.setMedia(id, state);
    return Boolean(state.hand_at_ms && !before?.hand_at_ms);
  }

  /** @param {string} id */
  forget(id) {
    this.states.delete(id);
  }

  show() {
    const { me, participants } = this.room;
    const everybody = [...(me ? [me] : []), ...participants.values()];
    const marks = new Map(everybody.map((one) => [one.id, this.markOf(one)]));
    const menu = (/** @type {HTMLElement} */ button, /** @type {Participant} */ one) => this.menu(button, one, this.states.get(one.id));
    const sorted = everybody.sort((one, other) => this.order(one, other));
    this.panel.showPeople(sorted, me?.id, this.states, marks, me?.role === "host" ? menu : null);
    for (const [id, mark] of marks) this.tiles.setMark(id, mark);
  }

  /**
   * Who has raised a hand comes first, the longest up before the others.
   *
   * @param {Participant} one
   * @param {Participant} other
   */
  order(one, other) {
    const hand = (/** @type {Participant} */ { id }) => this.states.get(id)?.hand_at_ms || Infinity;
    const [ours, theirs] = [hand(one), hand(other)];
    return ours === theirs ? one.joined_at_ms - other.joined_at_ms : ours - theirs;
  }

  /**
   * Everybody sees who is not recorded.
   *
   * @param {Participant} participant
   */
  markOf(participant) {
    const { isRunning, answer: ours } = this.recorded();
    if (!isRunning || participant.kind !== "person") return "";
    const answer = participant.id === this.room.me?.id ? ours : participant.consent;
    return answer === "given" ? "" : t(answer ? "consent.not-recorded" : "consent.not-recorded-yet");
  }
}
