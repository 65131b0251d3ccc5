// The pictures of a track, one by one, as the camera gives them.

/**
 * Each frame is to be closed by who gets it. Where there is no MediaStreamTrackProcessor (W3C mediacapture-transform), a video
 * element that nobody sees plays the track.
 *
 * @param {MediaStreamTrack} track
 * @param {(frame: VideoFrame) => void} onFrame
 * @param {AbortSignal} signal
 */
export function eachFrame(track, onFrame, signal) {
  const { MediaStreamTrackProcessor: Processor } = /** @type {any} */ (globalThis);
  if (Processor) void readFrames(new Processor({ track, maxBufferSize: 2 }).readable.getReader(), onFrame, signal);
  else watchFrames(track, onFrame, signal);
}

/**
 * Each frame is to be closed by who gets it.
 *
 * @template {VideoFrame | AudioData} Frame
 * @param {ReadableStreamDefaultReader<Frame>} reader
 * @param {(frame: Frame) => void} onFrame
 * @param {AbortSignal} signal
 */
export async function readFrames(reader, onFrame, signal) {
  signal.addEventListener("abort", () => void reader.cancel().catch(() => undefined));
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    if (signal.aborted) return value.close();
    try {
      onFrame(value);
    } catch (error) {
      // One that cannot be dealt with is no reason to stop.
      console.warn("media: a frame was left out", error);
      value.close();
    }
  }
}

/**
 * @param {MediaStreamTrack} track
 * @param {(frame: VideoFrame) => void} onFrame
 * @param {AbortSignal} signal
 */
function watchFrames(track, onFrame, signal) {
  const video = document.createElement("video");
  video.muted = true;
  video.srcObject = new MediaStream([track]);
  void video.play().catch(() => undefined);
  const next = (/** @type {number} */ now) => {
    if (signal.aborted) return;
    if (video.videoWidth > 0) onFrame(new VideoFrame(video, { timestamp: Math.round(now * 1000) }));
    video.requestVideoFrameCallback(next);
  };
  video.requestVideoFrameCallback(next);
  signal.addEventListener("abort", () => (video.srcObject = null));
}
