// What tells a page that its connections may be dead: this machine has slept, or is on another network.

const TICK_MS = 1000;
/** A timer that is late by so much was not merely busy. */
const SLEPT_MS = 8000;

/**
 * Call `action` each time this machine has slept, within a second of its waking.
 *
 * @param {() => void} action
 * @param {AbortSignal} [signal]  ends it
 */
export function onWake(action, signal) {
  let last = Date.now();
  const timer = setInterval(() => {
    const now = Date.now();
    // Hidden pages are called once a minute at worst; theirs is no sleep.
    const hidden = document.visibilityState === "hidden";
    if (now - last > (hidden ? 70000 : SLEPT_MS)) action();
    last = now;
  }, TICK_MS);
  signal?.addEventListener("abort", () => clearInterval(timer));
}

/**
 * Call `action` each time this machine is on a network again, perhaps another one.
 *
 * @param {() => void} action
 * @param {AbortSignal} [signal]  ends it
 */
export function onOtherNetwork(action, signal) {
  addEventListener("online", action, { signal });
  /** @type {(EventTarget & {type?: string}) | undefined} Network Information API, where there is one */
  const connection = /** @type {any} */ (navigator).connection;
  let type = connection?.type;
  connection?.addEventListener(
    "change",
    () => {
      // It tells of every new estimate of speed too: that is no other network.
      if (connection.type === type) return;
      type = connection.type;
      action();
    },
    { signal },
  );
}
