// Where a browser forbids storage, as many do in a frame of another site, even looking at localStorage throws. Then what a page
// keeps is kept for as long as it is open. Imported for its effect, before anything that keeps something.

/** @returns {Pick<Storage, "getItem" | "setItem" | "removeItem">} */
function memory() {
  /** @type {Map<string, string>} */
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, String(value)),
    removeItem: (key) => void kept.delete(key),
  };
}

/**
 * Put a memory in the place of what cannot be used.
 *
 * @param {"localStorage" | "sessionStorage"} name
 * @param {any} [page]
 */
export function secure(name, page = globalThis) {
  try {
    page[name].setItem("letterbox.probe", "");
    page[name].removeItem("letterbox.probe");
  } catch {
    Object.defineProperty(page, name, { value: memory(), configurable: true });
  }
}

if (globalThis.document) {
  secure("localStorage");
  secure("sessionStorage");
}
