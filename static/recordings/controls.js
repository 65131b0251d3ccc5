// The buttons under the film, and what its keys do: play, speed, sound, captions, full screen.

import { find, setIcon } from "../call/dom.js";
import { t } from "../call/text.js";

const SPEEDS = [1, 1.25, 1.5, 2];

export class Controls {
  /**
   * @param {HTMLElement} item  the recording's card
   * @param {HTMLVideoElement} video
   * @param {import("./together.js").Together} together
   */
  constructor(item, video, together) {
    this.video = video;
    this.together = together;
    this.screen = find(".screen", item);
    this.play = find("[data-testid=play]", item);
    this.sound = find("[data-testid=sound]", item);
    this.volume = /** @type {HTMLInputElement} */ (find(".volume", item));
    this.captions = find("[data-testid=show-captions]", item);
    this.speed = find(".speed", item);
    this.play.addEventListener("click", () => this.toggle());
    // With a browser's own controls it is the browser that listens.
    video.addEventListener("click", () => !video.controls && video.src && this.toggle());
    video.addEventListener("dblclick", () => !video.controls && void this.fill());
    for (const event of ["play", "pause", "ended"]) video.addEventListener(event, () => this.showPlaying());
    this.speed.addEventListener("click", () => this.nextSpeed());
    this.sound.addEventListener("click", () => this.mute());
    this.volume.addEventListener("input", () => this.hear({ volume: Number(this.volume.value), isMuted: false }));
    this.captions.addEventListener("click", () => this.caption());
    video.textTracks.addEventListener("change", () => this.showCaptions());
    find("[data-testid=full-screen]", item).addEventListener("click", () => void this.fill());
    // Where nothing but the film is to be seen, the browser's controls lie over it.
    this.screen.addEventListener("fullscreenchange", () => (video.controls = document.fullscreenElement === this.screen && !video.inert));
  }

  toggle() {
    if (this.video.paused) void this.video.play();
    else this.video.pause();
  }

  showPlaying() {
    const plays = !this.video.paused && !this.video.ended;
    this.screen.classList.toggle("plays", plays);
    setIcon(this.play, plays ? "pause" : "play", t(plays ? "player.pause" : "player.play"));
  }

  nextSpeed() {
    const next = SPEEDS[(SPEEDS.indexOf(this.video.playbackRate) + 1) % SPEEDS.length];
    this.video.playbackRate = next;
    this.speed.textContent = `${next}×`;
  }

  mute() {
    this.hear({ isMuted: !this.together.isMuted });
  }

  /** @param {{isMuted?: boolean, volume?: number}} how */
  hear(how) {
    this.together.hear(how);
    const { isMuted, volume } = this.together;
    const isSilent = isMuted || volume === 0;
    this.volume.value = String(isMuted ? 0 : volume);
    setIcon(this.sound, isSilent ? "volume-x" : "volume-2", t(isSilent ? "player.unmute" : "player.mute"));
  }

  caption() {
    const [first] = this.video.textTracks;
    if (first) first.mode = first.mode === "showing" ? "hidden" : "showing";
  }

  showCaptions() {
    const [first] = this.video.textTracks;
    this.captions.hidden = !first;
    this.captions.setAttribute("aria-pressed", String(first?.mode === "showing"));
  }

  async fill() {
    if (document.fullscreenElement) return document.exitFullscreen();
    // An iPhone knows no other way than to fill it with the video itself.
    const { video } = /** @type {{video: HTMLVideoElement & {webkitEnterFullscreen?: () => void}}} */ (this);
    if (this.screen.requestFullscreen) await this.screen.requestFullscreen();
    else video.webkitEnterFullscreen?.();
  }
}
