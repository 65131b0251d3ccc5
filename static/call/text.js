// What people read: the catalogue the page carries. No sentence stands in a script.

/** @type {Record<string, string>} */
const catalogue = JSON.parse(globalThis.document?.getElementById("catalogue")?.textContent || "{}");

/**
 * @param {string} key
 * @param {Record<string, string | number>} [values]  put in for {name}
 * @returns {string}
 */
export function t(key, values = {}) {
  const text = catalogue[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** @param {number} bytes */
export function size(bytes) {
  // By what is shown: 999 999 bytes are no 1000 KB.
  if (bytes < 999.5e3) return `${Math.max(Math.sign(bytes), Math.round(bytes / 1e3))} KB`;
  return bytes < 999.95e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** @param {number} ms */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const rest = String(seconds % 60).padStart(2, "0");
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}
