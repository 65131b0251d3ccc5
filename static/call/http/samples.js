// The samples of a track, in packets of 20 ms: one channel, 48 kHz.

import { readFrames } from "./frames.js";

export const PACKET_MS = 20;
export const HZ = 48_000;
const PACKET = (HZ * PACKET_MS) / 1000;

/** @typedef {(samples: Float32Array<ArrayBuffer>) => void} OnPacket */

/**
 * As soon as the track has them, where there is a MediaStreamTrackProcessor (W3C mediacapture-transform); else through the audio
 * graph, which takes 10 to 20 ms longer.
 *
 * @param {AudioContext} context  with sound.worklet.js, at HZ
 * @param {MediaStreamTrack} track
 * @param {OnPacket} onPacket
 * @param {AbortSignal} signal
 */
export function eachPacket(context, track, onPacket, signal) {
  const { MediaStreamTrackProcessor: Processor } = /** @type {any} */ (globalThis);
  if (!Processor) return tap(context, track, onPacket, signal);
  const packets = new Packets(onPacket);
  const reading = new AbortController();
  signal.addEventListener("abort", () => reading.abort());
  const onData = (/** @type {AudioData} */ data) => {
    if (data.sampleRate === HZ) packets.add(oneChannel(data));
    else {
      reading.abort();
      tap(context, track, onPacket, signal);
    }
    data.close();
  };
  void readFrames(new Processor({ track, maxBufferSize: 50 }).readable.getReader(), onData, reading.signal);
}

/** @param {AudioData} data @returns {Float32Array} */
function oneChannel(data) {
  const mixed = new Float32Array(data.numberOfFrames);
  data.copyTo(mixed, { planeIndex: 0, format: "f32-planar" });
  if (data.numberOfChannels < 2) return mixed;
  const other = new Float32Array(data.numberOfFrames);
  data.copyTo(other, { planeIndex: 1, format: "f32-planar" });
  for (let at = 0; at < mixed.length; at += 1) mixed[at] = (mixed[at] + other[at]) / 2;
  return mixed;
}

/** Puts parts of any length together. */
export class Packets {
  /** @param {OnPacket} onPacket */
  constructor(onPacket) {
    this.onPacket = onPacket;
    this.packet = new Float32Array(PACKET);
    this.filled = 0;
  }

  /** @param {Float32Array} samples */
  add(samples) {
    for (let at = 0; at < samples.length; ) {
      const part = Math.min(samples.length - at, PACKET - this.filled);
      this.packet.set(samples.subarray(at, at + part), this.filled);
      this.filled += part;
      at += part;
      if (this.filled < PACKET) continue;
      this.onPacket(this.packet);
      this.packet = new Float32Array(PACKET);
      this.filled = 0;
    }
  }
}

/**
 * @param {AudioContext} context
 * @param {MediaStreamTrack} track
 * @param {OnPacket} onPacket
 * @param {AbortSignal} signal
 */
function tap(context, track, onPacket, signal) {
  const source = context.createMediaStreamSource(new MediaStream([track]));
  const capture = new AudioWorkletNode(context, "letterbox-capture", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
  capture.port.onmessage = ({ data }) => onPacket(data);
  source.connect(capture);
  signal.addEventListener("abort", () => {
    source.disconnect();
    capture.port.onmessage = null;
  });
}
