// The page that shows the HTTP API: finds a call by what one types. Without this script the page says the same.

import { find } from "../call/dom.js";
import { t } from "../call/text.js";

const input = /** @type {HTMLInputElement} */ (find("#filter"));
const groups = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".api-group")]);
const calls = /** @type {HTMLDetailsElement[]} */ ([...document.querySelectorAll(".api-call")]);
const texts = new Map(calls.map((call) => [call, `${call.dataset.method} ${call.dataset.path} ${call.textContent}`.toLowerCase()]));

function show() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = calls.filter((call) => words.every((word) => texts.get(call)?.includes(word)));
  for (const call of calls) call.hidden = !found.includes(call);
  for (const group of groups) group.hidden = words.length > 0 && !found.some((call) => group.contains(call));
  find("#filter-none").hidden = found.length > 0;
  find("#filter-found").textContent = words.length > 0 ? t("api.found", { count: found.length }) : "";
}

find("#filter-form").hidden = false;
find("#filter-form").addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
input.addEventListener("input", show);
