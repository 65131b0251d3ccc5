// The page when the call is over for us.

import { find } from "./dom.js";
import { t } from "./text.js";

/**
 * @param {string} reason
 * @param {boolean} hasRecordings  whether we hold the room's key
 */
export function showEnded(reason, hasRecordings) {
  document.body.classList.remove("in-call", "is-recorded");
  for (const id of ["#call", "#prejoin", "#connection", "#blocked"]) find(id).hidden = true;
  find("#ended").hidden = false;
  find("#ended-title").textContent = t(`ended.${reason}.title`);
  find("#ended-title").focus();
  find("#ended-text").textContent = t(`ended.${reason}.text`);
  find("#ended-recordings").hidden = !hasRecordings;
}
