// What people say to each other without voices: chat with its history, and reactions. Knows neither WebRTC nor HTML.
//
// Each saying is one JSON object, from one participant to another (room.js carries it):
//   {text, at_ms, id}              a line of chat
//   {reaction}                     one of REACTIONS, for a moment
//   {history: "please"}            a newcomer asks one who was here before
//   {history: [{id, name, text, at_ms}, …]}   the answer, oldest first

/**
 * @typedef {{id: string, name: string, text: string, atMs: number, isMine: boolean, isOld: boolean}} Line  isOld: from before one came
 * @typedef {import("./room.js").Participant} Participant
 */

export const REACTIONS = ["👍", "👏", "❤️", "😂", "😮", "🎉"];
const MOST_KEPT = 500;
/** As the field lets one write. */
const MOST_TEXT = 4000;
/** What one answer may hold: it may have to go by mailbox. */
const MOST_HISTORY_BYTES = 24_000;
/** One who was asked for the history and does not answer. */
const PATIENCE_MS = 4000;

export class Talk {
  /**
   * @param {object} options
   * @param {(to: string, body: object) => void} options.tell
   * @param {(line: Line, next: Line | undefined) => void} options.onLine  next: the one it stands before
   * @param {(participant: Participant, reaction: string) => void} options.onReaction
   * @param {() => number} [options.now]
   * @param {() => string} [options.newId]
   */
  constructor({ tell, onLine, onReaction, now = Date.now, newId = () => crypto.randomUUID().slice(0, 8) }) {
    this.tell = tell;
    this.onLine = onLine;
    this.onReaction = onReaction;
    this.now = now;
    this.newId = newId;
    /** @type {Line[]} */
    this.lines = [];
    /** Who may know what was said before we came, the longest here first. @type {string[]} */
    this.elders = [];
    this.hasAsked = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.waiting = undefined;
  }

  /**
   * @param {Participant} me
   * @param {string} text
   */
  say(me, text) {
    const body = { text: text.slice(0, MOST_TEXT), at_ms: this.now(), id: this.newId() };
    this.tell("*", body);
    this.keep({ id: body.id, name: me.name, text: body.text, atMs: body.at_ms, isMine: true, isOld: false });
  }

  /** @param {string} reaction */
  react(reaction) {
    this.tell("*", { reaction });
  }

  /**
   * Something was said to us. What makes no sense is passed over.
   *
   * @param {Participant} from
   * @param {any} body
   */
  take(from, body) {
    if (typeof body.text === "string") this.keep(lineOf({ ...body, name: from.name }, this.now(), false));
    else if (REACTIONS.includes(body.reaction)) this.onReaction(from, body.reaction);
    else if (body.history === "please") this.tell(from.id, { history: this.history() });
    else if (Array.isArray(body.history) && from.id === this.elders[0]) this.learn(body.history);
  }

  // -- what was said before one came ------------------------------------------------------------------------------------------

  /**
   * We have come in.
   *
   * @param {Participant[]} others  who was here before, in order of joining
   */
  arrive(others) {
    this.elders = others.filter(({ kind }) => kind === "person").map(({ id }) => id);
    this.waiting = setTimeout(() => this.ask(), PATIENCE_MS);
  }

  /**
   * The way to somebody is open: if it is the one to ask, ask. Where none opens, the mailbox carries it when patience ends.
   *
   * @param {string} id
   */
  canAsk(id) {
    if (id === this.elders[0] && !this.hasAsked) this.ask();
  }

  ask() {
    clearTimeout(this.waiting);
    this.hasAsked = true;
    const [first] = this.elders;
    if (!first) return;
    this.tell(first, { history: "please" });
    this.waiting = setTimeout(() => {
      this.elders.shift();
      this.ask();
    }, PATIENCE_MS);
  }

  /** @param {string} id  who has left */
  forget(id) {
    const wasAsked = this.elders[0] === id && this.hasAsked;
    this.elders = this.elders.filter((one) => one !== id);
    if (wasAsked) this.ask();
  }

  stop() {
    clearTimeout(this.waiting);
    this.elders = [];
  }

  /** @param {any[]} history */
  learn(history) {
    this.stop();
    for (const one of history.slice(-MOST_KEPT)) {
      if (one !== null && typeof one === "object" && typeof one.text === "string") this.keep(lineOf(one, this.now(), true));
    }
  }

  /** The latest of it, as much as goes into one answer. */
  history() {
    const kept = [];
    let bytes = 0;
    for (const { id, name, text, atMs } of this.lines.toReversed()) {
      const one = { id, name, text, at_ms: atMs };
      bytes += new TextEncoder().encode(JSON.stringify(one)).length;
      if (bytes > MOST_HISTORY_BYTES) break;
      kept.unshift(one);
    }
    return kept;
  }

  /**
   * In its place by time, once.
   *
   * @param {Line} line
   */
  keep(line) {
    if (this.lines.some(({ id }) => id === line.id)) return;
    const after = this.lines.findLastIndex(({ atMs, isOld }) => (line.isOld ? isOld && atMs <= line.atMs : true));
    this.lines.splice(after + 1, 0, line);
    this.onLine(line, this.lines[after + 2]);
    if (this.lines.length > MOST_KEPT) this.lines.shift();
  }
}

/**
 * @param {{id?: unknown, name?: unknown, text: string, at_ms?: unknown}} said
 * @param {number} nowMs
 * @param {boolean} isOld
 * @returns {Line}
 */
function lineOf({ id, name, text, at_ms: atMs }, nowMs, isOld) {
  const time = Number(atMs);
  const known = Number.isFinite(time) && Math.abs(time) < 8.64e15 ? time : nowMs;
  return {
    id: typeof id === "string" && id !== "" ? id.slice(0, 40) : `${name} ${known} ${text.length}`,
    name: String(name ?? "").slice(0, 80), text: text.slice(0, MOST_TEXT), atMs: known, isMine: false, isOld,
  };
}
