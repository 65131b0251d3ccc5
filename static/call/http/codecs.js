// Which codec pictures are sent in: one for everybody who sees them, since each picture is encoded once.

/** @typedef {"vp8" | "vp9" | "h264"} Codec */
/**
 * What this browser and machine can do.
 *
 * @typedef {object} Able
 * @property {Codec[]} encodes
 * @property {Codec[]} takes    can be decoded
 * @property {boolean} hasChip  H.264 is encoded beside the processor
 * @property {number} cores
 */

/** In WebCodecs' words (W3C, WebCodecs Codec Registry), for pictures up to 1080 lines. H.264 as Annex B has what a recording needs in
 * each key frame. */
export const CONFIGS = {
  vp8: { codec: "vp8" },
  vp9: { codec: "vp09.00.40.08" },
  h264: { codec: "avc1.42e028", avc: /** @type {AvcEncoderConfig} */ ({ format: "annexb" }) },
};
const ALL = /** @type {Codec[]} */ (Object.keys(CONFIGS));
/** Whoever says nothing of it is of a version that knew no other. @type {Codec[]} */
const OF_OLD = ["vp8"];
/** VP9 shows more for the same bits, for about twice the work. */
const MANY_CORES = 4;
const SIZE = { width: 640, height: 360 };
/** A browser that does not say in time does not know. */
const SAYS_MS = 1000;
const ON_CHIP = { hardwareAcceleration: /** @type {const} */ ("prefer-hardware") };

/** @param {{hardwareConcurrency?: number}} machine @returns {Promise<Able>} */
export async function look({ hardwareConcurrency: cores = 1 } = navigator) {
  const encodes = (/** @type {Codec} */ one, more = {}) => isSupported(VideoEncoder, { ...CONFIGS[one], ...SIZE, latencyMode: "realtime", ...more });
  const [encoded, decoded, hasChip] = await Promise.all([
    Promise.all(ALL.map((one) => encodes(one))),
    Promise.all(ALL.map((one) => isSupported(VideoDecoder, { codec: CONFIGS[one].codec }))),
    encodes("h264", ON_CHIP),
  ]);
  return { encodes: ALL.filter((_, at) => encoded[at]), takes: ALL.filter((_, at) => decoded[at]), hasChip, cores };
}

/**
 * @param {{isConfigSupported: (config: any) => Promise<{supported?: boolean}>}} coder
 * @param {object} config
 */
async function isSupported(coder, config) {
  try {
    const late = new Promise((resolve) => setTimeout(() => resolve({ supported: false }), SAYS_MS));
    return Boolean((await Promise.race([coder.isConfigSupported(config), late])).supported);
  } catch {
    return false; // a codec this browser has never heard of
  }
}

/**
 * @param {Codec[]} encodes
 * @param {unknown[]} theirs  what each of the others takes, as they say it
 */
export function common(encodes, theirs) {
  const takes = theirs.map((said) => (Array.isArray(said) ? said : OF_OLD));
  return encodes.filter((one) => takes.every((list) => list.includes(one)));
}

/**
 * The best that all can show: from the machine's own chip if it has one, else for the fewest bits where the machine is quick enough.
 *
 * @param {Able} able
 * @param {unknown[]} theirs  what each of the others takes, as they say it
 * @param {boolean} isSlow    this machine was too slow for the best
 * @returns {Codec | null}  null: nothing can be encoded
 */
export function choose({ encodes, hasChip, cores }, theirs, isSlow) {
  const shown = common(encodes, theirs);
  if (hasChip && !isSlow && shown.includes("h264")) return "h264";
  if (cores >= MANY_CORES && !isSlow && shown.includes("vp9")) return "vp9";
  return shown[0] ?? encodes[0] ?? null;
}

/**
 * What an encoder is told, beside size and rate.
 *
 * @param {Able} able
 * @param {Codec} codec
 */
export const configOf = ({ hasChip }, codec) => ({ ...CONFIGS[codec], ...(codec === "h264" && hasChip && ON_CHIP) });
