// One recording's player: the film, a waveform to seek by with small pictures, chapters, who spoke when, keys.

import { find, make } from "../call/dom.js";
import { duration, t } from "../call/text.js";
import { Chat, linesOf } from "./chat.js";
import { Controls } from "./controls.js";
import { filmsOf, numberOf } from "./films.js";
import { Together, tracksOf } from "./together.js";
import { cueAt, cuesOf, cuesWithin, placeOf } from "./vtt.js";
import { BARS, HEIGHT, condensed, pathOfPeaks, pathOfSpans, waveformWithin } from "./waveform.js";

/** @typedef {import("./card.js").Artifact} Artifact */
/** @typedef {import("./vtt.js").Cue} Cue */
/** @typedef {import("./waveform.js").Waveform} Waveform */

export class Player {
  /** @param {HTMLElement} item  the recording's card */
  constructor(item) {
    this.item = item;
    this.video = /** @type {HTMLVideoElement} */ (find("[data-testid=player]", item));
    this.box = find(".seeking", item);
    this.range = /** @type {HTMLInputElement} */ (find(".seek", item));
    this.preview = find(".preview", item);
    /** @type {Cue[]} */
    this.chapters = [];
    /** @type {Cue[]} */
    this.pictures = [];
    this.sheet = "";
    this.shown = "";
    this.lengthS = 0;
    /** The version of the film that is watched. */
    this.chosen = 1;
    /** @type {Artifact[]} */
    this.artifacts = [];
    /** @type {number | null} */
    this.durationMs = null;
    this.chat = new Chat(item, (second) => this.seek(second));
    this.together = new Together(item, this.video);
    this.controls = new Controls(item, this.video, this.together);
    this.video.addEventListener("timeupdate", () => this.follow());
    this.video.addEventListener("loadedmetadata", () => this.follow());
    this.range.addEventListener("input", () => this.seek(Number(this.range.value)));
    this.box.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => this.peek(event));
    this.box.addEventListener("pointerleave", () => (this.preview.hidden = true));
    find(".watch", item).addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.key(event));
  }

  /**
   * What there is of it by now.
   *
   * @param {Artifact[]} artifacts
   * @param {number | null} durationMs
   */
  async show(artifacts, durationMs) {
    this.artifacts = artifacts;
    this.durationMs = durationMs;
    const of = (/** @type {string} */ kind) => artifacts.find((artifact) => artifact.kind === kind);
    const films = filmsOf(artifacts);
    const film = films.find((one) => numberOf(one) === this.chosen) ?? films[0];
    const poster = of("poster");
    if (poster && !this.video.poster) this.video.poster = poster.url;
    find(".watch", this.item).hidden = !film && !poster;
    if (film && this.video.dataset.artifact !== film.id) {
      this.video.dataset.artifact = film.id;
      this.video.src = film.url;
    }
    find(".under", this.item).hidden = !film;
    this.lengthS = (film?.meta.duration_us ?? (durationMs ?? 0) * 1000) / 1e6;
    const [waveform, chapters, index, sheet, manifest] = [of("waveform"), of("chapters"), of("thumbnails-index"), of("thumbnails"), of("manifest")];
    const captions = artifacts.filter(({ kind }) => kind === "captions");
    const key = [film, waveform, chapters, index, manifest, ...captions].map((artifact) => artifact?.id ?? "").join();
    if (!film || key === this.shown) return;
    this.shown = key;
    this.sheet = sheet?.url ?? "";
    const wanted = [load(waveform, "json"), load(chapters, "text"), load(index, "text"), load(manifest, "json")];
    const [waves, marks, places, whole] = await Promise.all(wanted);
    if (key !== this.shown) return;
    const from = (film.meta.start_us ?? 0) / 1e6;
    const to = from + this.lengthS;
    const people = film.meta.people ?? null;
    // The small pictures are of the first film: what others leave out is not to be seen in them.
    this.pictures = people ? [] : cuesWithin(cuesOf(places ?? ""), from, to);
    this.chapters = cuesWithin(cuesOf(marks ?? ""), from, to);
    this.drawCaptions(from === 0 ? captions : []);
    this.drawWaveform(waves && waveformWithin(waves, from, to, people));
    this.drawChapters();
    const names = new Map((whole?.participants ?? []).map((/** @type {{id: string, name: string}} */ { id, name }) => [id, name]));
    this.chat.show(linesOf(whole?.chat ?? [], names, from, to));
    this.together.show(whole ? tracksOf(whole, artifacts, from, to) : []);
  }

  /**
   * Watch another film of it, at the same moment if it has that.
   *
   * @param {number} version
   */
  async choose(version) {
    const films = filmsOf(this.artifacts);
    const startOf = (/** @type {number} */ n) => (films.find((film) => numberOf(film) === n)?.meta.start_us ?? 0) / 1e6;
    const at = this.video.currentTime + startOf(this.chosen) - startOf(version);
    const wasPlaying = !this.video.paused;
    this.chosen = version;
    const showing = this.show(this.artifacts, this.durationMs);
    this.video.addEventListener("loadedmetadata", () => this.seek(at), { once: true });
    if (wasPlaying) void this.video.play();
    await showing;
  }

  /** @param {Artifact[]} captions */
  drawCaptions(captions) {
    this.video.replaceChildren(
      ...captions.map(({ url, meta }) => {
        const track = document.createElement("track");
        track.kind = "captions";
        track.srclang = meta.language;
        track.label = new Intl.DisplayNames([document.documentElement.lang], { type: "language" }).of(meta.language) ?? meta.language;
        track.src = url;
        track.default = meta.language.split("-")[0] === document.documentElement.lang;
        return track;
      }),
    );
    this.controls.showCaptions();
  }

  /** @param {Waveform | null} waveform */
  drawWaveform(waveform) {
    this.box.hidden = !this.lengthS;
    this.range.max = String(this.lengthS);
    const peaks = condensed(waveform?.peaks ?? [0]);
    for (const svg of this.box.querySelectorAll(".wave")) {
      svg.setAttribute("viewBox", `0 0 ${Math.min(BARS, peaks.length)} ${HEIGHT}`);
      find("path", svg).setAttribute("d", pathOfPeaks(peaks));
    }
    const speakers = (waveform?.speaking ?? []).filter(({ spans }) => spans.length > 0);
    find(".speaking", this.item).replaceChildren(
      ...speakers.map(({ name, spans }) => {
        const row = make("speaker");
        const spokeMs = spans.reduce((sum, [start, end]) => sum + end - start, 0);
        find(".name", row).textContent = name;
        find(".spoke", row).textContent = duration(spokeMs);
        find("path", row).setAttribute("d", pathOfSpans(spans, this.lengthS * 1000));
        return row;
      }),
    );
    this.follow();
  }

  drawChapters() {
    const list = find(".chapters", this.item);
    list.hidden = this.chapters.length === 0;
    list.replaceChildren(
      ...this.chapters.map(({ start, text }) => {
        const row = make("chapter");
        find(".at", row).textContent = duration(start * 1000);
        find(".title", row).textContent = text;
        find("button", row).addEventListener("click", () => this.seek(start));
        return row;
      }),
    );
  }

  /** @param {number} second */
  seek(second) {
    this.video.currentTime = Math.max(0, Math.min(this.lengthS, second));
    this.follow();
  }

  /** Where it is, in seconds of the whole recording. */
  get at() {
    const film = filmsOf(this.artifacts).find((one) => numberOf(one) === this.chosen);
    return this.video.currentTime + (film?.meta.start_us ?? 0) / 1e6;
  }

  follow() {
    const at = this.video.currentTime;
    this.range.value = String(at);
    this.range.setAttribute("aria-valuetext", t("player.of", { time: duration(at * 1000), length: duration(this.lengthS * 1000) }));
    find(".played", this.box).style.clipPath = `inset(0 ${100 - (at / (this.lengthS || 1)) * 100}% 0 0)`;
    find(".time-of", this.item).textContent = `${duration(at * 1000)} / ${duration(this.lengthS * 1000)}`;
    this.chat.follow(at);
    const now = cueAt(this.chapters, at);
    const rows = find(".chapters", this.item).querySelectorAll("button");
    this.chapters.forEach((chapter, index) => {
      if (chapter === now) rows[index]?.setAttribute("aria-current", "true");
      else rows[index]?.removeAttribute("aria-current");
    });
  }

  /** @param {PointerEvent} event */
  peek(event) {
    const { left, width } = this.box.getBoundingClientRect();
    const share = Math.max(0, Math.min(1, (event.clientX - left) / width));
    const second = share * this.lengthS;
    this.preview.hidden = false;
    this.preview.style.left = `${share * 100}%`;
    find(".time", this.preview).textContent = [duration(second * 1000), cueAt(this.chapters, second)?.text].filter(Boolean).join(" · ");
    const place = placeOf(cueAt(this.pictures, second)?.text ?? "");
    const picture = find(".picture", this.preview);
    picture.hidden = !place || !this.sheet;
    if (!place) return;
    picture.style.backgroundImage = `url("${this.sheet}")`;
    picture.style.backgroundPosition = `-${place.x}px -${place.y}px`;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isButton = event.target instanceof HTMLButtonElement;
    const at = this.video.currentTime;
    /** @type {Record<string, () => unknown>} */
    const actions = {
      k: () => this.controls.toggle(),
      j: () => this.seek(at - 10),
      l: () => this.seek(at + 10),
      ArrowLeft: () => this.seek(at - 5),
      ArrowRight: () => this.seek(at + 5),
      m: () => this.controls.mute(),
      c: () => this.controls.caption(),
      f: () => this.controls.fill(),
    };
    if (!isButton) actions[" "] = () => this.controls.toggle();
    const digit = /^\d$/.test(event.key) ? () => this.seek((this.lengthS * Number(event.key)) / 10) : null;
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key] ?? digit;
    if (!action) return;
    event.preventDefault();
    action();
  }
}

/**
 * @param {Artifact | undefined} artifact
 * @param {"json" | "text"} as
 * @returns {Promise<any>}  null where there is none, or it cannot be had now
 */
async function load(artifact, as) {
  if (!artifact) return null;
  try {
    const response = await fetch(artifact.url);
    return response.ok ? await response[as]() : null;
  } catch {
    return null;
  }
}
