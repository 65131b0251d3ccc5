// What one seeks by: the waveform, and who spoke when. Pure: from numbers to the paths of a picture.

/** @typedef {{version: number, per_second: number, peaks: number[], speaking: {participant: string, name: string, spans: [number, number][]}[]}} Waveform */

export const BARS = 240;
export const HEIGHT = 100;

/**
 * The waveform of a stretch and of some people, on its own time. How loud it was is known of all together only.
 *
 * @param {Waveform} waveform
 * @param {number} from  seconds
 * @param {number} to
 * @param {string[] | null} people  null: all
 * @returns {Waveform}
 */
export function waveformWithin(waveform, from, to, people) {
  const fromMs = from * 1000;
  const speaking = waveform.speaking
    .filter(({ participant }) => !people || people.includes(participant))
    .map((one) => ({ ...one, spans: spansWithin(one.spans, fromMs, to * 1000) }));
  const peaks = people ? [0] : waveform.peaks.slice(Math.round(from * waveform.per_second), Math.round(to * waveform.per_second));
  return { ...waveform, peaks, speaking };
}

/**
 * @param {[number, number][]} spans  milliseconds
 * @param {number} from
 * @param {number} to
 * @returns {[number, number][]}
 */
const spansWithin = (spans, from, to) =>
  spans.filter(([start, end]) => end > from && start < to).map(([start, end]) => [Math.max(from, start) - from, Math.min(to, end) - from]);

/**
 * As many peaks as there are bars: the loudest of each stretch.
 *
 * @param {number[]} peaks  0 to 255
 * @param {number} bars
 */
export function condensed(peaks, bars = BARS) {
  const count = Math.min(bars, Math.max(1, peaks.length));
  return Array.from({ length: count }, (_, index) => {
    const part = peaks.slice(Math.floor((index * peaks.length) / count), Math.max(1, Math.floor(((index + 1) * peaks.length) / count)));
    return part.reduce((most, peak) => Math.max(most, peak), 0);
  });
}

/**
 * Bars around the middle, one unit wide each.
 *
 * @param {number[]} peaks  0 to 255
 */
export function pathOfPeaks(peaks) {
  return peaks
    .map((peak, index) => {
      const half = Math.max(1.5, ((peak / 255) * HEIGHT) / 2);
      return `M${index + 0.15} ${(HEIGHT / 2 - half).toFixed(1)}h.7v${(half * 2).toFixed(1)}h-.7z`;
    })
    .join("");
}

/**
 * Blocks on a line of 1000 units.
 *
 * @param {[number, number][]} spans  milliseconds
 * @param {number} lengthMs
 */
export function pathOfSpans(spans, lengthMs) {
  return spans
    .map(([start, end]) => {
      const left = (start / lengthMs) * 1000;
      const width = Math.max(1, ((end - start) / lengthMs) * 1000);
      return `M${left.toFixed(1)} 0h${width.toFixed(1)}v10h-${width.toFixed(1)}z`;
    })
    .join("");
}
