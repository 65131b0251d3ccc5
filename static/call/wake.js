// A laptop that slept: its connections are dead, and nothing tells the page but the clock.

const TICK_MS = 1000;
/** A timer that is late by so much was not merely busy. */
const SLEPT_MS = 8000;

/**
 * Call `action` each time this machine has slept, within a second of its waking.
 *
 * @param {() => void} action
 * @param {AbortSignal} signal  ends it
 */
export function onWake(action, signal) {
  let last = Date.now();
  const timer = setInterval(() => {
    const now = Date.now();
    // Hidden pages are called once a minute at worst; theirs is no sleep.
    const hidden = globalThis.document?.visibilityState === "hidden";
    if (now - last > (hidden ? 70000 : SLEPT_MS)) action();
    last = now;
  }, TICK_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
}
