// How many columns show so many tiles largest in a given space. Pure.

/**
 * @param {number} count   tiles
 * @param {number} width   of the space, any unit
 * @param {number} height
 * @param {number} [ratio] of a tile, width to height
 * @returns {number} columns
 */
export function columnsFor(count, width, height, ratio = 16 / 9) {
  let best = 1;
  let bestArea = 0;
  for (let columns = 1; columns <= Math.max(count, 1); columns += 1) {
    const rows = Math.ceil(Math.max(count, 1) / columns);
    const tileWidth = Math.min(width / columns, (height / rows) * ratio);
    const area = tileWidth * (tileWidth / ratio);
    if (area > bestArea * 1.0001) {
      best = columns;
      bestArea = area;
    }
  }
  return best;
}
