// The pictures: a tile for each person, and on the stage one for each shared screen.

import { find, make } from "./dom.js";
import { columnsFor } from "./grid.js";
import { t } from "./text.js";

/** @typedef {import("./room.js").Participant} Participant */

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

export class Tiles {
  /** @param {() => void} onBlocked  the browser will not play before the person has pressed something: then call play() */
  constructor(onBlocked) {
    this.onBlocked = onBlocked;
    this.root = find("#tiles");
    this.screens = find("#screens");
    /** @type {Map<string, HTMLElement>} */
    this.tiles = new Map();
    /** @type {Map<string, boolean>} whose camera is on, in their own words, which may come before the track */
    this.cameras = new Map();
    const watcher = new ResizeObserver(() => this.arrange());
    for (const place of [this.root, this.screens]) watcher.observe(place);
  }

  /**
   * @param {Participant} participant
   * @param {boolean} isMe
   */
  add(participant, isMe) {
    if (participant.kind !== "person") return;
    const tile = this.make(participant.id, this.root, isMe ? t("tile.you", { name: participant.name }) : participant.name);
    tile.dataset.participant = participant.id;
    tile.classList.toggle("mine", isMe);
    find(".initials", tile).textContent = initials(participant.name);
    if (isMe) find("video", tile).muted = true;
    else this.setState(participant.id, "connecting");
  }

  /**
   * @param {string} key
   * @param {HTMLElement} place  among the faces, or on the stage
   * @param {string} name
   */
  make(key, place, name) {
    const tile = make("tile");
    find(".name", tile).textContent = name;
    tile.classList.toggle("screen", place === this.screens);
    this.tiles.set(key, tile);
    place.append(tile);
    this.arrange();
    return tile;
  }

  /** @param {string} id */
  remove(id) {
    for (const key of [id, `${id} screen`]) {
      const tile = this.tiles.get(key);
      if (!tile) continue;
      find("video", tile).srcObject = null;
      tile.remove();
      this.tiles.delete(key);
    }
    this.cameras.delete(id);
    this.arrange();
  }

  /**
   * @param {Participant} participant
   * @param {MediaStreamTrack} track
   * @param {import("./peer.js").Source} source
   */
  show(participant, track, source) {
    const screen = source.startsWith("screen");
    const key = screen ? `${participant.id} screen` : participant.id;
    const tile = this.tiles.get(key) ?? (screen ? this.make(key, this.screens, t("tile.screen", { name: participant.name })) : null);
    if (!tile) return;
    const video = find("video", tile);
    video.srcObject = new MediaStream([...tracksOf(video).filter(({ kind }) => kind !== track.kind), track]);
    void this.playOne(video);
    this.drawPicture(key);
  }

  /** @param {HTMLVideoElement} video */
  async playOne(video) {
    try {
      await video.play();
    } catch (error) {
      // The other reason, AbortError, is a track that took the place of this one.
      if (error instanceof DOMException && error.name === "NotAllowedError") this.onBlocked();
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
      const key = `${participant.id} screen`;
      this.tiles.get(key)?.remove();
      this.tiles.delete(key);
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

  /**
   * @param {string} id
   * @param {{microphone: boolean, camera: boolean}} state
   */
  setMedia(id, state) {
    const tile = this.tiles.get(id);
    if (!tile) return;
    find(".muted", tile).hidden = state.microphone;
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
  }

  /**
   * @param {string} id
   * @param {import("./peer.js").PeerState} state
   */
  setState(id, state) {
    const tile = this.tiles.get(id);
    if (!tile) return;
    tile.dataset.state = state;
    const note = find(".state", tile);
    note.hidden = state === "connected";
    note.textContent = t(`peer.${state}`);
  }

  /** Largest tiles that fit; while a screen is shared, it has the stage, and the faces stand beside it. */
  arrange() {
    const isShared = this.screens.childElementCount > 0;
    this.screens.hidden = !isShared;
    find("#pictures").classList.toggle("has-screen", isShared);
    for (const place of [this.root, this.screens]) {
      const count = place.childElementCount;
      const columns = columnsFor(count, place.clientWidth, place.clientHeight);
      place.style.setProperty("--columns", String(columns));
      place.style.setProperty("--rows", String(Math.ceil(count / columns)));
    }
  }
}
