// The pictures: a tile for each person, one more for each shared screen.

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

export class Tiles {
  constructor() {
    this.root = find("#tiles");
    /** @type {Map<string, HTMLElement>} */
    this.tiles = new Map();
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
  }

  /**
   * @param {string} key
   * @param {string} name
   */
  make(key, name) {
    const tile = make("tile");
    find(".name", tile).textContent = name;
    this.tiles.set(key, tile);
    this.root.append(tile);
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
    let tile = this.tiles.get(key);
    if (!tile && screen) {
      tile = this.make(key, t("tile.screen", { name: participant.name }));
      tile?.classList.add("screen");
    }
    if (!tile) return;
    const video = find("video", tile);
    const others = (video.srcObject?.getTracks() ?? []).filter((/** @type {MediaStreamTrack} */ one) => one.kind !== track.kind);
    video.srcObject = new MediaStream([...others, track]);
    void video.play().catch(() => undefined);
    if (track.kind === "video") this.setPicture(key, true);
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
      this.setPicture(participant.id, false);
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
    this.setPicture(id, state.camera);
  }

  /**
   * @param {string} key
   * @param {boolean} on
   */
  setPicture(key, on) {
    this.tiles.get(key)?.classList.toggle("no-picture", !on);
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

  /** Largest tiles that fit; a shared screen takes the stage. */
  arrange() {
    const { clientWidth, clientHeight } = this.root;
    const screens = [...this.tiles.values()].filter((tile) => tile.classList.contains("screen")).length;
    this.root.classList.toggle("has-screen", screens > 0);
    this.root.style.setProperty("--columns", String(columnsFor(this.tiles.size, clientWidth, clientHeight)));
    this.root.style.setProperty("--rows", String(Math.ceil(this.tiles.size / columnsFor(this.tiles.size, clientWidth, clientHeight))));
  }
}
