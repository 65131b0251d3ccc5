// Decoded pictures as a MediaStreamTrack: to tiles, layouts and picture-in-picture it is a camera like any other.

export class PictureTrack {
  constructor() {
    const { MediaStreamTrackGenerator: Generator } = /** @type {any} */ (globalThis);
    if (Generator) {
      this.track = /** @type {MediaStreamTrack} */ (new Generator({ kind: "video" }));
      /** @type {WritableStreamDefaultWriter<VideoFrame> | undefined} */
      this.writer = /** @type {any} */ (this.track).writable.getWriter();
    } else {
      this.canvas = document.createElement("canvas");
      this.context = this.canvas.getContext("2d");
      this.track = this.canvas.captureStream().getVideoTracks()[0];
    }
  }

  /** @param {VideoFrame} frame  it is closed here */
  write(frame) {
    if (this.writer) {
      this.writer.write(frame).catch(() => frame.close());
      return;
    }
    const { canvas, context } = this;
    if (canvas && context) {
      if (canvas.width !== frame.displayWidth) canvas.width = frame.displayWidth;
      if (canvas.height !== frame.displayHeight) canvas.height = frame.displayHeight;
      context.drawImage(frame, 0, 0);
    }
    frame.close();
  }

  close() {
    void this.writer?.close().catch(() => undefined);
    this.track.stop();
  }
}
