// Chunks are sealed in the browser (AES-256-GCM, WebCrypto): the server, and whoever listens on the way, sees no media.
// A sender has one key at a time; who may read gets it wrapped: see keys.js.

/** @typedef {{epoch: number, raw: Uint8Array<ArrayBuffer>, key: CryptoKey}} SenderKey */
/** @typedef {{stream: number, flags: number, n: number}} Place  of a chunk; n is never used twice with one key */

const EPOCH_BYTES = 4;

/** @param {number} epoch @returns {Promise<SenderKey>} */
export const newSenderKey = (epoch) => senderKey(epoch, crypto.getRandomValues(new Uint8Array(32)));

/**
 * @param {number} epoch
 * @param {Uint8Array<ArrayBuffer>} raw
 * @returns {Promise<SenderKey>}
 */
export async function senderKey(epoch, raw) {
  return { epoch, raw, key: await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]) };
}

/** @param {Place} place */
function bound({ stream, flags, n }) {
  const iv = new DataView(new ArrayBuffer(12));
  iv.setUint8(0, stream);
  iv.setBigUint64(4, BigInt(n));
  const additionalData = new DataView(new ArrayBuffer(6));
  additionalData.setUint8(0, stream);
  additionalData.setUint8(1, flags);
  additionalData.setUint32(2, n);
  return { name: "AES-GCM", iv, additionalData };
}

/**
 * @param {SenderKey} by
 * @param {Place} place
 * @param {Uint8Array<ArrayBuffer>} plain
 * @returns {Promise<Uint8Array>}
 */
export async function seal({ epoch, key }, place, plain) {
  const hidden = new Uint8Array(await crypto.subtle.encrypt(bound(place), key, plain));
  const sealed = new Uint8Array(EPOCH_BYTES + hidden.length);
  new DataView(sealed.buffer).setUint32(0, epoch);
  sealed.set(hidden, EPOCH_BYTES);
  return sealed;
}

/** @param {Uint8Array} sealed */
export const epochOf = (sealed) => new DataView(sealed.buffer, sealed.byteOffset, sealed.byteLength).getUint32(0);

/**
 * @param {SenderKey} by
 * @param {Place} place
 * @param {Uint8Array} sealed
 * @returns {Promise<Uint8Array>}
 * @throws {DOMException} when it was changed on its way, or sealed with another key
 */
export async function unseal({ key }, place, sealed) {
  const hidden = /** @type {Uint8Array<ArrayBuffer>} */ (sealed.subarray(EPOCH_BYTES));
  return new Uint8Array(await crypto.subtle.decrypt(bound(place), key, hidden));
}
