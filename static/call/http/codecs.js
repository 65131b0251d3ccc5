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

/** @param {{hardwareConcurrency?: number}} machine @returns {Promise<Able>} */
export async function look({ hardwareConcurrency: cores = 1 } = navigator) {
  const encodes = (/** @type {Codec} */ one, more = {}) => isSupported(VideoEncoder, { ...CONFIGS[one], ...SIZE, latencyMode: "realtime", ...more });
  const [encoded, decoded, hasChip] = await Promise.all([
    Promise.all(ALL.map((one) => encodes(one))),
    Promise.all(ALL.map((one) => isSupported(VideoDecoder, { codec: CONFIGS[one].codec }))),
    encodes("h264", { hardwareAcceleration: "prefer-hardware" }),
  ]);
  return { encodes: ALL.filter((_, at) => encoded[at]), takes: ALL.filter((_, at) => decoded[at]), hasChip, cores };
}

/**
 * @param {{isConfigSupported: (config: any) => Promise<{supported?: boolean}>}} coder
 * @param {object} config
 */
async function isSupported(coder, config) {
  try {
    return Boolean((await coder.isConfigSupported(config)).supported);
  } catch {
    return false; // a codec this browser has never heard of
  }
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
  const takes = theirs.map((said) => (Array.isArray(said) ? said : OF_OLD));
  const common = encodes.filter((one) => takes.every((list) => list.includes(one)));
  const best = hasChip && common.includes("h264") ? "h264" : cores >= MANY_CORES && !isSlow && common.includes("vp9") ? "vp9" : common[0];
  return best ?? encodes[0] ?? null;
}
