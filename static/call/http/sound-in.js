// What somebody says: Opus packets in order, decoded, played by sound.worklet.js into a track like any other.

import { Stamps } from "./clock.js";
import { Order } from "./order.js";

/** @typedef {import("./frame.js").Frame} Frame */
/** @typedef {{playingMs: number | null, levelMs: number, isDry: boolean, spareMs: number, gaps: number, silentMs: number, concealedMs: number, skippedMs: number, peak: number}} Heard */

/** A packet that has not come after so long would come too late. */
const PATIENCE_MS = 120;

export class SoundIn {
  /**
   * @param {AudioContext} context  with sound.worklet.js
   * @param {(heard: Heard) => void} onHeard
   */
  constructor(context, onHeard) {
    /** @type {Order<Frame>} */
    this.order = new Order({ patienceMs: PATIENCE_MS });
    this.needsKey = false;
    this.stamps = new Stamps();
    this.playout = new AudioWorkletNode(context, "letterbox-playout", { numberOfInputs: 0, outputChannelCount: [1] });
    this.out = context.createMediaStreamDestination();
    this.playout.connect(this.out);
    this.track = this.out.stream.getAudioTracks()[0];
    this.packets = 0;
    /** @type {Heard | undefined} */
    this.heard = undefined;
    this.playout.port.onmessage = ({ data }) => {
      this.heard = data;
      onHeard(data);
    };
    this.decoder = this.newDecoder();
  }

  newDecoder() {
    const decoder = new AudioDecoder({
      output: (data) => this.decoded(data),
      error: (error) => {
        console.warn("sound: not decoded", error);
        this.decoder = this.newDecoder();
        this.stamps = new Stamps();
      },
    });
    decoder.configure({ codec: "opus", sampleRate: 48000, numberOfChannels: 1 });
    return decoder;
  }

  /**
   * @param {number} n
   * @param {Frame} frame
   * @param {number} nowMs
   */
  take(n, frame, nowMs) {
    this.order.add(n, frame, nowMs, this.order.after === 0);
    this.look(nowMs);
  }

  /** @param {number} nowMs */
  look(nowMs) {
    for (const { timestampUs, durationUs, payload } of this.order.take(nowMs).items) {
      if (this.decoder.state !== "configured") return;
      this.packets += 1;
      const timestamp = this.stamps.put(timestampUs, durationUs);
      this.decoder.decode(new EncodedAudioChunk({ type: "key", timestamp, duration: durationUs, data: payload }));
    }
  }

  /** @param {AudioData} data */
  decoded(data) {
    const samples = new Float32Array(data.numberOfFrames);
    data.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
    this.playout.port.postMessage({ samples, atMs: this.stamps.take(data.timestamp) / 1000 }, [samples.buffer]);
    data.close();
  }

  /** @param {number} extraMs */
  wait(extraMs) {
    this.playout.port.postMessage({ extraMs });
  }

  close() {
    this.playout.port.onmessage = null;
    this.playout.disconnect();
    if (this.decoder.state !== "closed") this.decoder.close();
    this.track.stop();
  }
}
