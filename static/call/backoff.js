// How long to wait before another try. Pure.

/**
 * Longer and longer, up to a limit, and never two alike: a server that comes back is not met by everybody at once.
 *
 * @param {number} attempt  how many tries have failed, from 1
 * @param {{firstMs?: number, mostMs?: number, random?: () => number}} [options]
 * @returns {number} milliseconds
 */
export function backoffMs(attempt, { firstMs = 250, mostMs = 8000, random = Math.random } = {}) {
  const longest = Math.min(firstMs * 2 ** Math.min(Math.max(attempt, 1) - 1, 16), mostMs);
  return longest * (0.5 + random() / 2);
}

/**
 * Wait, unless told to stop; resolves either way.
 *
 * @param {number} ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done);
  });
}
