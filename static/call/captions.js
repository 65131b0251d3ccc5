// What is said, as text: written by each one's own browser, or by a program in the room. Knows neither HTML nor how speech is heard.
//
// One JSON object, from one participant to another (room.js carries it):
//   {caption: "What I am say", final: false}    what is said so far; the next one stands in its place
//   {caption: "What I am saying.", final: true}
//   {caption: "…", final: true, of: "p5…"}      a program writes for somebody else
//   {captions: "please"}                        somebody would like to read what is said

/**
 * @typedef {import("./room.js").Participant} Participant
 * @typedef {{speaker: string, name: string, by: string, text: string, isFinal: boolean, atMs: number}} Caption  by: the program's name, else ""
 */

const MOST_SHOWN = 3;
const MOST_TEXT = 500;
/** How long a caption stands after its last word. */
const STANDS_MS = 8000;
/** Words that are not final yet are not worth more. */
const BETWEEN_MS = 300;

export class Captions {
  /**
   * @param {object} options
   * @param {(to: string, body: object, how: {onlyDirect: boolean}) => void} options.tell  onlyDirect: not worth a request
   * @param {(id: string) => string | undefined} options.nameOf  a person in the room
   * @param {(captions: Caption[]) => void} options.onChange
   * @param {(participant: Participant) => void} options.onWanted
   * @param {() => number} [options.now]
   */
  constructor({ tell, nameOf, onChange, onWanted, now = Date.now }) {
    this.tell = tell;
    this.nameOf = nameOf;
    this.onChange = onChange;
    this.onWanted = onWanted;
    this.now = now;
    /** Oldest first. @type {Caption[]} */
    this.captions = [];
    this.toldAtMs = 0;
    /** Whose wish we know: nobody is told of it twice. @type {Set<string>} */
    this.readers = new Set();
  }

  /**
   * Our own browser has heard us.
   *
   * @param {Participant} me
   * @param {string} text
   * @param {boolean} isFinal
   */
  say(me, text, isFinal) {
    this.put({ speaker: me.id, name: me.name, by: "", text, isFinal });
    if (!isFinal && this.now() - this.toldAtMs < BETWEEN_MS) return;
    // The next sentence begins at once.
    this.toldAtMs = isFinal ? 0 : this.now();
    this.tell("*", { caption: text.slice(0, MOST_TEXT), final: isFinal }, { onlyDirect: !isFinal });
  }

  /** We would like to read what is said. */
  ask() {
    this.tell("*", { captions: "please" }, { onlyDirect: false });
  }

  /**
   * @param {Participant} from
   * @param {any} body
   * @returns {boolean} whether it was ours to take
   */
  take(from, body) {
    if (body.captions === "please") this.wanted(from);
    else if (typeof body.caption !== "string") return false;
    else if (body.of === undefined) this.put({ speaker: from.id, name: from.name, by: "", text: body.caption, isFinal: body.final === true });
    else this.takeFor(from, body);
    return true;
  }

  /** @param {Participant} from */
  wanted(from) {
    if (this.readers.has(from.id)) return;
    this.readers.add(from.id);
    this.onWanted(from);
  }

  /**
   * Nobody else's words without saying who wrote them.
   *
   * @param {Participant} from
   * @param {any} body
   */
  takeFor(from, body) {
    const name = typeof body.of === "string" ? this.nameOf(body.of) : undefined;
    if (name !== undefined) this.put({ speaker: body.of, name, by: from.name, text: body.caption, isFinal: body.final === true });
  }

  /** @param {Omit<Caption, "atMs">} said */
  put({ text, ...said }) {
    const words = text.trim().slice(0, MOST_TEXT);
    this.captions = this.captions.filter((one) => one.isFinal || one.speaker !== said.speaker);
    if (words !== "") this.captions.push({ ...said, text: words, atMs: this.now() });
    this.captions = this.captions.slice(-MOST_SHOWN);
    this.show();
  }

  /** Those that still stand; looks again when the next one is due to go. */
  show() {
    clearTimeout(this.leaving);
    const now = this.now();
    this.captions = this.captions.filter(({ atMs }) => now - atMs < STANDS_MS);
    this.onChange(this.captions);
    const [oldest] = this.captions;
    if (oldest) this.leaving = setTimeout(() => this.show(), Math.max(50, oldest.atMs + STANDS_MS - now));
  }

  /** The call is over. */
  stop() {
    clearTimeout(this.leaving);
    this.captions = [];
  }
}
