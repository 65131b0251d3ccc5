// How much we send to each: a mesh sends everything once per person, so it has to become less with every person.

/** Bits a second and picture height per number of others we send video to. */
const STEPS = [
  { others: 1, bps: 2_500_000, scale: 1 },
  { others: 2, bps: 1_500_000, scale: 1 },
  { others: 3, bps: 900_000, scale: 1.5 },
  { others: 5, bps: 500_000, scale: 2 },
  { others: 8, bps: 250_000, scale: 3 },
  { others: Infinity, bps: 150_000, scale: 4 },
];

/**
 * @param {number} others
 * @returns {{bps: number, scale: number}}
 */
export function stepFor(others) {
  const step = STEPS.find((candidate) => others <= candidate.others) ?? STEPS[STEPS.length - 1];
  return { bps: step.bps, scale: step.scale };
}

/**
 * @param {RTCRtpSender} sender  of a camera
 * @param {number} others        persons we send to
 * @param {boolean} toRecorder   the recording keeps the full picture
 */
export async function limit(sender, others, toRecorder) {
  const parameters = sender.getParameters();
  if (!parameters.encodings?.length) return;
  const { bps, scale } = toRecorder ? stepFor(1) : stepFor(others);
  const [encoding] = parameters.encodings;
  if (encoding.maxBitrate === bps && encoding.scaleResolutionDownBy === scale) return;
  encoding.maxBitrate = bps;
  encoding.scaleResolutionDownBy = scale;
  try {
    await sender.setParameters(parameters);
  } catch {
    // Negotiation is under way; the next change of people sets it.
  }
}
