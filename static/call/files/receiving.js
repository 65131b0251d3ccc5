// One file that somebody offers us, and its coming. Knows neither the page nor WebRTC; where the bytes go is a Sink's.

import { backoffMs } from "../backoff.js";
import { NO_PRINT, PIECE_BYTES, WINDOW_BYTES, printOf, wordsIn } from "./wire.js";

/**
 * @typedef {import("./wire.js").Channel} Channel
 * @typedef {import("./wire.js").Offer} Offer
 * @typedef {import("./wire.js").Why} Why
 * @typedef {"offered" | "waiting" | "receiving" | "interrupted" | "received" | "declined" | "cancelled" | "gone" | "failed"} ReceivingState
 * @typedef {object} Sink
 * @property {(bytes: Uint8Array) => Promise<void>} write   after what was written before; the bytes are the sink's from then on
 * @property {() => Promise<void>} restart                  as if nothing had been written
 * @property {() => Promise<Blob | null>} finish            null: it lies where the person wanted it
 * @property {() => Promise<void>} discard
 */

/** Who was asked to send and has opened no channel is asked again after this, and then ever less often. */
const RETRY = { firstMs: 2000, mostMs: 30000 };
/** Of a sender whose pieces are wrong again and again nothing good comes. */
const MOST_DAMAGED = 3;

export class Receiving {
  /**
   * @param {object} options
   * @param {Offer} options.offer
   * @param {string} options.from   a participant
   * @param {(to: string, body: object) => void} options.tell
   * @param {(receiving: Receiving) => void} options.onChange
   */
  constructor({ offer, from, tell, onChange }) {
    this.offer = offer;
    this.from = from;
    this.tell = tell;
    this.onChange = onChange;
    /** @type {ReceivingState} */
    this.state = "offered";
    /** @type {Why} */
    this.why = "";
    /** Checked and written. */
    this.done = 0;
    /** Come in, and not written yet. */
    this.held = 0;
    this.print = NO_PRINT;
    /** The messages of the piece that is coming. @type {ArrayBuffer[]} */
    this.parts = [];
    /** @type {Sink | null} */
    this.sink = null;
    /** What came whole. @type {Blob | null} */
    this.blob = null;
    /** @type {Channel | null} */
    this.channel = null;
    this.tries = 0;
    this.damaged = 0;
    /** Runs while we wait for a channel. @type {ReturnType<typeof setTimeout> | undefined} */
    this.asking = undefined;
    /** One thing after the other: checking and writing take their time. */
    this.work = Promise.resolve();
  }

  get isOver() {
    return ["received", "declined", "cancelled", "failed"].includes(this.state);
  }

  /** @param {Sink} sink */
  accept(sink) {
    if (this.state !== "offered") return;
    this.sink = sink;
    this.ask();
  }

  decline() {
    if (this.state !== "offered" && this.state !== "gone") return;
    this.say("decline");
    this.end("declined");
  }

  cancel() {
    this.say("cancel");
    this.end("cancelled");
  }

  // -- asking for it, until it comes ------------------------------------------------------------------------------------------

  /** Ask for what is missing. */
  ask() {
    if (this.isOver || !this.sink || this.state === "gone") return;
    if (this.state !== "interrupted") this.become("waiting");
    clearTimeout(this.asking);
    this.tries += 1;
    this.asking = setTimeout(() => this.ask(), backoffMs(this.tries, RETRY));
    // What is being written now counts already.
    void this.work.then(() => {
      if (this.asking !== undefined) this.say("take", { from: this.done, print: this.print });
    });
  }

  /** The way to the sender is open again. */
  again() {
    if (this.channel) return;
    this.tries = 0;
    this.ask();
  }

  /** The sender has gone. What came stays, should it come back with the same file. */
  lose() {
    if (this.isOver) return;
    this.release();
    this.become("gone");
  }

  /** @param {string} from  the sender, who is somebody else since a reload */
  offeredAgain(from) {
    if (this.isOver) return;
    this.release();
    this.from = from;
    this.become("offered");
    if (!this.sink) return;
    this.tries = 0;
    this.ask();
  }

  // -- the bytes ----------------------------------------------------------------------------------------------------------------

  /** @param {Channel} channel */
  listen(channel) {
    if (this.isOver || !this.sink) {
      channel.close();
      return;
    }
    this.release();
    this.channel = channel;
    channel.binaryType = "arraybuffer";
    channel.onmessage = ({ data }) => this.heard(channel, data);
    channel.onclose = () => this.closed(channel);
  }

  /**
   * @param {Channel} channel
   * @param {string | ArrayBuffer} data
   */
  heard(channel, data) {
    if (this.channel !== channel) return;
    if (typeof data === "string") {
      const parts = this.parts;
      const words = wordsIn(data);
      if ("print" in words) this.parts = [];
      this.queue(() => this.take(channel, words, parts));
      return;
    }
    this.parts.push(data);
    this.held += data.byteLength;
    // A sender that does not wait would fill our memory.
    if (this.held > WINDOW_BYTES + 2 * PIECE_BYTES) this.spoiled(channel);
    else this.onChange(this);
  }

  /** @param {() => Promise<void>} step */
  queue(step) {
    this.work = this.work
      // What came whole before its channel ended counts.
      .then(() => (this.isOver ? undefined : step()))
      .catch(() => this.fail("disk"));
  }

  /**
   * @param {Channel} channel
   * @param {any} words
   * @param {ArrayBuffer[]} parts  what came since the words before
   */
  async take(channel, words, parts) {
    if (words.from === 0 || words.from === this.done) await this.start(channel, words.from);
    // An answer to what we asked before more of it was written.
    else if ("from" in words) this.closed(channel);
    else if (typeof words.print === "string") await this.check(channel, words.print, joined(parts));
    else this.spoiled(channel);
  }

  /**
   * @param {Channel} channel
   * @param {number} from
   */
  async start(channel, from) {
    this.tries = 0;
    if (from < this.done) {
      // It is another file than the one of which we have a part.
      await this.sink?.restart();
      this.done = 0;
      this.print = NO_PRINT;
    }
    if (this.channel === channel) this.become("receiving");
    if (this.done === this.offer.size) await this.finish();
  }

  /**
   * @param {Channel} channel
   * @param {string} print
   * @param {Uint8Array} piece
   */
  async check(channel, print, piece) {
    const wanted = Math.min(PIECE_BYTES, this.offer.size - this.done);
    if (piece.length !== wanted || wanted === 0 || (await printOf(this.print, piece)) !== print) {
      this.spoiled(channel);
      return;
    }
    // What is written is given away, and has no length afterwards.
    await this.sink?.write(piece);
    // Also when the channel has ended meanwhile: it is written.
    this.done += wanted;
    this.print = print;
    if (this.channel === channel) {
      this.held -= wanted;
      if (channel.readyState === "open") channel.send(JSON.stringify({ has: this.done }));
    }
    this.onChange(this);
    if (this.done === this.offer.size) await this.finish();
  }

  async finish() {
    const blob = (await this.sink?.finish()) ?? null;
    if (this.isOver) return;
    this.blob = blob;
    this.sink = null;
    this.say("received");
    this.end("received");
  }

  // -- the end -----------------------------------------------------------------------------------------------------------------

  /** @param {Channel} channel  of which what came is not what was sent */
  spoiled(channel) {
    this.damaged += 1;
    if (this.damaged < MOST_DAMAGED) this.closed(channel);
    else this.fail("damaged");
  }

  /** @param {Channel} channel */
  closed(channel) {
    if (this.channel !== channel) return;
    this.release();
    this.become("interrupted");
    this.ask();
  }

  /** @param {Why} why */
  fail(why) {
    if (this.isOver) return;
    this.why = why;
    this.say("cancel", { why });
    this.end("failed", why);
  }

  /**
   * @param {ReceivingState} state
   * @param {Why} [why]
   */
  end(state, why = "") {
    if (this.isOver) return;
    this.release();
    this.why = why;
    const sink = this.sink;
    this.sink = null;
    this.become(state);
    // What is being written must be done before it can be taken away.
    if (sink) void this.work.then(() => sink.discard()).catch(() => undefined);
  }

  release() {
    clearTimeout(this.asking);
    this.asking = undefined;
    const channel = this.channel;
    this.channel = null;
    this.parts = [];
    this.held = 0;
    if (!channel) return;
    channel.onmessage = channel.onclose = null;
    channel.close();
  }

  /**
   * @param {string} what
   * @param {object} [more]
   */
  say(what, more = {}) {
    this.tell(this.from, { file: what, id: this.offer.id, ...more });
  }

  /** @param {ReceivingState} state */
  become(state) {
    this.state = state;
    this.onChange(this);
  }
}

/** @param {ArrayBuffer[]} parts */
function joined(parts) {
  const all = new Uint8Array(parts.reduce((bytes, part) => bytes + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(new Uint8Array(part), at);
    at += part.byteLength;
  }
  return all;
}
