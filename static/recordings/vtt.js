// WebVTT cues (https://www.w3.org/TR/webvtt1/), as the server makes them: chapters, and where thumbnails lie on their sheet.

/** @typedef {{start: number, end: number, text: string}} Cue  seconds */

/**
 * @param {string} text
 * @returns {Cue[]}
 */
export function cuesOf(text) {
  return text
    .replaceAll("\r\n", "\n")
    .split(/\n{2,}/)
    .flatMap((block) => {
      const lines = block.split("\n");
      const at = lines.findIndex((line) => line.includes("-->"));
      if (at < 0) return [];
      const [start, end] = lines[at].split("-->").map(secondsOf);
      const words = lines.slice(at + 1).join("\n").trim();
      return Number.isFinite(start) && Number.isFinite(end) ? [{ start, end, text: plain(words) }] : [];
    });
}

/** @param {string} time  `01:02:03.456` or `02:03.456` */
function secondsOf(time) {
  const found = /^\s*(?:(\d+):)?(\d\d):(\d\d)\.(\d{3})/.exec(time);
  if (!found) return NaN;
  const [, hours = "0", minutes, seconds, thousandths] = found;
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds) + Number(thousandths) / 1000;
}

/** @param {string} text */
const plain = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

// WebVTT counts whole milliseconds; a browser sent to 1.009 s may say that it stands at 1.008999.
const GRAIN_S = 0.001;

/**
 * The cue that belongs to a moment.
 *
 * @param {Cue[]} cues  in order
 * @param {number} second
 */
export const cueAt = (cues, second) => cues.findLast(({ start }) => start < second + GRAIN_S);

/**
 * The cues of a stretch, on its own time.
 *
 * @param {Cue[]} cues
 * @param {number} from  seconds
 * @param {number} to
 */
export const cuesWithin = (cues, from, to) =>
  cues.filter(({ start, end }) => end > from && start < to).map((cue) => ({ ...cue, start: Math.max(from, cue.start) - from, end: Math.min(to, cue.end) - from }));

/**
 * Where on the sheet: `thumbnails.jpg#xywh=320,90,160,90`.
 *
 * @param {string} text
 * @returns {{x: number, y: number, width: number, height: number} | null}
 */
export function placeOf(text) {
  const found = /#xywh=(\d+),(\d+),(\d+),(\d+)/.exec(text);
  if (!found) return null;
  const [x, y, width, height] = found.slice(1).map(Number);
  return { x, y, width, height };
}
