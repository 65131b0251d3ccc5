// The room in a frame of another page: what that page asks for, what it is told, what it may have done. docs/embed.md is its manual.
//
// Asked for by the room's address, read once: embed=1, and then name=, camera=off, microphone=off, layout=, join=now here; chat=off,
// recording=off, theme=, lang= by the server, which draws the page so.
//
// Told, by postMessage to the page that holds the frame and to nobody else:
//   {source: "letterbox", event, detail}
//     ready               {room, title}                        listening from now on
//     joined              {participant, participants}          we are in; and who was there before
//     left                {reason}                             left, removed, closed, replaced
//     participant-joined  {participant}                        {id, name, kind, role}
//     participant-left    {participant, reason}
//     recording           {state, by}                          state null: none; else as in PROTOCOL.md
//     muted               {muted}
//     camera              {on}
//     error               {code, title, detail}                could not join
// May have done, in a call:
//   {target: "letterbox", command: "mute" | "unmute" | "camera-on" | "camera-off" | "leave" | "chat"}
//   and at any time "hello", which is answered by `ready`.
//
// The server says which origins may do this (LETTERBOX_EMBED_ORIGINS); its Content-Security-Policy lets no other show the frame at all.
// Who the page is tells the browser: location.ancestorOrigins, else the referrer, else the origin of the first message.

/** @typedef {import("./room.js").Room} Room */
/** @typedef {import("./room.js").Participant} Participant */
/** @typedef {{microphone: () => unknown, camera: () => unknown, leave: () => unknown, chat: () => unknown}} Controls */

/** So much is kept for a page that has not yet shown who it is. */
const MOST_WAITING = 100;

/** @param {string} search  of the room's address */
export function optionsIn(search) {
  const asked = new URLSearchParams(search);
  const isEmbedded = asked.get("embed") === "1";
  const said = (/** @type {string} */ name) => (isEmbedded && asked.get(name)) || "";
  return {
    isEmbedded,
    name: said("name").trim().slice(0, 80),
    microphone: said("microphone") !== "off",
    camera: said("camera") !== "off",
    chat: said("chat") !== "off",
    recording: said("recording") !== "off",
    joinsNow: said("join") === "now",
    layout: said("layout"),
  };
}

/**
 * @param {string} origin
 * @param {string} allowed  as the server says it: origins with blanks between, `*` for all
 * @param {string} own      a page of ours may always
 */
export function isAllowed(origin, allowed, own) {
  const known = allowed.split(" ");
  return /^https?:/.test(origin) && (origin === own || known.includes(origin) || known.includes("*"));
}

/**
 * @param {{ancestorOrigins?: ArrayLike<string>}} location
 * @param {string} referrer
 * @returns {string} of the page that holds us, "" when the browser does not say
 */
export function originOfParent(location, referrer) {
  if (location.ancestorOrigins?.length) return location.ancestorOrigins[0];
  try {
    return new URL(referrer).origin;
  } catch {
    return "";
  }
}

/** @param {Participant} participant */
const told = ({ id, name, kind, role }) => ({ id, name, kind, role });

export class Embedding {
  /**
   * @param {Room} room
   * @param {any} [page]  the window
   */
  constructor(room, page = globalThis) {
    this.room = room;
    this.options = optionsIn(page.location.search);
    this.allowed = page.document.body.dataset.embedOrigins ?? "";
    this.own = page.location.origin;
    this.title = page.document.body.dataset.roomTitle ?? "";
    this.parent = this.options.isEmbedded && page.parent !== page ? page.parent : null;
    const origin = this.parent ? originOfParent(page.location, page.document.referrer) : "";
    this.origin = this.isAllowed(origin) ? origin : "";
    this.isJoined = false;
    /** @type {object[]} */
    this.waiting = [];
    /** @type {Map<string, string>} what we have said last of what changes */
    this.said = new Map();
    /** @type {import("./room.js").Recording | null} */
    this.recording = null;
    /** @type {Controls | null} */
    this.controls = null;
    if (!this.parent) return;
    this.follow();
    page.addEventListener("message", (/** @type {MessageEvent} */ event) => this.heard(event));
  }

  /** @param {string} origin */
  isAllowed(origin) {
    return isAllowed(origin, this.allowed, this.own);
  }

  /** Hear what the room tells the page, too. */
  follow() {
    const { on } = this.room;
    this.room.on = {
      ...on,
      joined: (participant) => {
        on.joined(participant);
        if (this.isJoined) this.tell("participant-joined", { participant: told(participant) });
      },
      left: (participant, reason) => {
        on.left(participant, reason);
        // Who leaves sees all others go: that is not worth telling.
        if (this.isJoined && this.room.token) this.tell("participant-left", { participant: told(participant), reason });
      },
      recording: (now, mark, alarms) => {
        this.recording = now;
        on.recording(now, mark, alarms);
        this.showed();
      },
    };
  }

  /**
   * From now on.
   *
   * @param {Controls} controls
   */
  listen(controls) {
    this.controls = controls;
    this.ready();
  }

  ready() {
    this.tell("ready", { room: this.room.id, title: this.title });
  }

  /** What the address asks for before the call. Into it without a press only where a page we know holds us. */
  wish() {
    const { isEmbedded, name, microphone, camera, joinsNow } = this.options;
    return isEmbedded ? { name, microphone, camera, now: joinsNow && name !== "" && this.origin !== "" } : null;
  }

  /**
   * @template {string} Layout
   * @param {Layout} chosen
   * @param {readonly Layout[]} known
   * @returns {Layout} as the address asks, else as the person has chosen before
   */
  layout(chosen, known) {
    return known.find((one) => one === this.options.layout) ?? chosen;
  }

  /**
   * What is switched off has no key either.
   *
   * @param {Record<string, unknown>} keys
   */
  limit(keys) {
    if (!this.options.chat) delete keys.c;
    if (!this.options.recording) delete keys.k;
  }

  /** Our own state was drawn anew. */
  showed() {
    // Drawn already while we join, when not everybody is known yet.
    if (!this.isJoined) return;
    const { mediaState } = this.room;
    this.change("muted", { muted: !mediaState.microphone });
    this.change("camera", { on: mediaState.camera });
    this.change("recording", { state: this.recording?.state ?? null, by: this.recording?.by ?? "" });
  }

  /** We are in. */
  joined() {
    const { me, participants } = this.room;
    if (!this.parent || !me) return;
    this.isJoined = true;
    this.tell("joined", { participant: told(me), participants: [...participants.values()].map(told) });
    this.showed();
  }

  /** @param {string} reason */
  left(reason) {
    this.isJoined = false;
    this.said.clear();
    this.tell("left", { reason });
  }

  /** @param {{name: string, message: string, code?: string, title?: string}} error */
  failed({ name, message, code = name.toLowerCase(), title = "" }) {
    this.tell("error", { code, title, detail: message });
  }

  /**
   * @param {string} event
   * @param {object} detail
   */
  change(event, detail) {
    const text = JSON.stringify(detail);
    if (this.said.get(event) === text) return;
    this.said.set(event, text);
    this.tell(event, detail);
  }

  /**
   * @param {string} event
   * @param {object} detail
   */
  tell(event, detail) {
    if (!this.parent) return;
    const message = { source: "letterbox", event, detail };
    if (this.origin) this.parent.postMessage(message, this.origin);
    else if (this.waiting.length < MOST_WAITING) this.waiting.push(message);
  }

  /** @param {{source: unknown, origin: string, data: any}} event */
  heard({ source, origin, data }) {
    if (source !== this.parent || data?.target !== "letterbox" || !this.isAllowed(origin)) return;
    if (!this.origin) {
      this.origin = origin;
      for (const message of this.waiting.splice(0)) this.parent.postMessage(message, origin);
    }
    if (origin === this.origin) this.obey(data.command);
  }

  /** @param {string} command */
  obey(command) {
    const { microphone, camera } = this.room.mediaState;
    if (command === "hello") this.ready();
    if (!this.controls || !this.isJoined) return;
    if (command === (microphone ? "mute" : "unmute")) this.controls.microphone();
    else if (command === (camera ? "camera-off" : "camera-on")) this.controls.camera();
    else if (command === "leave") this.controls.leave();
    else if (command === "chat" && this.options.chat) this.controls.chat();
  }
}
