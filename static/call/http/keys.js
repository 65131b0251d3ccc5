// Two participants agree on a secret nobody on the way knows (ECDH P-256, RFC 5869), and give each other their sender keys under
// it. What passes between them is public. Who changes what passes could sit in between: the comparison code shows it.

const CURVE = { name: "ECDH", namedCurve: "P-256" };
const IV_BYTES = 12;
const text = new TextEncoder();
const CODE_ROUNDS = 200_000;
const CODE_DIGITS = 20;

/** @typedef {{secret: CryptoKey, publicPoint: Uint8Array<ArrayBuffer>}} Pair  publicPoint: uncompressed, 65 bytes */

/** @returns {Promise<Pair>} */
export async function newPair() {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(CURVE, false, ["deriveBits"]);
  return { secret: privateKey, publicPoint: new Uint8Array(await crypto.subtle.exportKey("raw", publicKey)) };
}

/**
 * @param {Uint8Array} one
 * @param {Uint8Array} other
 * @returns {Uint8Array<ArrayBuffer>} the same on both sides
 */
export function sorted(one, other) {
  const at = one.findIndex((byte, place) => byte !== other[place]);
  const [first, second] = at < 0 || one[at] < other[at] ? [one, other] : [other, one];
  return new Uint8Array([...first, ...second]);
}

/**
 * What only these two know.
 *
 * @param {Pair} ours
 * @param {Uint8Array<ArrayBuffer>} theirs
 * @returns {Promise<CryptoKey>} to wrap sender keys with
 */
export async function wrappingKey(ours, theirs) {
  const point = await crypto.subtle.importKey("raw", theirs, CURVE, false, []);
  const shared = await crypto.subtle.deriveBits({ name: "ECDH", public: point }, ours.secret, 256);
  const base = await crypto.subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]);
  const how = { name: "HKDF", hash: "SHA-256", salt: sorted(ours.publicPoint, theirs), info: text.encode("letterbox chunk key") };
  return crypto.subtle.deriveKey(how, base, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

/**
 * @param {CryptoKey} wrapping
 * @param {Uint8Array<ArrayBuffer>} raw  of a sender key
 * @returns {Promise<Uint8Array>}
 */
export async function wrap(wrapping, raw) {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const hidden = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, wrapping, raw));
  return new Uint8Array([...iv, ...hidden]);
}

/**
 * @param {CryptoKey} wrapping
 * @param {Uint8Array<ArrayBuffer>} wrapped
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 * @throws {DOMException}
 */
export async function unwrap(wrapping, wrapped) {
  const [iv, hidden] = [wrapped.subarray(0, IV_BYTES), wrapped.subarray(IV_BYTES)];
  return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, wrapping, hidden));
}

/**
 * The same on both sides unless somebody sits in between; so slow to compute that nobody finds keys that match within a call.
 *
 * @param {Uint8Array} ours    public points
 * @param {Uint8Array} theirs
 * @returns {Promise<string>} twenty digits, in groups of five
 */
export async function comparisonCode(ours, theirs) {
  const base = await crypto.subtle.importKey("raw", sorted(ours, theirs), "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt: text.encode("letterbox comparison code"), iterations: CODE_ROUNDS };
  const bits = new Uint8Array(await crypto.subtle.deriveBits(how, base, 128));
  const number = bits.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) % 10n ** BigInt(CODE_DIGITS);
  return /** @type {string[]} */ (number.toString().padStart(CODE_DIGITS, "0").match(/.{5}/g)).join(" ");
}

/** @param {Uint8Array} bytes */
export const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));

/** @param {string} written @returns {Uint8Array<ArrayBuffer>} @throws {DOMException} */
export const fromBase64 = (written) => Uint8Array.from(atob(written), (letter) => letter.charCodeAt(0));
