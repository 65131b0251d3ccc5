// What two browsers say to each other to pass a file: PROTOCOL.md, "Files". Pure.
//
// About a file, by the roads of chat, each {file: what, id, …}:
//   offer {name, size, type, modified_ms} →      ← take {from, print} | decline       either: cancel {why}      ← received
// In its own data channel "file:<id>", which the sender opens when it is asked to begin at `from`:
//   {from} → then, for each piece, its bytes in messages → {print} →      ← {has}: so much is checked and written

/** Checked, written and acknowledged at once; a file is gone on with from the beginning of one. */
export const PIECE_BYTES = 256 * 1024;
/** Every browser takes such a message, and others' words find their turn between two of them. */
export const MESSAGE_BYTES = 64 * 1024;
/** Sent and not yet written there: what a slow disk, or a phone, has to hold. */
export const WINDOW_BYTES = 8 * 1024 * 1024;
/** A sender has so much waiting in the browser, and gives it more when half of it is gone. */
export const BUFFER_BYTES = 2 * 1024 * 1024;
/** The print before the first piece. */
export const NO_PRINT = "0".repeat(64);

const LABEL = "file:";
const MOST_NAME = 1000;

/**
 * @typedef {{id: string, name: string, size: number, type: string, modifiedMs: number}} Offer
 * @typedef {"unreadable" | "damaged" | "disk" | "memory" | ""} Why  "": because somebody wanted it
 * @typedef {object} Channel  an RTCDataChannel, as far as files need one, or what speaks like it
 * @property {string} label
 * @property {string} readyState
 * @property {string} binaryType
 * @property {number} bufferedAmount
 * @property {number} bufferedAmountLowThreshold
 * @property {((event: any) => unknown) | null} onopen
 * @property {((event: any) => unknown) | null} onmessage
 * @property {((event: any) => unknown) | null} onbufferedamountlow
 * @property {((event: any) => unknown) | null} onclose
 * @property {(data: any) => void} send
 * @property {() => void} close
 */

const WHY = ["unreadable", "damaged", "disk", "memory"];

/** @param {string} id */
export const labelOf = (id) => LABEL + id;

/**
 * @param {string} label
 * @returns {string | null} the file's id; null: a channel for something else
 */
export const idOf = (label) => (label.startsWith(LABEL) ? label.slice(LABEL.length) : null);

/**
 * @param {any} body
 * @returns {Offer | null} null: makes no sense
 */
export function offerIn({ id, name, size, type, modified_ms: modifiedMs }) {
  if (!isId(id) || typeof name !== "string" || !isCount(size)) return null;
  return { id, name: name.slice(-MOST_NAME), size, type: typeof type === "string" ? type.slice(0, 100) : "", modifiedMs: isCount(modifiedMs) ? modifiedMs : 0 };
}

/** @param {unknown} id */
export const isId = (id) => typeof id === "string" && /^[\w-]{8,64}$/.test(id);

/** @param {unknown} value */
export const isCount = (value) => Number.isSafeInteger(value) && Number(value) >= 0;

/** @param {unknown} why @returns {Why} */
export const whyIn = (why) => (WHY.includes(String(why)) ? /** @type {Why} */ (why) : "");

/**
 * Where a sender may be asked to begin.
 *
 * @param {any} from
 * @param {number} size
 */
export const isStart = (from, size) => isCount(from) && from <= size && (from % PIECE_BYTES === 0 || from === size);

/**
 * SHA-256 over the print before and the piece: the last print vouches for the whole file, each one for all up to it, and nobody
 * has to hold more than a piece (crypto.subtle digests only what is in memory as a whole).
 *
 * @param {string} before
 * @param {Uint8Array} piece
 * @returns {Promise<string>} 64 hexadecimal digits
 */
export async function printOf(before, piece) {
  const sealed = new Uint8Array(32 + piece.length);
  for (let at = 0; at < 32; at += 1) sealed[at] = parseInt(before.slice(2 * at, 2 * at + 2), 16);
  sealed.set(piece, 32);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", sealed));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * What stands in a text message of a file's channel.
 *
 * @param {string} text
 * @returns {any} an object, empty where there is none
 */
export function wordsIn(text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
