// What is inside a sealed chunk of sound or picture: one encoded frame, and when it was. Pure.

/** @typedef {object} Frame
 * @property {number} kind         of KINDS
 * @property {boolean} isKey
 * @property {number} timestampUs  when it was captured, by its sender's clock: one clock for sound and picture
 * @property {number} durationUs
 * @property {number} wallUs       the same moment, Unix time
 * @property {number} width
 * @property {number} height
 * @property {Uint8Array} payload
 */

export const KINDS = { vp8: 0, vp9: 1, h264: 2, opus: 3 };
/** kind, flags, rotation, timestamp, duration, wall time, width, height */
const HEAD_BYTES = 28;

/**
 * @param {Frame} frame
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function packFrame({ kind, isKey, timestampUs, durationUs, wallUs, width, height, payload }) {
  const bytes = new Uint8Array(HEAD_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind);
  view.setUint8(1, isKey ? 1 : 0);
  view.setBigInt64(4, BigInt(Math.round(timestampUs)));
  view.setUint32(12, Math.round(durationUs));
  view.setBigUint64(16, BigInt(Math.round(wallUs)));
  view.setUint16(24, width);
  view.setUint16(26, height);
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

/**
 * @param {Uint8Array} bytes
 * @returns {Frame}
 * @throws {RangeError}
 */
export function unpackFrame(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    kind: view.getUint8(0),
    isKey: (view.getUint8(1) & 1) === 1,
    timestampUs: Number(view.getBigInt64(4)),
    durationUs: view.getUint32(12),
    wallUs: Number(view.getBigUint64(16)),
    width: view.getUint16(24),
    height: view.getUint16(26),
    payload: bytes.subarray(HEAD_BYTES),
  };
}
