// One poller a browser: a browser keeps six connections to a server, and six tabs with a parked poll each would leave none.
//
// The tab that holds the lock polls for all; the others hand it their polls through a channel, and get the answers back. With
// one tab nothing of this happens: a poll is a plain GET. (W3C Web Locks API; BroadcastChannel of the HTML standard.)

import { Away, Refused, call, server } from "./api.js";

/**
 * @typedef {{token: string, after: number, waitS: number, timeoutMs: number}} Poll  one poll of one mailbox
 * @typedef {Poll & {signal: AbortSignal, fetch?: typeof fetch}} Ask
 * @typedef {{messages: any[], wait_s: number, cut_s?: number, reconnect?: boolean}} Answer
 * @typedef {Poll & {resolve: (answer: Answer) => void, reject: (error: unknown) => void}} Pending
 * @typedef {{refused: boolean, status: number, problem: any, message: string, retryAfterS: number}} Failure
 * @typedef {({kind: "leads"} | {kind: "ask", id: string, poll: Poll} | {kind: "forget", id: string}
 *   | {kind: "answer", id: string, answer: Answer} | {kind: "failed", id: string, failure: Failure})} Word
 */

const NAME = "letterbox.poll";
/** The other tabs' next polls all come within this. */
const GATHER_MS = 30;
/** A leader that does not answer in all its time has gone in a way nobody noticed. */
const PATIENCE_MS = 3000;

/**
 * Ask one mailbox by ourselves.
 *
 * @param {Ask} ask
 * @returns {Promise<Answer>}
 */
export function askAlone({ token, after, waitS, timeoutMs, signal, fetch }) {
  return call("GET", `/mailbox?after=${after}&wait_s=${waitS}&nonce=${nonce()}`, { token, signal, timeoutMs, fetch });
}

export class Tabs {
  /** @param {{locks: LockManager, channel: BroadcastChannel, fetch?: typeof fetch}} browser */
  constructor({ locks, channel, fetch }) {
    this.channel = channel;
    this.fetch = fetch;
    this.leads = false;
    this.hasOthers = false;
    /** @type {Map<string, Pending>} our polls; and, where we lead, those of the others */
    this.pending = new Map();
    this.round = new AbortController();
    channel.onmessage = ({ data }) => this.heard(data);
    /** Whether we lead is known as soon as the lock was given, or not. */
    this.known = new Promise((resolve, reject) => {
      // Refused in a frame of another site, where the browser forbids storage.
      locks.request(NAME + server, { ifAvailable: true }, (lock) => {
        resolve(undefined);
        if (lock) return this.lead();
        void locks.request(NAME + server, () => this.lead());
      }).catch(reject);
    });
  }

  /** From now until this tab is gone. */
  lead() {
    this.leads = true;
    this.say({ kind: "leads" });
    this.again();
    return new Promise(() => undefined);
  }

  /**
   * @param {Ask} ask
   * @returns {Promise<Answer>}
   * @throws {Refused | Away}
   */
  async ask({ token, after, waitS, timeoutMs, signal }) {
    await this.known;
    const id = nonce();
    const poll = { token, after, waitS, timeoutMs };
    /** @type {(() => void)[]} */
    const ends = [];
    try {
      return await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Away("the tab that polls for all is silent")), timeoutMs + PATIENCE_MS);
        const stop = () => reject(signal.reason);
        signal.addEventListener("abort", stop);
        ends.push(() => clearTimeout(timer), () => signal.removeEventListener("abort", stop));
        if (signal.aborted) stop();
        this.pending.set(id, { ...poll, resolve, reject });
        if (this.leads) this.again();
        else this.say({ kind: "ask", id, poll });
      });
    } finally {
      ends.forEach((end) => end());
      if (this.pending.delete(id)) this.forgotten(id);
    }
  }

  /** @param {string} id  one that is asked no more, without an answer: the connection may be dead */
  forgotten(id) {
    if (this.leads) this.again();
    else this.say({ kind: "forget", id });
  }

  /** @param {Word} word */
  heard(word) {
    if (word.kind === "leads") {
      for (const [id, { token, after, waitS, timeoutMs }] of this.pending) this.say({ kind: "ask", id, poll: { token, after, waitS, timeoutMs } });
    } else if (word.kind === "answer" || word.kind === "failed") {
      const pending = this.taken(word.id);
      if (word.kind === "answer") pending?.resolve(word.answer);
      else pending?.reject(errorOf(word.failure));
    } else if (this.leads && word.kind === "ask") {
      const { id, poll } = word;
      this.hasOthers = true;
      const resolve = (/** @type {Answer} */ answer) => this.say({ kind: "answer", id, answer });
      const reject = (/** @type {unknown} */ error) => this.say({ kind: "failed", id, failure: failureOf(error) });
      this.pending.set(id, { ...poll, resolve, reject });
      this.again();
    } else if (this.leads && word.kind === "forget" && this.pending.delete(word.id)) {
      this.again();
    }
  }

  /** @param {Word} word */
  say(word) {
    this.channel.postMessage(word);
  }

  /** @param {string} id */
  taken(id) {
    const pending = this.pending.get(id);
    this.pending.delete(id);
    return pending;
  }

  /** Begin a new round with all that is to be asked now. */
  again() {
    this.round.abort();
    const round = (this.round = new AbortController());
    if (!this.hasOthers) void this.run(round.signal);
    else setTimeout(() => !round.signal.aborted && void this.run(round.signal), GATHER_MS);
  }

  /** @param {AbortSignal} signal */
  async run(signal) {
    const asked = [...this.pending];
    if (asked.length === 0) return;
    const polls = asked.map(([, poll]) => poll);
    try {
      const answers = await (asked.length === 1 ? this.askOne(polls[0], signal) : this.askAll(polls, signal));
      if (signal.aborted) return;
      // Ended before its answers are passed on: who gets one asks again at once, which must not cut this round short.
      this.round = new AbortController();
      asked.forEach(([id], index) => this.settle(id, answers[index]));
      if (this.pending.size > 0) this.again();
    } catch (error) {
      if (signal.aborted) return;
      this.round = new AbortController();
      for (const [id] of asked) this.taken(id)?.reject(error);
    }
  }

  /**
   * @param {Poll} poll
   * @param {AbortSignal} signal
   * @returns {Promise<(Answer | {problem: any} | null)[]>}
   */
  async askOne(poll, signal) {
    return [await askAlone({ ...poll, signal, fetch: this.fetch })];
  }

  /**
   * @param {Poll[]} asked
   * @param {AbortSignal} signal
   * @returns {Promise<(Answer | {problem: any} | null)[]>}
   */
  async askAll(asked, signal) {
    const polls = asked.map(({ token, after }) => ({ token, after, nonce: nonce() }));
    const body = { polls, wait_s: Math.min(...asked.map(({ waitS }) => waitS)) };
    const timeoutMs = Math.min(...asked.map((one) => one.timeoutMs));
    try {
      return (await call("POST", "/mailboxes", { body, signal, timeoutMs, fetch: this.fetch })).mailboxes;
    } catch (error) {
      // It says nothing of any one mailbox: what does comes in the answer, each in its place.
      if (error instanceof Refused) throw new Away(error.message, error.status);
      throw error;
    }
  }

  /**
   * @param {string} id
   * @param {Answer | {problem: any} | null} answer  null: nothing yet
   */
  settle(id, answer) {
    // Nothing for this one: an answer all the same, or its tab would think us gone.
    if (answer === null) this.taken(id)?.resolve({ messages: [], wait_s: 0 });
    else if (!("problem" in answer)) this.taken(id)?.resolve(answer);
    // Replaced by ourselves, while one tab took over from another: asked again in the next round.
    else if (answer.problem.type !== "/problems/replaced") this.taken(id)?.reject(new Refused(answer.problem.status, answer.problem));
  }
}

/**
 * An error does not pass a channel as what it is.
 *
 * @param {unknown} error
 * @returns {Failure}
 */
function failureOf(error) {
  const refused = error instanceof Refused;
  const status = error instanceof Refused || error instanceof Away ? error.status : 0;
  return {
    refused,
    status,
    problem: refused ? error.problem : null,
    message: String(error),
    retryAfterS: error instanceof Away ? error.retryAfterS : 0,
  };
}

/** @param {Failure} failure */
function errorOf({ refused, status, problem, message, retryAfterS }) {
  return refused ? new Refused(status, problem) : new Away(message, status, retryAfterS);
}

/** New for each poll: by it the server tells a poll repeated by a proxy from a new one. */
function nonce() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @type {Tabs | undefined} */
let tabs;

/**
 * Ask one mailbox, together with the other tabs of this browser where it can do that.
 *
 * @param {Ask} ask
 * @returns {Promise<Answer>}
 */
export function askTogether(ask) {
  // Only secure pages have locks.
  if (!globalThis.navigator?.locks) return askAlone(ask);
  tabs ??= new Tabs({ locks: navigator.locks, channel: new BroadcastChannel(NAME + server) });
  const { known } = tabs;
  return known.then(
    () => /** @type {Tabs} */ (tabs).ask(ask),
    () => askAlone(ask),
  );
}
