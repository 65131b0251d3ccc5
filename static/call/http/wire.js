// Chunks on the wire (PROTOCOL.md, "Media over plain HTTP"): the records of a request's and of an answer's body, and what is
// wanted, as its query says it. All whole numbers are big endian. Pure.

/**
 * @typedef {import("../peer.js").Source} Source
 * @typedef {{stream: number, flags: number, n: number, sealed: Uint8Array}} Chunk  n: counts up in each stream
 * @typedef {Chunk & {from: string}} ChunkOf
 * @typedef {{wanted: boolean, key: boolean, kbit?: number, acknowledged?: number}} Asked  of a stream of ours; kbit: no more gets through to somebody
 * @typedef {object} Control
 * @property {Record<string, Asked>} streams   ours
 * @property {Record<string, number>} skipped  "<sender>.<stream>" → what came up to this n is gone
 * @property {boolean} full                    we send more than the server likes
 * @property {number} [came_ms]                when our request was whole, by a clock of the server's
 * @property {number} [left_ms]                when the answer was written, by the same clock
 * @typedef {{from: string, stream: number, after: number, key?: boolean, mostKbit?: number}} Wish
 */

/** @type {Record<Source, number>} */
export const STREAMS = { microphone: 0, camera: 1, screen: 2, "screen-sound": 3 };
/** By number. @type {Source[]} */
export const SOURCES = ["microphone", "camera", "screen", "screen-sound"];
export const DATA = 4;
/** Flags of a chunk. */
export const KEY = 1;
export const AUDIO = 2;

const CONTROL = 0;
const CHUNK = 1;
const CHUNK_OF = 2;
/** type, stream, flags, n, length */
const HEAD_BYTES = 11;

/**
 * @param {Chunk[]} chunks
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function pack(chunks) {
  const bytes = new Uint8Array(chunks.reduce((sum, { sealed }) => sum + HEAD_BYTES + sealed.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { stream, flags, n, sealed } of chunks) {
    view.setUint8(at, CHUNK);
    view.setUint8(at + 1, stream);
    view.setUint8(at + 2, flags);
    view.setUint32(at + 3, n);
    view.setUint32(at + 7, sealed.length);
    bytes.set(sealed, at + HEAD_BYTES);
    at += HEAD_BYTES + sealed.length;
  }
  return bytes;
}

/**
 * @param {Uint8Array} bytes
 * @returns {{control: Control, chunks: ChunkOf[]}}
 * @throws {RangeError | SyntaxError} for what is no answer of the server's
 */
export function unpack(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = new TextDecoder();
  const part = (/** @type {number} */ from, /** @type {number} */ length) => {
    if (from + length > bytes.length) throw new RangeError("a record is not whole");
    return bytes.subarray(from, from + length);
  };
  if (view.getUint8(0) !== CONTROL) throw new RangeError("the answer does not begin with its control record");
  const length = view.getUint32(1);
  const control = JSON.parse(text.decode(part(5, length)));
  /** @type {ChunkOf[]} */
  const chunks = [];
  let at = 5 + length;
  while (at < bytes.length) {
    if (view.getUint8(at) !== CHUNK_OF) throw new RangeError(`no chunk begins at byte ${at}`);
    const who = view.getUint8(at + 1);
    const head = at + 2 + who;
    const size = view.getUint32(head + 6);
    chunks.push({
      from: text.decode(part(at + 2, who)), stream: view.getUint8(head), flags: view.getUint8(head + 1),
      n: view.getUint32(head + 2), sealed: part(head + 10, size),
    });
    at = head + 10 + size;
  }
  return { control, chunks };
}

/**
 * @param {Wish[]} wishes
 * @returns {string} for the query
 */
export const want = (wishes) =>
  wishes.map(({ from, stream, after, key, mostKbit }) => `${from}.${stream}.${after}${key ? "k" : ""}${mostKbit ? `.${Math.round(mostKbit)}` : ""}`).join(",");
