// One file on its way to one participant. Knows neither the page nor WebRTC: whoever has a channel hands it over.

import { BUFFER_BYTES, MESSAGE_BYTES, NO_PRINT, PIECE_BYTES, WINDOW_BYTES, isCount, isStart, printOf, wordsIn } from "./wire.js";

/**
 * @typedef {import("./wire.js").Channel} Channel
 * @typedef {"offered" | "sending" | "interrupted" | "sent" | "declined" | "cancelled" | "gone" | "failed"} SendingState
 */

/** The channel ended, or another has taken its place: nothing to mend here, the receiver asks again. */
class Ended extends Error {}

/** The file has been changed, moved or deleted since it was chosen. */
class Unreadable extends Error {}

export class Sending {
  /**
   * @param {object} options
   * @param {string} options.id
   * @param {string} options.to    a participant
   * @param {Blob} options.file
   * @param {(to: string, body: object) => void} options.tell
   * @param {(sending: Sending) => void} options.onChange
   */
  constructor({ id, to, file, tell, onChange }) {
    this.id = id;
    this.to = to;
    this.file = file;
    this.tell = tell;
    this.onChange = onChange;
    /** @type {SendingState} */
    this.state = "offered";
    /** @type {import("./wire.js").Why} */
    this.why = "";
    /** So much of it is checked and written over there. */
    this.done = 0;
    /** Of what is sent and not yet written: place → the print up to it. */
    this.prints = new Map([[0, NO_PRINT]]);
    /** @type {Channel | null} */
    this.channel = null;
    this.most = BUFFER_BYTES;
    this.wake = () => {};
  }

  get size() {
    return this.file.size;
  }

  get isOver() {
    return ["sent", "declined", "cancelled", "gone", "failed"].includes(this.state);
  }

  /**
   * They want it, from here on. A channel from before is done with.
   *
   * @param {Channel} channel
   * @param {number} mostBytes  what one message may hold
   * @param {{from: number, print: string}} wish
   */
  async begin(channel, mostBytes, wish) {
    this.release();
    this.channel = channel;
    channel.binaryType = "arraybuffer";
    // A road that takes only small messages is a slow one: less of ours waits on it before the words of others.
    this.most = Math.min(BUFFER_BYTES, 32 * mostBytes);
    channel.bufferedAmountLowThreshold = this.most / 2;
    channel.onopen = channel.onbufferedamountlow = () => this.wake();
    channel.onmessage = ({ data }) => this.heard(channel, data);
    channel.onclose = () => this.closed(channel);
    this.become("sending");
    try {
      await this.until(channel, () => channel.readyState === "open");
      await this.send(channel, Math.min(mostBytes, MESSAGE_BYTES), wish);
    } catch (error) {
      if (error instanceof Unreadable) this.cancel("unreadable");
      // Whatever else a channel throws is the end of that channel.
      else this.closed(channel);
    }
  }

  /**
   * @param {Channel} channel
   * @param {number} mostBytes
   * @param {{from: number, print: string}} wish
   */
  async send(channel, mostBytes, { from, print }) {
    // Of a file that is another than theirs nothing can be gone on with.
    const start = isStart(from, this.size) && (await this.printAt(from)) === print ? from : 0;
    if (this.channel !== channel) throw new Ended();
    this.done = start;
    this.onChange(this);
    channel.send(JSON.stringify({ from: start }));
    let before = start === 0 ? NO_PRINT : print;
    let next = this.seal(start, before);
    for (let at = start; at < this.size; at += PIECE_BYTES) {
      const { piece, print: sealed } = await next;
      before = sealed;
      const end = at + piece.length;
      this.prints.set(end, sealed);
      // While this piece goes out the next is read.
      next = this.seal(end, before);
      next.catch(() => undefined);
      await this.until(channel, () => end - this.done <= WINDOW_BYTES);
      for (let sent = 0; sent < piece.length; sent += mostBytes) {
        await this.until(channel, () => channel.bufferedAmount <= this.most);
        channel.send(piece.subarray(sent, sent + mostBytes));
      }
      channel.send(JSON.stringify({ print: sealed }));
    }
  }

  /**
   * @param {number} at
   * @param {string} before
   */
  async seal(at, before) {
    const piece = await this.read(at);
    return { piece, print: await printOf(before, piece) };
  }

  /** @param {number} at */
  async read(at) {
    const wanted = this.file.slice(at, at + PIECE_BYTES);
    let bytes;
    try {
      bytes = await wanted.arrayBuffer();
    } catch {
      throw new Unreadable();
    }
    if (bytes.byteLength !== wanted.size) throw new Unreadable();
    return new Uint8Array(bytes);
  }

  /** @param {number} place */
  async printAt(place) {
    const known = this.prints.get(place);
    if (known) return known;
    // Sent before this page was loaded: the beginning is read again.
    let print = NO_PRINT;
    for (let at = 0; at < place; at += PIECE_BYTES) ({ print } = await this.seal(at, print));
    return print;
  }

  /**
   * @param {Channel} channel
   * @param {() => boolean} isSo
   */
  async until(channel, isSo) {
    for (;;) {
      if (this.channel !== channel || channel.readyState === "closing" || channel.readyState === "closed") throw new Ended();
      if (isSo()) return;
      await new Promise((resolve) => (this.wake = () => resolve(undefined)));
    }
  }

  /**
   * @param {Channel} channel
   * @param {unknown} data
   */
  heard(channel, data) {
    const { has } = typeof data === "string" ? wordsIn(data) : {};
    if (this.channel !== channel || !isCount(has) || has < this.done || !this.prints.has(has)) return;
    this.done = has;
    for (const place of this.prints.keys()) if (place < has) this.prints.delete(place);
    this.wake();
    this.onChange(this);
  }

  /** @param {Channel} channel */
  closed(channel) {
    if (this.channel !== channel) return;
    this.release();
    if (this.state === "sending" && this.done < this.size) this.become("interrupted");
  }

  /** @param {import("./wire.js").Why} [why] */
  cancel(why = "") {
    if (this.isOver) return;
    this.tell(this.to, { file: "cancel", id: this.id, ...(why && { why }) });
    this.end(why ? "failed" : "cancelled", why);
  }

  /**
   * @param {SendingState} state
   * @param {import("./wire.js").Why} [why]
   */
  end(state, why = "") {
    if (this.isOver) return;
    if (state === "sent") this.done = this.size;
    this.release();
    this.why = why;
    this.become(state);
  }

  release() {
    const channel = this.channel;
    this.channel = null;
    channel?.close();
    this.wake();
  }

  /** @param {SendingState} state */
  become(state) {
    this.state = state;
    this.onChange(this);
  }
}
