// The small menu of reactions.

import { find } from "./dom.js";
import { REACTIONS } from "./talk.js";

/** @param {(reaction: string) => void} onReact */
export function offerReactions(onReact) {
  const menu = find("#reactions");
  find(".choices", menu).replaceChildren(
    ...REACTIONS.map((reaction) => {
      const button = document.createElement("button");
      button.textContent = reaction;
      button.className = "plain";
      button.addEventListener("click", () => {
        onReact(reaction);
        menu.hidePopover?.();
      });
      return button;
    }),
  );
}
