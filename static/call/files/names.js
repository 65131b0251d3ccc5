// What a file may be called here, whatever somebody elsewhere has called it. Pure.

/** What no file system, or not every one, has in a name; and what turns the direction of writing, so that exe reads as txt. */
const FORBIDDEN = /[\p{Cc}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069<>:"|?*]/gu;
/** Names that Windows keeps for devices, whatever ends they have. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/iu;
/** File systems count 255 bytes; a little is left for "(1)". */
const MOST_BYTES = 240;
/** What looks like an end, and is kept when a name is cut. */
const END = /\.[\p{L}\p{N}]{1,10}(\.[\p{L}\p{N}]{1,4})?$/u;

/**
 * @param {string} name
 * @returns {string} never empty, no path, at most MOST_BYTES in UTF-8
 */
export function safeName(name) {
  const last = name.normalize("NFC").split(/[/\\]/).filter(Boolean).at(-1) ?? "";
  const clean = last.replace(FORBIDDEN, "").replace(/^[\s.]+|[\s.]+$/gu, "").replace(DEVICE, "_$1");
  return cut(clean) || "file";
}

/** @param {string} name */
function cut(name) {
  const end = END.exec(name)?.[0] ?? "";
  const letters = [...name.slice(0, name.length - end.length)];
  while (bytesOf(letters.join("") + end) > MOST_BYTES) letters.splice(-Math.max(1, Math.ceil((bytesOf(letters.join("") + end) - MOST_BYTES) / 4)));
  return letters.join("") + end;
}

/** @param {string} text */
const bytesOf = (text) => new TextEncoder().encode(text).length;
