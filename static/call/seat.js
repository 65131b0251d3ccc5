// The seat this tab has in a room, for a reload to come back to.

/** @typedef {{name: string, microphone: boolean, camera: boolean, token: string | null}} Seat */

export class SeatKept {
  /**
   * @param {string} roomId
   * @param {Storage} storage  of the tab
   */
  constructor(roomId, storage) {
    this.key = `letterbox.rejoin.${roomId}`;
    this.storage = storage;
  }

  /** @returns {Seat | null} */
  get() {
    try {
      return JSON.parse(this.storage.getItem(this.key) ?? "null");
    } catch {
      return null;
    }
  }

  /** @param {Seat} seat */
  keep(seat) {
    this.storage.setItem(this.key, JSON.stringify(seat));
  }

  /** One has left, or was asked to. */
  forget() {
    this.storage.removeItem(this.key);
  }
}
