// Some people's own tracks in place of the film, in step with it: the film keeps the clock, unseen and unheard.

import { find, make } from "../call/dom.js";
import { t } from "../call/text.js";

/** @typedef {{participant: string, name: string, source: string, kind: string, url: string, start: number, end: number}} Own  seconds of the film */

/** Further apart than this, seconds, a track is put where it belongs; less far, it is played a little faster or slower. */
const JUMP_S = 0.35;
const MOST_STRETCH = 0.08;
/** How often that is looked at: often enough to be in step before it is noticed. */
const LOOK_MS = 200;

/**
 * How fast a track is to be played, so that it comes back in step within a second.
 *
 * @param {number} behind  how far it is behind the film, seconds; below 0: ahead
 * @param {number} speed   of the film
 */
export const speedOf = (behind, speed) => speed * (1 + Math.max(-MOST_STRETCH, Math.min(MOST_STRETCH, behind)));

/**
 * What the manifest and the files say of everybody's tracks.
 *
 * @param {{participants: {id: string, name: string}[], tracks: {file: string, participant: string, source: string, kind: string, start_us: number, duration_us: number}[]}} manifest
 * @param {import("./card.js").Artifact[]} artifacts
 * @param {number} from  the film's beginning in the recording, seconds
 * @param {number} to    its end
 * @returns {Own[]}
 */
export function tracksOf(manifest, artifacts, from, to) {
  const names = new Map(manifest.participants.map(({ id, name }) => [id, name]));
  const urls = new Map(artifacts.filter(({ kind }) => kind === "track").map(({ meta, url }) => [meta.file, url]));
  return manifest.tracks
    .map(({ file, participant, source, kind, start_us: us, duration_us: lasts }) => {
      const start = us / 1e6 - from;
      return { participant, name: names.get(participant) ?? participant, source, kind, url: urls.get(file) ?? "", start, end: start + lasts / 1e6 };
    })
    .filter(({ url, start, end }) => url && end > 0 && start < to - from);
}

export class Together {
  /**
   * @param {HTMLElement} item  the recording's card
   * @param {HTMLVideoElement} film
   */
  constructor(item, film) {
    this.film = film;
    this.bar = find("[data-testid=people]", item);
    this.stage = find("[data-testid=together]", item);
    /** @type {Own[]} */
    this.tracks = [];
    /** @type {Set<string>} */
    this.chosen = new Set();
    /** @type {Map<Own, HTMLMediaElement>} */
    this.playing = new Map();
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.looking = undefined;
    /** Of what is heard, film or tracks. */
    this.isMuted = false;
    this.volume = 1;
    for (const event of ["play", "pause", "seeked", "ratechange"]) film.addEventListener(event, () => this.follow());
  }

  /** @param {Own[]} tracks */
  show(tracks) {
    this.tracks = tracks;
    const people = new Map(tracks.map(({ participant, name }) => [participant, name]));
    for (const one of this.chosen) if (!people.has(one)) this.chosen.delete(one);
    // Of one person alone there is no choice.
    find(".choices", this.bar).replaceChildren(...[...people].map(([id, name]) => this.choice(id, name)));
    this.bar.hidden = people.size < 2;
    this.draw();
  }

  /**
   * @param {string} participant
   * @param {string} name
   */
  choice(participant, name) {
    const button = /** @type {HTMLButtonElement} */ (make("choice"));
    button.textContent = name;
    button.setAttribute("aria-pressed", String(this.chosen.has(participant)));
    button.addEventListener("click", () => {
      if (!this.chosen.delete(participant)) this.chosen.add(participant);
      button.setAttribute("aria-pressed", String(this.chosen.has(participant)));
      this.draw();
    });
    return button;
  }

  draw() {
    const wanted = new Set(this.tracks.filter(({ participant }) => this.chosen.has(participant)));
    for (const [own, element] of this.playing) if (!wanted.has(own)) this.drop(own, element);
    for (const own of wanted) if (!this.playing.has(own)) this.add(own);
    const isOn = wanted.size > 0;
    if (isOn !== Boolean(this.looking)) this.turn(isOn);
    this.follow();
  }

  /** @param {boolean} isOn */
  turn(isOn) {
    this.stage.hidden = !isOn;
    this.film.inert = isOn;
    this.sound();
    clearInterval(this.looking);
    this.looking = isOn ? setInterval(() => this.follow(), LOOK_MS) : undefined;
  }

  /**
   * How loud it is to be.
   *
   * @param {{isMuted?: boolean, volume?: number}} how
   */
  hear({ isMuted = this.isMuted, volume = this.volume }) {
    Object.assign(this, { isMuted, volume });
    this.sound();
  }

  sound() {
    for (const element of [this.film, ...this.playing.values()]) element.volume = this.volume;
    for (const element of this.playing.values()) element.muted = this.isMuted || element instanceof HTMLVideoElement;
    this.film.muted = this.isMuted || !this.stage.hidden;
  }

  /** @param {Own} own */
  add(own) {
    const tile = make(own.kind === "video" ? "own-picture" : "own-sound");
    const element = /** @type {HTMLMediaElement} */ (tile.matches("audio") ? tile : find("video", tile));
    element.src = own.url;
    if (own.kind === "video") find("figcaption", tile).textContent = own.source === "camera" ? own.name : `${own.name} · ${t(`source.${own.source}`)}`;
    this.stage.append(tile);
    this.playing.set(own, element);
    this.sound();
  }

  /**
   * @param {Own} own
   * @param {HTMLMediaElement} element
   */
  drop(own, element) {
    element.pause();
    element.removeAttribute("src");
    element.load();
    (element.closest("figure") ?? element).remove();
    this.playing.delete(own);
  }

  /** Each track where the film is: shown and playing while it has something, else not. */
  follow() {
    const at = this.film.currentTime;
    let pictures = 0;
    for (const [own, element] of this.playing) {
      const isDue = at >= own.start && at < own.end;
      const tile = element.closest("figure");
      if (tile) tile.hidden = !isDue;
      if (tile && isDue) pictures += 1;
      this.keepUp(element, at - own.start, isDue && !this.film.paused && !this.film.ended);
    }
    this.stage.dataset.pictures = String(Math.min(pictures, 9));
  }

  /**
   * @param {HTMLMediaElement} element
   * @param {number} at  where it should be, seconds
   * @param {boolean} runs
   */
  keepUp(element, at, runs) {
    if (!runs) {
      element.pause();
      if (at >= 0 && !element.seeking && Math.abs(element.currentTime - at) > 0.05) element.currentTime = at;
      return;
    }
    const behind = at - element.currentTime;
    if (Math.abs(behind) > JUMP_S && !element.seeking) element.currentTime = at;
    element.playbackRate = speedOf(behind, this.film.playbackRate);
    if (element.paused) element.play().catch(() => console.info("together: a track waits for a click"));
  }
}
