// All files of the call, ours and theirs: who was offered what, and which saying and channel belongs to which. Knows neither
// the page nor WebRTC.

import { Receiving } from "./receiving.js";
import { Sending } from "./sending.js";
import { idOf, isId, labelOf, offerIn, whyIn } from "./wire.js";

/**
 * @typedef {import("../room.js").Participant} Participant
 * @typedef {import("./wire.js").Channel} Channel
 * @typedef {{file: File, to: string, sendings: Map<string, Sending>, atMs: number}} Outgoing
 *   one file of ours; to: a participant, or "*" for everyone, those included who come later; sendings: by participant
 * @typedef {{name: string, size: number, modifiedMs: number, to: string, ids: Record<string, string>}} Remembered
 *   what a reload has cut short; ids: by participant
 */

/** More than this nobody answers: what comes beyond it from one participant is passed over. */
const MOST_OFFERS = 100;

export class Files {
  /**
   * @param {object} options
   * @param {(to: string, body: object) => void} options.tell
   * @param {(to: string, label: string) => {channel: Channel, mostBytes: number} | null} options.open  null: no way now
   * @param {() => Participant[]} options.people       the other persons
   * @param {(outgoing: Outgoing) => void} options.onOutgoing     a new one, or what has become of it
   * @param {(receiving: Receiving, from: Participant) => void} options.onOffer
   * @param {(receiving: Receiving) => void} options.onReceiving
   * @param {Pick<Storage, "getItem" | "setItem">} options.storage  what outlives a reload
   * @param {string} options.key                       under which
   * @param {() => string} [options.newId]
   * @param {() => number} [options.now]
   */
  constructor(options) {
    this.options = options;
    this.newId = options.newId ?? (() => crypto.randomUUID());
    this.now = options.now ?? Date.now;
    /** @type {Outgoing[]} */
    this.outgoing = [];
    /** @type {Map<string, Receiving>} */
    this.receiving = new Map();
    /** @type {Remembered[]} */
    this.cutShort = JSON.parse(options.storage.getItem(options.key) ?? "[]");
  }

  // -- ours --------------------------------------------------------------------------------------------------------------------

  /**
   * @param {File} file
   * @param {string} to  a participant, or "*"
   */
  send(file, to) {
    const again = this.cutShort.find((one) => one.name === file.name && one.size === file.size && one.modifiedMs === file.lastModified);
    this.cutShort = this.cutShort.filter((one) => one !== again);
    /** @type {Outgoing} */
    const outgoing = { file, to: again?.to ?? to, sendings: new Map(), atMs: this.now() };
    this.outgoing.push(outgoing);
    for (const { id } of this.options.people()) {
      if (outgoing.to === "*" || id === outgoing.to || again?.ids[id]) this.offer(outgoing, id, again?.ids[id]);
    }
    this.options.onOutgoing(outgoing);
    this.remember();
    return outgoing;
  }

  /**
   * @param {Outgoing} outgoing
   * @param {string} to
   * @param {string} [id]
   */
  offer(outgoing, to, id = this.newId()) {
    const { file } = outgoing;
    const onChange = () => this.options.onOutgoing(outgoing);
    outgoing.sendings.set(to, new Sending({ id, to, file, tell: this.options.tell, onChange }));
    const { name, size, type, lastModified } = file;
    this.options.tell(to, { file: "offer", id, name, size, type, modified_ms: lastModified });
  }

  /** @param {Outgoing} outgoing  not to be had any more */
  withdraw(outgoing) {
    this.outgoing = this.outgoing.filter((one) => one !== outgoing);
    for (const sending of outgoing.sendings.values()) sending.cancel();
    this.options.onOutgoing(outgoing);
    this.remember();
  }

  /**
   * Give up what a reload has cut short.
   *
   * @param {Remembered} remembered
   */
  forget(remembered) {
    this.cutShort = this.cutShort.filter((one) => one !== remembered);
    this.remember();
  }

  /** A file chosen by hand cannot be kept over a reload; what it was and who has the beginning of it can. */
  remember() {
    const now = this.outgoing.map(({ file, to, sendings }) => ({
      name: file.name, size: file.size, modifiedMs: file.lastModified, to,
      ids: Object.fromEntries([...sendings.values()].filter(({ isOver }) => !isOver).map(({ to: who, id }) => [who, id])),
    }));
    const open = now.filter(({ ids }) => Object.keys(ids).length > 0);
    this.options.storage.setItem(this.options.key, JSON.stringify([...this.cutShort, ...open]));
  }

  // -- people ------------------------------------------------------------------------------------------------------------------

  /**
   * The short way to somebody is open, or none will be: who comes later is offered what everyone was.
   *
   * @param {Participant} participant
   */
  reaches(participant) {
    if (participant.kind !== "person") return;
    for (const outgoing of this.outgoing) {
      if (outgoing.to === "*" && !outgoing.sendings.has(participant.id)) {
        this.offer(outgoing, participant.id);
        this.options.onOutgoing(outgoing);
      }
    }
    this.remember();
    for (const receiving of this.receiving.values()) if (receiving.from === participant.id) receiving.again();
  }

  /** @param {string} id  who has left */
  left(id) {
    for (const { sendings } of this.outgoing) sendings.get(id)?.end("gone");
    for (const receiving of this.receiving.values()) if (receiving.from === id) receiving.lose();
    this.remember();
  }

  /** Whether closing the page would cut something short. */
  get areUnderWay() {
    const sends = this.outgoing.some(({ sendings }) => [...sendings.values()].some(({ state }) => state === "sending" || state === "interrupted"));
    return sends || [...this.receiving.values()].some(({ state }) => ["waiting", "receiving", "interrupted"].includes(state));
  }

  /** The call is over for us. */
  stopAll() {
    for (const { sendings } of this.outgoing) for (const sending of sendings.values()) sending.end("cancelled");
    for (const receiving of this.receiving.values()) receiving.end("cancelled");
    this.outgoing = [];
    this.cutShort = [];
    this.remember();
  }

  // -- what comes in --------------------------------------------------------------------------------------------------------------

  /**
   * @param {Participant} participant
   * @param {any} body
   */
  hear(participant, body) {
    if (!isId(body.id)) return;
    if (body.file === "offer") {
      this.offered(participant, body);
      return;
    }
    const receiving = this.receiving.get(body.id);
    if (receiving?.from === participant.id && body.file === "cancel") receiving.end("cancelled", whyIn(body.why));
    for (const { sendings } of this.outgoing) {
      const sending = sendings.get(participant.id);
      if (sending && sending.id === body.id) this.answered(sending, body);
    }
  }

  /**
   * @param {Participant} participant
   * @param {any} body
   */
  offered(participant, body) {
    const offer = offerIn(body);
    if (!offer) return;
    const known = this.receiving.get(offer.id);
    // The id is the sender's and ours alone: whoever else knows it is the sender, after a reload.
    if (known && known.from !== participant.id && known.offer.size === offer.size) known.offeredAgain(participant.id);
    const open = [...this.receiving.values()].filter(({ from, isOver }) => from === participant.id && !isOver);
    if (known || open.length >= MOST_OFFERS) return;
    const receiving = new Receiving({ offer, from: participant.id, tell: this.options.tell, onChange: this.options.onReceiving });
    this.receiving.set(offer.id, receiving);
    this.options.onOffer(receiving, participant);
  }

  /**
   * @param {Sending} sending
   * @param {any} body
   */
  answered(sending, body) {
    if (sending.isOver) return;
    if (body.file === "decline") sending.end("declined");
    else if (body.file === "received") sending.end("sent");
    else if (body.file === "cancel") sending.end(whyIn(body.why) ? "failed" : "cancelled", whyIn(body.why));
    else if (body.file === "take") this.begin(sending, body);
    if (sending.isOver) this.remember();
  }

  /**
   * @param {Sending} sending
   * @param {{from: number, print: string}} wish
   */
  begin(sending, wish) {
    // Where there is no way now, they ask again.
    const opened = this.options.open(sending.to, labelOf(sending.id));
    if (opened) void sending.begin(opened.channel, opened.mostBytes, wish);
  }

  /**
   * @param {Participant} participant
   * @param {Channel} channel
   */
  listen(participant, channel) {
    const id = idOf(channel.label);
    const receiving = id === null ? undefined : this.receiving.get(id);
    if (receiving?.from === participant.id) receiving.listen(channel);
    else channel.close();
  }
}
