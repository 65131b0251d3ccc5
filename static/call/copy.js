// A link that stands in a field, to be taken along.

import { announce } from "./dom.js";
import { t } from "./text.js";

/**
 * @param {HTMLInputElement} field
 * @param {string} done  what is said then
 */
export async function copyFrom(field, done) {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    announce(done);
  } catch {
    announce(t("link.copy-by-hand"));
  }
}
