// What this browser's person has chosen: devices, how the microphone is treated, how much data, captions. Kept from call to call.

const KEY = "letterbox.devices";

/**
 * @typedef {"full" | "low" | "sound"} Data  low: small pictures both ways; sound: no pictures at all
 * @typedef {object} Chosen
 * @property {string} audio   a microphone's device id, "" for any
 * @property {string} video
 * @property {string} sink    a loudspeaker's
 * @property {boolean} echoCancellation
 * @property {boolean} noiseSuppression
 * @property {boolean} autoGainControl
 * @property {boolean} blur   the background, where the system can
 * @property {Data} data
 * @property {boolean} captions  whether one reads what is said
 * @property {import("./layout.js").Layout} layout
 */

/** @type {Chosen} */
const DEFAULTS = {
  audio: "", video: "", sink: "", echoCancellation: true, noiseSuppression: true, autoGainControl: true, blur: false,
  data: "full", captions: false, layout: "grid",
};

/**
 * @param {Pick<Storage, "getItem">} storage
 * @returns {Chosen} what was kept, as far as it makes sense
 */
export function chosenIn(storage) {
  try {
    const kept = JSON.parse(storage.getItem(KEY) || "{}");
    const sound = Object.entries(DEFAULTS).filter(([name, value]) => typeof kept[name] === typeof value);
    return { ...DEFAULTS, ...Object.fromEntries(sound.map(([name]) => [name, kept[name]])) };
  } catch {
    return { ...DEFAULTS };
  }
}

/**
 * @param {Pick<Storage, "getItem" | "setItem">} storage
 * @param {Partial<Chosen>} change
 * @returns {Chosen}
 */
export function choose(storage, change) {
  const chosen = { ...chosenIn(storage), ...change };
  try {
    storage.setItem(KEY, JSON.stringify(chosen));
  } catch {
    // A browser that keeps nothing: it holds for this page.
  }
  return chosen;
}
