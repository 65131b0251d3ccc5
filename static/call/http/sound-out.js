// A microphone, or the sound of a screen: samples to Opus packets (W3C WebCodecs), stamped by the one clock of what we send.

import { DeviceClock, Stamps } from "./clock.js";
import { KINDS } from "./frame.js";
import { HZ, PACKET_MS, eachPacket } from "./samples.js";

/** @typedef {Omit<import("./frame.js").Frame, "wallUs">} Encoded */

export class SoundOut {
  /**
   * @param {AudioContext} context  with sound.worklet.js
   * @param {MediaStreamTrack} track
   * @param {(frame: Encoded) => void} onFrame
   */
  constructor(context, track, onFrame) {
    this.onFrame = onFrame;
    this.clock = new DeviceClock();
    this.stamps = new Stamps();
    this.count = 0;
    this.how = { kbit: 0, frameMs: 0 };
    this.isOn = false;
    this.ending = new AbortController();
    this.encoder = this.newEncoder();
    eachPacket(context, track, (samples) => this.take(samples), this.ending.signal);
  }

  newEncoder() {
    return new AudioEncoder({
      output: (chunk) => this.encoded(chunk),
      error: (error) => {
        console.warn("sound: not encoded", error);
        this.encoder = this.newEncoder();
        this.stamps = new Stamps();
        this.how = { kbit: 0, frameMs: 0 };
      },
    });
  }

  /** @param {{kbit: number, frameMs: number}} how */
  use({ kbit, frameMs }) {
    if (kbit === this.how.kbit && frameMs === this.how.frameMs) return;
    this.how = { kbit, frameMs };
    const opus = { frameDuration: frameMs * 1000, application: "voip", complexity: 5 };
    this.encoder.configure(/** @type {AudioEncoderConfig} */ ({ codec: "opus", sampleRate: HZ, numberOfChannels: 1, bitrate: kbit * 1000, opus }));
  }

  /** @param {Float32Array<ArrayBuffer>} samples */
  take(samples) {
    // Counted: what a browser stamps is when it had them, which is not evenly. The last was taken just now, the first a packet ago.
    const timestampMs = this.clock.capturedMs(this.count * PACKET_MS, performance.now()) - PACKET_MS;
    this.count += 1;
    if (!this.isOn || this.how.kbit === 0 || this.encoder.state !== "configured") return;
    const timestamp = this.stamps.put(Math.round(timestampMs * 1000), PACKET_MS * 1000);
    const data = new AudioData({ format: "f32-planar", sampleRate: HZ, numberOfFrames: samples.length, numberOfChannels: 1, timestamp, data: samples });
    this.encoder.encode(data);
    data.close();
  }

  /** @param {EncodedAudioChunk} chunk */
  encoded(chunk) {
    const payload = new Uint8Array(chunk.byteLength);
    chunk.copyTo(payload);
    const durationUs = chunk.duration ?? this.how.frameMs * 1000;
    this.onFrame({ kind: KINDS.opus, isKey: true, timestampUs: this.stamps.take(chunk.timestamp), durationUs, width: 0, height: 0, payload });
  }

  close() {
    this.ending.abort();
    if (this.encoder.state !== "closed") this.encoder.close();
  }
}
