// Who is shown where: the stage, the strip beside it, and rectangles for both. Pure.

/**
 * @typedef {"grid" | "speaker" | "side-by-side"} Layout  the words the composed film uses, too
 * @typedef {{key: string, isScreen?: boolean, isMine?: boolean}} Cell
 * @typedef {{x: number, y: number, width: number, height: number}} Place  CSS pixels
 * @typedef {{layout: Layout, pinned: string, recent: string[]}} View  recent: who spoke, the latest first; pinned: a key, or ""
 */

export const LAYOUTS = /** @type {const} */ (["grid", "speaker", "side-by-side"]);
const GAP = 10;
/** What a face in the strip needs to be recognised, and may take. */
const STRIP = { least: 92, most: 260, share: 0.2, wide: 16 / 10, upright: 4 / 5 };
/** A picture is cropped to its cell; beyond this it would lose the face, or the room around it. */
const SHAPE = { narrowest: 6 / 5, narrowestUpright: 3 / 4, widest: 16 / 9 };

/**
 * Who has the stage. The rest is the strip.
 *
 * @param {Cell[]} cells  in order of joining
 * @param {View} view
 * @returns {{stage: Cell[], strip: Cell[]}}
 */
export function divide(cells, { layout, pinned, recent }) {
  const pin = cells.filter(({ key }) => key === pinned);
  const screens = cells.filter(({ isScreen }) => isScreen);
  const faces = cells.filter(({ isScreen }) => !isScreen);
  const chosen = pin.length > 0 ? pin : screens;
  const [first, second] = byImportance(faces.filter((face) => !chosen.includes(face)), recent);
  /** @type {(Cell | undefined)[]} */
  let stage = chosen;
  if (layout === "side-by-side") stage = chosen.length > 0 ? [...chosen, first] : [first, second];
  else if (chosen.length === 0) stage = layout === "speaker" ? [first] : faces;
  return { stage: cells.filter((cell) => stage.includes(cell)), strip: cells.filter((cell) => !stage.includes(cell)) };
}

/**
 * The latest speakers first, then the others, oneself last.
 *
 * @param {Cell[]} faces
 * @param {string[]} recent
 */
function byImportance(faces, recent) {
  const rank = (/** @type {Cell} */ { key, isMine }) => (isMine ? Infinity : recent.includes(key) ? recent.indexOf(key) : recent.length);
  return [...faces].sort((one, other) => rank(one) - rank(other));
}

/**
 * @param {Cell[]} cells
 * @param {View} view
 * @param {number} width   of the space, CSS pixels
 * @param {number} height
 * @returns {{places: Map<string, Place>, more: Place | null, hidden: number}} more: where "and so many more" stands
 */
export function arrange(cells, view, width, height) {
  const { stage, strip } = divide(cells, view);
  if (strip.length === 0) return { places: tiled(stage, { x: 0, y: 0, width, height }), more: null, hidden: 0 };
  const isUpright = height > width;
  const [along, across] = isUpright ? [width, height] : [height, width];
  const depth = Math.min(STRIP.most, Math.max(STRIP.least, across * STRIP.share));
  const length = isUpright ? depth * STRIP.upright : depth / STRIP.wide;
  const fit = Math.max(1, Math.floor((along + GAP) / (length + GAP)));
  const kept = strip.length <= fit ? strip : keep(strip, fit - 1, view.recent);
  const hidden = strip.length - kept.length;
  const count = kept.length + (hidden > 0 ? 1 : 0);
  const begin = (along - count * length - (count - 1) * GAP) / 2;
  /** @param {number} index @returns {Place} */
  const at = (index) => {
    const offset = begin + index * (length + GAP);
    return isUpright
      ? { x: offset, y: height - depth, width: length, height: depth }
      : { x: width - depth, y: offset, width: depth, height: length };
  };
  const room = isUpright ? { x: 0, y: 0, width, height: height - depth - GAP } : { x: 0, y: 0, width: width - depth - GAP, height };
  const places = tiled(stage, room);
  kept.forEach(({ key }, index) => places.set(key, at(index)));
  return { places, more: hidden > 0 ? at(kept.length) : null, hidden };
}

/**
 * Where not all fit: those who spoke last.
 *
 * @param {Cell[]} strip
 * @param {number} count
 * @param {string[]} recent
 */
function keep(strip, count, recent) {
  const kept = byImportance(strip, recent).slice(0, count);
  return strip.filter((cell) => kept.includes(cell));
}

/**
 * As large as they can all be; a last row that is not full stands in the middle.
 *
 * @param {Cell[]} cells
 * @param {Place} space
 * @returns {Map<string, Place>}
 */
function tiled(cells, space) {
  const isScreen = cells.some((cell) => cell.isScreen);
  const columns = columnsFor(cells.length, space.width, space.height, isScreen);
  const rows = Math.ceil(cells.length / columns);
  const { width, height } = sizeOf(columns, rows, space.width, space.height, isScreen);
  const top = space.y + (space.height - rows * height - (rows - 1) * GAP) / 2;
  return new Map(
    cells.map(({ key }, index) => {
      const row = Math.floor(index / columns);
      const inRow = row === rows - 1 ? cells.length - row * columns : columns;
      const left = space.x + (space.width - inRow * width - (inRow - 1) * GAP) / 2;
      return [key, { x: left + (index % columns) * (width + GAP), y: top + row * (height + GAP), width, height }];
    }),
  );
}

/**
 * How many columns show so many largest.
 *
 * @param {number} count
 * @param {number} width
 * @param {number} height
 * @param {boolean} [isScreen]
 */
export function columnsFor(count, width, height, isScreen = false) {
  const seen = (/** @type {number} */ columns) => {
    const size = sizeOf(columns, Math.ceil(count / columns), width, height, isScreen);
    // Of a screen one sees what its shape leaves of the cell.
    return isScreen ? Math.min(size.width, size.height * SHAPE.widest) : size.width * size.height;
  };
  const choices = Array.from({ length: Math.max(count, 1) }, (_, index) => index + 1);
  return choices.reduce((best, columns) => (seen(columns) > seen(best) * 1.0001 ? columns : best), 1);
}

/**
 * @param {number} columns
 * @param {number} rows
 * @param {number} width
 * @param {number} height
 * @param {boolean} isScreen
 */
function sizeOf(columns, rows, width, height, isScreen) {
  const cell = { width: Math.max(0, (width - GAP * (columns - 1)) / columns), height: Math.max(0, (height - GAP * (rows - 1)) / Math.max(rows, 1)) };
  if (isScreen) return cell;
  const narrowed = Math.min(cell.width, cell.height * SHAPE.widest);
  const narrowest = height > width ? SHAPE.narrowestUpright : SHAPE.narrowest;
  return { width: narrowed, height: Math.min(cell.height, narrowed / narrowest) };
}
