// The transport: our mailbox, polled; messages to others, posted. Knows nothing of WebRTC.
//
// What we are told comes once and in order; what we send is sent under a number until the server has it, so that neither a lost
// answer nor a proxy that repeats a request loses or doubles anything.

import { Away, Refused, call } from "./api.js";
import { backoffMs, pause } from "./backoff.js";
import { Profile, SHORT_PAUSE_S, remember } from "./profile.js";
import { askAlone } from "./tabs.js";

/**
 * @typedef {{seq: number, from: string, kind: string, body: any}} Message
 * @typedef {"connected" | "reconnecting" | "replaced" | "gone"} MailboxState
 */

const MOST_IN_ONE_POST = 40;
/** Of what we have sent: what cannot be delivered is told at once. */
const MOST_REMEMBERED = 200;
/** How much longer than asked for an answer may take before we think the connection dead. */
const GRACE_MS = 8000;

export class Mailbox {
  /**
   * @param {object} options
   * @param {string} options.token
   * @param {number} options.waitS                       how long the server may hold a poll
   * @param {Partial<import("./profile.js").Remembered>} [options.remembered]  what this network allowed last time
   * @param {number} [options.after]                     last message seen
   * @param {(message: Message) => void} options.onMessage
   * @param {(state: MailboxState) => void} options.onState
   * @param {typeof fetch} [options.fetch]
   * @param {(ask: import("./tabs.js").Ask) => Promise<import("./tabs.js").Answer>} [options.ask]  how a poll is asked
   * @param {(ms: number, signal?: AbortSignal) => Promise<void>} [options.pause]
   */
  constructor({ token, waitS, remembered, after = 0, onMessage, onState, fetch, ask = askAlone, pause: wait = pause }) {
    this.token = token;
    this.profile = new Profile(waitS, remembered);
    this.after = after;
    this.onMessage = onMessage;
    this.onState = onState;
    this.fetch = fetch;
    this.ask = ask;
    this.pause = wait;
    /** @type {MailboxState | "new"} */
    this.state = "new";
    this.sentN = 0;
    /** @type {{n: number, to: string, kind: string, body: object}[]} */
    this.outgoing = [];
    /** The latest. @type {typeof this.outgoing} */
    this.sent = [];
    this.sending = false;
    /** After a refusal: how many messages go one by one, to find the one at fault. */
    this.singly = 0;
    this.stopper = new AbortController();
    this.poller = new AbortController();
  }

  /** How long the next poll may hang, seconds. */
  get waitS() {
    return this.profile.holdS;
  }

  /** Begin to poll. Opposite: stop(). */
  start() {
    const options = { signal: this.stopper.signal };
    const again = () => this.askAgain();
    // A poll that hangs on a pulled cable says nothing for half a minute; the next one says it at once.
    globalThis.addEventListener?.("offline", again, options);
    globalThis.addEventListener?.("pageshow", again, options);
    globalThis.document?.addEventListener(
      "visibilitychange",
      () => document.visibilityState === "visible" && this.state === "reconnecting" && again(),
      options,
    );
    this.polling = this.poll();
  }

  /** No more polls, no more messages. */
  stop() {
    this.stopper.abort();
    this.poller.abort();
  }

  /** Drop the poll that hangs on a connection which may be dead. */
  askAgain() {
    this.poller.abort();
  }

  /**
   * Send one message. Returns at once; it is on its way until the server has it.
   *
   * @param {string} to    a participant's id, or "*"
   * @param {string} kind
   * @param {object} body
   */
  send(to, kind, body) {
    if (this.stopper.signal.aborted) return;
    this.sentN += 1;
    const message = { n: this.sentN, to, kind, body };
    this.outgoing.push(message);
    this.sent = [...this.sent, message].slice(-MOST_REMEMBERED);
    if (!this.sending) void this.flush();
  }

  /**
   * What we have sent, for when the server says that it could not be delivered.
   *
   * @param {number} n
   * @param {string} to  whom it did not reach
   * @returns {{kind: string, body: any} | undefined}
   */
  sentAs(n, to) {
    return this.sent.find((message) => message.n === n && (message.to === to || message.to === "*"));
  }

  /** Post what waits, in order, each batch until the server has it. */
  async flush() {
    this.sending = true;
    // Everything said in this turn of the page's loop goes in one request.
    await Promise.resolve();
    let failures = 0;
    while (this.outgoing.length > 0 && !this.stopper.signal.aborted) {
      const batch = this.outgoing.slice(0, this.singly > 0 ? 1 : MOST_IN_ONE_POST);
      try {
        await call("POST", "/messages", { token: this.token, body: { messages: batch }, signal: this.stopper.signal, fetch: this.fetch });
        this.outgoing.splice(0, batch.length);
        this.singly = Math.max(0, this.singly - 1);
        failures = 0;
      } catch (error) {
        if (this.stopper.signal.aborted) break;
        failures += 1;
        if (error instanceof Refused) {
          this.refused(error, batch);
          // Mended at once; only a server that will not agree is given time.
          if (failures <= MOST_IN_ONE_POST) continue;
        }
        const asked = error instanceof Away ? error.retryAfterS * 1000 : 0;
        await this.pause(Math.max(asked, backoffMs(failures)), this.stopper.signal);
      }
    }
    this.sending = false;
  }

  /**
   * The server will not have this batch, however often we ask.
   *
   * @param {Refused} error
   * @param {{n: number, to: string}[]} batch
   */
  refused(error, batch) {
    if (error.status === 401 || error.status === 410) {
      this.end("gone");
      return;
    }
    if (error.code === "number-skipped" && typeof error.problem.expected === "number") {
      this.renumber(error.problem.expected);
      return;
    }
    if (batch.length > 1) {
      // All or none: one of them is at fault. Each by itself says which.
      this.singly = batch.length;
      return;
    }
    console.warn("mailbox: a message was refused and is left out", error.code);
    this.singly = Math.max(0, this.singly - 1);
    const dropped = this.outgoing.shift();
    this.sent = this.sent.filter((one) => one !== dropped);
    this.renumber(batch[0].n);
  }

  /** @param {number} from */
  renumber(from) {
    this.outgoing.forEach((message, index) => (message.n = from + index));
    this.sentN = from + this.outgoing.length - 1;
  }

  /** Ask, hand on, ask again. */
  async poll() {
    let failures = 0;
    while (!this.stopper.signal.aborted) {
      this.poller = new AbortController();
      const askedS = this.waitS;
      const began = Date.now();
      try {
        const answer = await this.ask({
          token: this.token,
          after: this.after,
          waitS: askedS,
          timeoutMs: askedS * 1000 + GRACE_MS,
          signal: this.poller.signal,
          fetch: this.fetch,
        });
        failures = 0;
        this.become("connected");
        this.learn(() => this.profile.answered(askedS, answer.messages.length === 0 && Date.now() - began >= askedS * 900, answer.cut_s));
        this.take(answer);
        if (answer.reconnect) await this.pause(Math.random() * 1000, this.stopper.signal);
        else if (askedS === 0 && answer.messages.length === 0) await this.pause(SHORT_PAUSE_S * 1000, this.poller.signal);
      } catch (error) {
        if (this.stopper.signal.aborted) return;
        if (error instanceof Refused) {
          this.end(error.code === "replaced" ? "replaced" : "gone");
          return;
        }
        if (this.poller.signal.aborted) continue;
        failures += 1;
        const lastedS = (Date.now() - began) / 1000;
        const isBusy = error instanceof Away && (error.status === 429 || error.status === 503);
        // What fails at once is a network that is away; what fails after a while, once, is one that cuts quiet requests.
        if (failures === 1 && !isBusy) this.learn(() => (lastedS > askedS + 1 ? this.profile.silent() : this.profile.cut(lastedS)));
        if (failures > 1 || lastedS < 1) this.become("reconnecting");
        const asked = error instanceof Away ? error.retryAfterS * 1000 : 0;
        await this.pause(Math.max(asked, backoffMs(failures)), this.poller.signal);
      }
    }
  }

  /** @param {() => void} lesson */
  learn(lesson) {
    const before = JSON.stringify(this.profile.toRemember);
    lesson();
    if (JSON.stringify(this.profile.toRemember) !== before) remember(this.profile.toRemember);
  }

  /** @param {{messages: Message[]}} answer */
  take(answer) {
    for (const message of answer.messages) {
      if (message.seq <= this.after) continue;
      if (message.seq !== this.after + 1) console.error(`mailbox: message ${message.seq} follows ${this.after}; one is missing`);
      this.after = message.seq;
      try {
        this.onMessage(message);
      } catch (error) {
        console.error("mailbox: a message could not be taken in", message.kind, error);
      }
    }
  }

  /** @param {"replaced" | "gone"} state */
  end(state) {
    if (this.stopper.signal.aborted) return;
    this.stop();
    this.become(state);
  }

  /** @param {MailboxState} state */
  become(state) {
    if (state === this.state) return;
    this.state = state;
    this.onState(state);
  }
}
