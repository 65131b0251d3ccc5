// What we send of ourselves: camera, microphone, screen; opened, switched, lost, and closed.

import { chosenIn } from "./choices.js";
import { processingOf } from "./devices.js";
import { announce } from "./dom.js";
import * as media from "./media.js";
import { t } from "./text.js";

/** @typedef {"microphone" | "camera"} Device */

const KIND = /** @type {const} */ ({ microphone: "audio", camera: "video" });

export class Own {
  /**
   * @param {import("./room.js").Room} room
   * @param {object} on
   * @param {() => void} on.changed
   * @param {(track: MediaStreamTrack, source: import("./peer.js").Source) => void} on.show  to ourselves
   * @param {(source: import("./peer.js").Source) => void} on.hide
   */
  constructor(room, on) {
    this.room = room;
    this.on = on;
    this.stream = new MediaStream();
    /** @type {MediaStream | null} */
    this.screen = null;
  }

  /** @param {Device} what @returns {MediaStreamTrack | undefined} */
  track(what) {
    return this.stream.getTracks().find(({ kind, readyState }) => kind === KIND[what] && readyState === "live");
  }

  /**
   * With what was opened before the call.
   *
   * @param {MediaStream} stream
   * @param {{microphone: boolean, camera: boolean}} wanted
   */
  async begin(stream, wanted) {
    this.stream = stream;
    if (!wanted.camera) for (const off of stream.getVideoTracks()) this.close(off);
    const [audio, video] = [this.track("microphone"), this.track("camera")];
    if (audio) await this.send("microphone", audio);
    if (video) await this.send("camera", video);
    this.room.mediaState = { ...this.room.mediaState, microphone: Boolean(audio) && wanted.microphone, camera: Boolean(video), screen: false };
  }

  /**
   * To everyone, until it is closed or its device goes away. Opposite: close().
   *
   * @param {Device} what
   * @param {MediaStreamTrack} track
   */
  async send(what, track) {
    // Unplugged, or no longer allowed. (What we stop ourselves does not say so.)
    track.addEventListener("ended", () => void this.lost(what, track));
    const { data, blur } = chosenIn(localStorage);
    if (what === "camera" && (blur || data === "low")) await media.shape(track, { blur, little: data === "low" });
    await this.room.setTrack(what, track);
  }

  /** As chosen now: how much data, and whether what is behind one is blurred. */
  async reshape() {
    const { data, blur } = chosenIn(localStorage);
    const camera = this.track("camera");
    if (camera && data === "sound") await this.toggle("camera");
    else if (camera) await media.shape(camera, { blur, little: data === "low" });
  }

  /**
   * A device that goes away is followed by another of its kind, if there is one: nobody wants to look for it in mid-sentence.
   *
   * @param {Device} what
   * @param {MediaStreamTrack} track
   */
  async lost(what, track) {
    this.close(track);
    const wasOn = this.room.mediaState[what];
    const next = wasOn ? await this.open(what) : null;
    if (next) {
      announce(t("device.replaced", { device: t(`device.${what}`), name: next.label }));
      return;
    }
    announce(t("device.lost", { device: t(`device.${what}`) }));
    await this.room.setTrack(what, null);
    this.room.setMediaState({ [what]: false });
    this.on.changed();
  }

  /** @param {MediaStreamTrack} track */
  close(track) {
    track.stop();
    this.stream.removeTrack(track);
  }

  /**
   * Open the chosen device, else any, and send it.
   *
   * @param {Device} what
   * @returns {Promise<MediaStreamTrack | null>} null: there is none, and the person was told why
   */
  async open(what) {
    const kind = KIND[what];
    const other = kind === "audio" ? "video" : "audio";
    const chosen = chosenIn(localStorage);
    const processing = processingOf(chosen);
    let { stream, problems } = await media.open({ [other]: false, [kind]: chosen[kind], processing });
    if (problems[kind] && chosen[kind]) ({ stream, problems } = await media.open({ [other]: false, processing }));
    if (!this.room.token) {
      media.close(stream);
      return null;
    }
    const [track] = stream.getTracks();
    if (!track) {
      announce(t(`device.${problems[kind] ?? "failed"}.title`, { device: t(`device.${what}`) }));
      return null;
    }
    this.stream.addTrack(track);
    await this.send(what, track);
    if (what === "camera") this.on.show(track, "camera");
    return track;
  }

  /** @param {Device} what */
  async toggle(what) {
    const on = !this.room.mediaState[what];
    const open = this.track(what);
    const track = on && !open ? await this.open(what) : open;
    if (on && !track) return;
    if (track && what === "camera" && !on) {
      // Off is off: the light beside the lens goes out.
      this.close(track);
      await this.room.setTrack("camera", null);
    } else if (track) {
      track.enabled = on;
    }
    this.room.setMediaState({ [what]: on });
    this.on.changed();
  }

  /**
   * Another device, or the same one treated otherwise; what is off stays off.
   *
   * @param {Device} what
   */
  async renew(what) {
    const before = this.track(what);
    if (!before) return;
    const wasOn = before.enabled;
    // Some cameras open only once.
    this.close(before);
    const track = await this.open(what);
    if (track) track.enabled = wasOn;
    else this.room.setMediaState({ [what]: false });
    this.on.changed();
  }

  async toggleScreen() {
    if (this.screen) {
      this.stopScreen();
      return;
    }
    this.screen = await media.openScreen().catch(() => null);
    if (!this.screen) return;
    if (!this.room.token) return media.close(this.screen);
    const [video] = this.screen.getVideoTracks();
    const [audio] = this.screen.getAudioTracks();
    video.contentHint = "detail";
    video.addEventListener("ended", () => this.stopScreen());
    await this.room.setTrack("screen", video);
    if (audio) await this.room.setTrack("screen-sound", audio);
    this.room.setMediaState({ screen: true });
    this.on.show(video, "screen");
    this.on.changed();
  }

  stopScreen() {
    if (!this.screen) return;
    media.close(this.screen);
    this.screen = null;
    void this.room.setTrack("screen", null);
    void this.room.setTrack("screen-sound", null);
    this.room.setMediaState({ screen: false });
    this.on.hide("screen");
    this.on.changed();
  }

  /** The call is over. */
  stop() {
    media.close(this.stream);
    media.close(this.screen);
  }
}
