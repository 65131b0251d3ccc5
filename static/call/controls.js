// The row of buttons below the pictures, and what they show of ourselves.

import { find, setIcon } from "./dom.js";
import { t } from "./text.js";

/** @typedef {() => unknown} Action */

/** @type {Set<Action>} */
const underWay = new Set();

/**
 * Pressed again while the camera is still being opened: once is enough.
 *
 * @param {Action} action
 */
export async function once(action) {
  if (underWay.has(action)) return;
  underWay.add(action);
  try {
    await action();
  } finally {
    underWay.delete(action);
  }
}

/** @param {Record<string, Action>} actions  by the buttons' names */
export function listen(actions) {
  for (const [name, action] of Object.entries(actions)) find(`[data-testid=${name}]`).addEventListener("click", () => void once(action));
  find("[data-testid=screen]").hidden = !navigator.mediaDevices?.getDisplayMedia;
}

/** @param {import("./room.js").MediaState} state  ours */
export function show({ microphone, camera, screen, hand_at_ms: handAtMs }) {
  setIcon(find("[data-testid=mute]"), microphone ? "mic" : "mic-off", t(microphone ? "controls.mute" : "controls.unmute"));
  setIcon(find("[data-testid=camera]"), camera ? "video" : "video-off", t(camera ? "controls.camera-off" : "controls.camera-on"));
  setIcon(find("[data-testid=screen]"), screen ? "monitor-x" : "monitor-up", t(screen ? "controls.screen-off" : "controls.screen-on"));
  find("[data-testid=mute]").classList.toggle("off", !microphone);
  find("[data-testid=camera]").classList.toggle("off", !camera);
  const isUp = Boolean(handAtMs);
  find("[data-testid=hand]").setAttribute("aria-pressed", String(isUp));
  find("[data-testid=hand] span").textContent = t(isUp ? "hand.lower" : "hand.raise");
  find("#show-reactions").classList.toggle("on", isUp);
}
