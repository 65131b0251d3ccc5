// One recording, opened by a link that carries its own secret behind the #.

import { Refused, call } from "../call/api.js";
import { find, make } from "../call/dom.js";
import { t } from "../call/text.js";
import { wordsOf } from "../call/words.js";
import { drawCard } from "./card.js";

const share = document.body.dataset.share ?? "";
const secret = location.hash.slice(1);
const form = /** @type {HTMLFormElement} */ (find("#unlock"));
/** The addresses lapse after six hours; a page that stays open asks again before. */
const RENEW_MS = 3_600_000;

/** @param {string | null} password */
async function open(password) {
  const problem = find("#problem");
  problem.hidden = true;
  try {
    const { recording, downloads } = await call("POST", `/shares/${share}/open`, { body: { secret, password } });
    form.hidden = true;
    show(recording, downloads);
    setTimeout(() => void open(password), RENEW_MS);
  } catch (error) {
    const asks = error instanceof Refused && ["password-needed", "wrong-password"].includes(error.code);
    form.hidden = !(asks || (error instanceof Refused && error.status === 429 && password !== null));
    if (error instanceof Refused && error.code === "password-needed") return;
    problem.hidden = false;
    problem.textContent = wordsOf(error);
  }
}

/**
 * @param {import("./card.js").Recording} recording
 * @param {boolean} downloads
 */
function show(recording, downloads) {
  find("#title").textContent = recording.title || t("home.untitled");
  document.title = recording.title || document.title;
  const list = find("#recordings");
  const item = /** @type {HTMLElement} */ (list.firstElementChild ?? make("recording"));
  if (!item.isConnected) list.append(item);
  drawCard(item, recording, { watchOnly: !downloads });
  if (!downloads) find("[data-testid=player]", item).setAttribute("controlslist", "nodownload");
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void open(String(new FormData(form).get("password") ?? ""));
});
void open(null);
