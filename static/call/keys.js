// A key for everything, and the sheet that lists them.

import { once } from "./controls.js";
import { find } from "./dom.js";

/** @param {Record<string, () => unknown>} keys  by what is pressed, in small letters */
export function listen(keys) {
  const help = find("#help");
  find("#show-help").addEventListener("click", () => {
    find("#more-menu").hidePopover?.();
    help.showModal();
  });
  keys["?"] = () => help.showModal();
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.closest("input, textarea, select, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || find("#call").hidden) return;
    const action = keys[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    void once(action);
  });
}
