// Web addresses within what somebody wrote. Pure.

/** Ends before what usually closes a sentence or a bracket around it. */
const ADDRESS = /https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]}]/g;

/**
 * @param {string} text
 * @returns {{text: string, href?: string}[]} the same text in pieces; those with href are addresses
 */
export function piecesOf(text) {
  const pieces = [];
  let from = 0;
  for (const found of text.matchAll(ADDRESS)) {
    if (!URL.canParse(found[0])) continue;
    if (found.index > from) pieces.push({ text: text.slice(from, found.index) });
    pieces.push({ text: found[0], href: new URL(found[0]).href });
    from = found.index + found[0].length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from) });
  return pieces;
}
