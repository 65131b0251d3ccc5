// How much we send to each: a mesh sends everything once per person, so it has to become less with every person, and nobody
// needs more than they show.

/** Bits a second and picture height per number of others we send video to. */
const STEPS = [
  { others: 1, bps: 2_500_000, scale: 1 },
  { others: 2, bps: 1_500_000, scale: 1 },
  { others: 3, bps: 900_000, scale: 1.5 },
  { others: 5, bps: 500_000, scale: 2 },
  { others: 8, bps: 250_000, scale: 3 },
  { others: Infinity, bps: 150_000, scale: 4 },
];
/** With little data: a face that moves, no more. */
const LOW = { bps: 120_000, height: 180, fps: 12 };
/** Steps of what somebody may say they show: else each drag at a window's edge would begin a new picture. */
const HEIGHTS = [180, 360, 540, 720];
const CAMERA_HEIGHT = 720;

/**
 * @param {number} others
 * @returns {{bps: number, scale: number}}
 */
export function stepFor(others) {
  const step = STEPS.find((candidate) => others <= candidate.others) ?? STEPS[STEPS.length - 1];
  return { bps: step.bps, scale: step.scale };
}

/**
 * What to tell others of how large we show them.
 *
 * @param {number} height  device pixels, 0 for not at all
 */
export const heightStep = (height) => (height <= 0 ? 0 : (HEIGHTS.find((step) => height <= step * 1.1) ?? CAMERA_HEIGHT));

/**
 * @typedef {object} Wish
 * @property {number} others         persons we send to
 * @property {boolean} [toRecorder]  the recording keeps the full picture
 * @property {number} [shown]        height they show us at, 0 for not at all
 * @property {boolean} [low]         we are to use little data
 * @property {number} [camera]       height of what the camera gives
 * @param {Wish} wish
 * @returns {{active: boolean, bps: number, scale: number, fps: number | undefined}}
 */
export function planFor({ others, toRecorder = false, shown = CAMERA_HEIGHT, low = false, camera = CAMERA_HEIGHT }) {
  const { bps, scale } = toRecorder ? stepFor(1) : stepFor(others);
  const height = Math.min(toRecorder ? Infinity : shown || LOW.height, low ? LOW.height : Infinity);
  const smaller = Math.max(scale, camera / height);
  const least = Math.round(bps * (scale / smaller) ** 1.5);
  return { active: toRecorder || shown > 0, bps: low ? Math.min(LOW.bps, least) : least, scale: smaller, fps: low ? LOW.fps : undefined };
}

/**
 * @param {RTCRtpSender} sender  of a camera
 * @param {Wish} wish
 */
export async function limit(sender, wish) {
  const parameters = sender.getParameters();
  if (!parameters.encodings?.length) return;
  const { active, bps, scale, fps } = planFor({ camera: sender.track?.getSettings().height, ...wish });
  const [encoding] = parameters.encodings;
  const isSo = encoding.maxBitrate === bps && encoding.scaleResolutionDownBy === scale && encoding.active === active;
  if (isSo && encoding.maxFramerate === fps) return;
  Object.assign(encoding, { active, maxBitrate: bps, scaleResolutionDownBy: scale });
  if (fps) encoding.maxFramerate = fps;
  else delete encoding.maxFramerate;
  try {
    await sender.setParameters(parameters);
  } catch {
    // Negotiation is under way; the next change of people sets it.
  }
}
