// The pictures: a tile for each person, and one for each shared screen. layout.js says where they stand.

import { find, make, setIcon } from "./dom.js";
import { arrange } from "./layout.js";
import { t } from "./text.js";

/** @typedef {import("./room.js").Participant} Participant */
/** @typedef {import("./layout.js").Layout} Layout */

/** @param {string} name */
const initials = (name) =>
  name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => [...word][0] ?? "")
    .join("")
    .toUpperCase();

/**
 * @param {HTMLVideoElement} video
 * @returns {MediaStreamTrack[]}
 */
const tracksOf = (video) => (video.srcObject instanceof MediaStream ? video.srcObject.getTracks() : []);

const screenOf = (/** @type {string} */ id) => `${id} screen`;

export class Tiles {
  /**
   * @param {object} on
   * @param {() => void} on.blocked   the browser will not play before the person has pressed something: then call play()
   * @param {() => void} on.arranged  who is seen how large has changed
   */
  constructor(on) {
    this.on = on;
    this.root = find("#tiles");
    this.more = find("#more-people");
    /** @type {Map<string, HTMLElement>} in order of coming */
    this.tiles = new Map();
    /** @type {Map<string, boolean>} whose camera is on, in their own words, which may come before the track */
    this.cameras = new Map();
    /** @type {import("./layout.js").View} */
    this.view = { layout: "grid", pinned: "", recent: [] };
    this.sink = "";
    new ResizeObserver(() => this.arrange()).observe(this.root);
  }

  /**
   * @param {Participant} participant
   * @param {boolean} isMe
   */
  add(participant, isMe) {
    if (participant.kind !== "person") return;
    const tile = this.make(participant.id, isMe ? t("tile.you", { name: participant.name }) : participant.name);
    tile.dataset.participant = participant.id;
    tile.classList.toggle("mine", isMe);
    find(".initials", tile).textContent = initials(participant.name);
    if (isMe) find("video", tile).muted = true;
    else this.setState(participant.id, "connecting");
    this.arrange();
  }

  /**
   * @param {string} key
   * @param {string} name
   */
  make(key, name) {
    const tile = make("tile");
    find(".name", tile).textContent = name;
    tile.dataset.key = key;
    const pin = find("[data-testid=pin]", tile);
    pin.addEventListener("click", () => this.pin(key));
    find("video", tile).addEventListener("dblclick", () => this.pin(key));
    const out = find("[data-testid=picture-in-picture]", tile);
    out.hidden = !document.pictureInPictureEnabled;
    out.addEventListener("click", () => void this.pictureInPicture(key));
    this.tiles.set(key, tile);
    this.more.before(tile);
    this.drawPin(key);
    if (this.sink) void this.playOn(find("video", tile));
    return tile;
  }

  /** @param {string} key */
  drop(key) {
    const tile = this.tiles.get(key);
    if (!tile) return;
    find("video", tile).srcObject = null;
    tile.remove();
    this.tiles.delete(key);
    if (this.view.pinned === key) this.view.pinned = "";
  }

  /** @param {string} id */
  remove(id) {
    this.drop(id);
    this.drop(screenOf(id));
    this.cameras.delete(id);
    this.arrange();
  }

  /**
   * @param {Participant} participant
   * @param {MediaStreamTrack} track
   * @param {import("./peer.js").Source} source
   */
  show(participant, track, source) {
    const isScreen = source.startsWith("screen");
    const key = isScreen ? screenOf(participant.id) : participant.id;
    const tile = this.tiles.get(key) ?? (isScreen ? this.makeScreen(participant) : null);
    if (!tile) return;
    const video = find("video", tile);
    video.srcObject = new MediaStream([...tracksOf(video).filter(({ kind }) => kind !== track.kind), track]);
    void this.playOne(video);
    this.drawPicture(key);
  }

  /** @param {Participant} participant */
  makeScreen(participant) {
    const tile = this.make(screenOf(participant.id), t("tile.screen", { name: participant.name }));
    tile.classList.add("screen");
    this.arrange();
    return tile;
  }

  /** @param {HTMLVideoElement} video */
  async playOne(video) {
    try {
      await video.play();
    } catch (error) {
      // The other reason, AbortError, is a track that took the place of this one.
      if (error instanceof DOMException && error.name === "NotAllowedError") this.on.blocked();
    }
  }

  /** All of them, now that the person has pressed something. */
  play() {
    for (const tile of this.tiles.values()) void this.playOne(find("video", tile));
  }

  /**
   * @param {Participant} participant
   * @param {import("./peer.js").Source} source
   */
  hide(participant, source) {
    if (source === "screen") {
      this.drop(screenOf(participant.id));
      this.arrange();
    } else if (source === "camera") {
      const tile = this.tiles.get(participant.id);
      if (!tile) return;
      const video = find("video", tile);
      video.srcObject = new MediaStream(tracksOf(video).filter(({ kind }) => kind !== "video"));
      void this.playOne(video);
      this.drawPicture(participant.id);
    }
  }

  // -- what is said of a person -----------------------------------------------------------------------------------------------

  /**
   * @param {string} id
   * @param {{microphone: boolean, camera: boolean, hand_at_ms?: number}} state
   */
  setMedia(id, state) {
    const tile = this.tiles.get(id);
    if (!tile) return;
    find(".muted", tile).hidden = state.microphone;
    find(".hand", tile).hidden = !state.hand_at_ms;
    this.cameras.set(id, state.camera);
    this.drawPicture(id);
  }

  /**
   * @param {string} id
   * @param {string} mark  why this person is not in the recording; "": is, or there is none
   */
  setMark(id, mark) {
    const tile = this.tiles.get(id);
    if (!tile) return;
    const note = find(".mark", tile);
    note.hidden = mark === "";
    find("span", note).textContent = mark;
  }

  /**
   * A picture, or the initials: a track alone is no picture while its sender says that the camera is off.
   *
   * @param {string} key
   */
  drawPicture(key) {
    const tile = this.tiles.get(key);
    if (!tile) return;
    const hasTrack = tracksOf(find("video", tile)).some(({ kind }) => kind === "video");
    tile.classList.toggle("no-picture", !hasTrack || this.cameras.get(key) === false);
    find("[data-testid=picture-in-picture]", tile).disabled = tile.classList.contains("no-picture");
  }

  /**
   * @param {string} id
   * @param {import("./peer.js").PeerState | import("./fallback.js").Road} state
   */
  setState(id, state) {
    const tile = this.tiles.get(id);
    if (!tile) return;
    tile.dataset.state = state;
    const note = find(".state", tile);
    const isHeard = state === "connected" || state === "http";
    note.hidden = isHeard;
    note.textContent = t(`peer.${state}`);
    if (isHeard) this.setLink(id, state === "http" ? "fair" : "good", state === "http" ? t("peer.http") : "");
  }

  /**
   * @param {string} id
   * @param {import("./link.js").Verdict} verdict
   * @param {string} words  what is to blame; "" for nothing
   */
  setLink(id, verdict, words) {
    const tile = this.tiles.get(id);
    if (!tile) return;
    tile.dataset.link = verdict;
    const sign = find(".link", tile);
    sign.hidden = verdict === "good";
    sign.title = words;
    sign.setAttribute("aria-label", words);
  }

  /**
   * @param {Set<string>} speaking
   * @param {string[]} recent  who had the picture, the latest first
   */
  setSpeaking(speaking, recent) {
    for (const [key, tile] of this.tiles) tile.classList.toggle("speaks", speaking.has(key));
    if (recent.join() === this.view.recent.join()) return;
    this.view.recent = [...recent];
    this.arrange();
  }

  // -- where they stand ---------------------------------------------------------------------------------------------------------

  /** @param {Layout} layout */
  choose(layout) {
    this.view.layout = layout;
    this.arrange();
  }

  /** @param {string} key  the same again: no longer */
  pin(key) {
    const before = this.view.pinned;
    this.view.pinned = before === key ? "" : key;
    for (const one of [before, key]) this.drawPin(one);
    this.arrange();
  }

  /** @param {string} key */
  drawPin(key) {
    const tile = this.tiles.get(key);
    if (!tile) return;
    const isPinned = this.view.pinned === key;
    const name = find(".name", tile).textContent;
    tile.classList.toggle("pinned", isPinned);
    setIcon(find("[data-testid=pin]", tile), isPinned ? "pin-off" : "pin", t(isPinned ? "tile.unpin" : "tile.pin", { name }));
  }

  arrange() {
    const { clientWidth, clientHeight } = this.root;
    const cells = [...this.tiles].map(([key, tile]) => ({ key, isScreen: tile.classList.contains("screen"), isMine: tile.classList.contains("mine") }));
    const { places, more, hidden } = arrange(cells, this.view, clientWidth, clientHeight);
    for (const [key, tile] of this.tiles) {
      const place = places.get(key);
      // Out of sight, but still heard.
      tile.classList.toggle("out-of-sight", !place);
      if (place) put(tile, place);
    }
    this.more.hidden = !more;
    if (more) put(this.more, more);
    this.more.textContent = more ? t("tile.more", { count: hidden }) : "";
    this.on.arranged();
  }

  /**
   * How large somebody's camera is seen here.
   *
   * @param {string} id
   * @returns {number} device pixels of height; 0: not at all
   */
  heightOf(id) {
    const tile = this.tiles.get(id);
    if (!tile || tile.classList.contains("out-of-sight")) return 0;
    return Math.round(tile.clientHeight * (globalThis.devicePixelRatio || 1));
  }

  /** Who of the others matters most just now, into a small window; or back. */
  async takeOut() {
    if (!document.pictureInPictureEnabled) return;
    if (document.pictureInPictureElement) return document.exitPictureInPicture();
    const others = [...this.tiles].filter(([, tile]) => !tile.matches(".mine, .no-picture")).map(([key]) => key);
    const first = [this.view.pinned, ...this.view.recent, ...others].find((key) => others.includes(key));
    if (first) await this.pictureInPicture(first);
  }

  /** @param {string} key */
  async pictureInPicture(key) {
    const tile = this.tiles.get(key);
    if (!tile) return;
    const video = find("video", tile);
    if (document.pictureInPictureElement === video) await document.exitPictureInPicture();
    else await video.requestPictureInPicture().catch(() => undefined);
  }

  // -- where they are heard -----------------------------------------------------------------------------------------------------

  /** @param {string} sink  a loudspeaker's device id, "" for the system's own */
  async listenOn(sink) {
    this.sink = sink;
    await Promise.all([...this.tiles.values()].map((tile) => this.playOn(find("video", tile))));
  }

  /** @param {HTMLVideoElement} video */
  async playOn(video) {
    // One that is gone: the sound stays where it was.
    await video.setSinkId?.(this.sink).catch(() => undefined);
  }
}

/**
 * @param {HTMLElement} element
 * @param {import("./layout.js").Place} place
 */
function put(element, { x, y, width, height }) {
  const { style } = element;
  style.transform = `translate(${x}px, ${y}px)`;
  style.width = `${width}px`;
  style.height = `${height}px`;
}
