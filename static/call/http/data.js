// Chat and files by the same road: what speaks like an RTCDataChannel, and goes as chunks of the stream for data, which the
// server keeps until they were received. Slowly: voices come first.
//
// Inside a chunk: u8 length | receiver | u8 kind | u8 length | label | bytes. Each receiver sees all of them and opens its own.

import { DATA } from "./wire.js";

const TEXT = 0;
const BYTES = 1;
const CLOSE = 2;
const MORE = 128;
/** Beyond what was received the server takes no more than twice this. */
const MOST_OUTSTANDING = 384 * 1024;
const MOST_PART = 12 * 1024;
/** Of what the road carries. */
const SHARE = 0.3;

const written = new TextEncoder();
const read = new TextDecoder();

/** As much of an RTCDataChannel as the call uses (W3C WebRTC 1.0 section 6.2). */
export class HttpChannel extends EventTarget {
  /**
   * @param {string} label
   * @param {(kind: number, bytes: Uint8Array) => void} put
   */
  constructor(label, put) {
    super();
    this.label = label;
    this.put = put;
    this.readyState = "open";
    this.binaryType = "arraybuffer";
    this.bufferedAmount = 0;
    this.bufferedAmountLowThreshold = 0;
    /** @type {((event: any) => void) | null} */
    this.onmessage = null;
    /** @type {((event: any) => void) | null} */
    this.onclose = null;
    /** @type {((event: any) => void) | null} */
    this.onopen = null;
    /** @type {((event: any) => void) | null} */
    this.onerror = null;
    /** @type {((event: any) => void) | null} */
    this.onbufferedamountlow = null;
  }

  /** @param {string | ArrayBuffer | ArrayBufferView} message */
  send(message) {
    if (this.readyState !== "open") throw new DOMException("the channel is closed", "InvalidStateError");
    if (typeof message === "string") this.put(TEXT, written.encode(message));
    else if (message instanceof ArrayBuffer) this.put(BYTES, new Uint8Array(message.slice(0)));
    else this.put(BYTES, new Uint8Array(message.buffer, message.byteOffset, message.byteLength).slice());
  }

  /** @param {string} type @param {Event} event */
  tell(type, event) {
    const handler = /** @type {any} */ (this)[`on${type}`];
    if (typeof handler === "function") handler.call(this, event);
    this.dispatchEvent(event);
  }

  /** @param {number} bytes  have left */
  sent(bytes) {
    const before = this.bufferedAmount;
    this.bufferedAmount -= bytes;
    if (before > this.bufferedAmountLowThreshold && this.bufferedAmount <= this.bufferedAmountLowThreshold) this.tell("bufferedamountlow", new Event("bufferedamountlow"));
  }

  close() {
    if (this.readyState !== "open") return;
    this.put(CLOSE, new Uint8Array());
    this.end();
  }

  /** The other side has closed it, or is gone. */
  end() {
    if (this.readyState === "closed") return;
    this.readyState = "closed";
    this.tell("close", new Event("close"));
  }
}

export class Data {
  /**
   * @param {object} options
   * @param {string} options.me
   * @param {(plain: Uint8Array<ArrayBuffer>) => Promise<number>} options.put  into the stream; its number
   * @param {(from: string, channel: HttpChannel) => void} options.onChannel  somebody has opened one
   */
  constructor({ me, put, onChannel }) {
    this.me = me;
    this.put = put;
    this.onChannel = onChannel;
    /** @type {Map<string, HttpChannel>} */
    this.channels = new Map();
    /** @type {{channel: HttpChannel, plain: Uint8Array<ArrayBuffer>, size: number}[]} */
    this.waiting = [];
    /** Sent, not yet received by all: number → size. @type {Map<number, number>} */
    this.outstanding = new Map();
    /** Parts of messages that are not whole yet. @type {Map<string, Uint8Array[]>} */
    this.parts = new Map();
    this.credit = 0;
    this.isPutting = false;
  }

  /** @param {string} id @param {string} label */
  open(id, label) {
    const key = `${id} ${label}`;
    const known = this.channels.get(key);
    if (known && known.readyState === "open") return known;
    /** @type {HttpChannel} */
    const channel = new HttpChannel(label, (kind, bytes) => this.cut(id, channel, kind, bytes));
    this.channels.set(key, channel);
    return channel;
  }

  /**
   * @param {string} id
   * @param {HttpChannel} channel
   * @param {number} kind
   * @param {Uint8Array} bytes
   */
  cut(id, channel, kind, bytes) {
    const [to, label] = [written.encode(id), written.encode(channel.label)];
    let at = 0;
    do {
      const part = bytes.subarray(at, at + MOST_PART);
      at += part.length;
      const more = at < bytes.length ? MORE : 0;
      const plain = new Uint8Array([to.length, ...to, kind | more, label.length, ...label, ...part]);
      this.waiting.push({ channel, plain, size: part.length });
      channel.bufferedAmount += part.length;
    } while (at < bytes.length);
  }

  /**
   * Send some of what waits.
   *
   * @param {number} kbit    what the road carries
   * @param {number} forMs   since the last time
   */
  async pump(kbit, forMs) {
    if (this.isPutting || this.waiting.length === 0) {
      this.credit = Math.max(this.credit, 0);
      return;
    }
    this.credit = Math.min(this.credit + (kbit / 8) * SHARE * forMs, 2 * MOST_PART);
    this.isPutting = true;
    while (this.waiting.length > 0 && this.credit >= Math.min(this.waiting[0].size, MOST_PART) && this.unreceived < MOST_OUTSTANDING) {
      const { channel, plain, size } = /** @type {(typeof this.waiting)[0]} */ (this.waiting.shift());
      this.credit -= plain.length;
      this.outstanding.set(await this.put(plain), plain.length);
      channel.sent(size);
    }
    this.isPutting = false;
  }

  get unreceived() {
    return [...this.outstanding.values()].reduce((sum, size) => sum + size, 0);
  }

  /** @param {Record<string, import("./wire.js").Asked>} asked */
  follow(asked) {
    const received = asked[DATA]?.acknowledged ?? 0;
    for (const n of this.outstanding.keys()) if (n <= received) this.outstanding.delete(n);
  }

  /**
   * @param {string} from
   * @param {Uint8Array} plain
   */
  take(from, plain) {
    let at = 1 + plain[0];
    if (read.decode(plain.subarray(1, at)) !== this.me) return;
    const kind = plain[at];
    const label = read.decode(plain.subarray(at + 2, at + 2 + plain[at + 1]));
    at += 2 + plain[at + 1];
    const key = `${from} ${label}`;
    if (kind === CLOSE) {
      this.channels.get(key)?.end();
      return;
    }
    const isNew = this.channels.get(key)?.readyState !== "open";
    const channel = this.open(from, label);
    if (isNew) this.onChannel(from, channel);
    const parts = this.parts.get(key) ?? [];
    parts.push(plain.slice(at));
    this.parts.set(key, parts);
    if (kind & MORE) return;
    this.parts.delete(key);
    const whole = join(parts);
    channel.tell("message", new MessageEvent("message", { data: kind === TEXT ? read.decode(whole) : whole.buffer }));
  }

  /** @param {string} id */
  close(id) {
    this.waiting = this.waiting.filter(({ channel }) => this.channels.get(`${id} ${channel.label}`) !== channel);
    for (const [key, channel] of this.channels) {
      if (!key.startsWith(`${id} `)) continue;
      this.channels.delete(key);
      this.parts.delete(key);
      channel.end();
    }
  }
}

/** @param {Uint8Array[]} parts */
function join(parts) {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
