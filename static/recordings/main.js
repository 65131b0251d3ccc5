// The recordings of a room, for its host: what there is, how far it is, to watch and to take along.

import { Refused, call } from "../call/api.js";
import { announce, find, make } from "../call/dom.js";
import { hostKeyOf } from "../call/hosts.js";
import { duration, size, t } from "../call/text.js";
import { wordsOf } from "../call/words.js";
import { Captions } from "./captions.js";
import { drawCard, playerOf } from "./card.js";
import { Sharing } from "./sharing.js";
import { Versions } from "./versions.js";

/** @typedef {import("./card.js").Recording} Recording */

const { roomId, roomTitle } = /** @type {{roomId: string, roomTitle: string}} */ (/** @type {unknown} */ (document.body.dataset));
const hostKey = hostKeyOf(roomId, roomTitle);
const list = find("#recordings");
const sharing = new Sharing(hostKey ?? "");
const captions = new Captions(hostKey ?? "", () => void refresh());
const versions = new Versions(hostKey ?? "", () => void refresh());
/** @type {Map<string, {item: HTMLElement, shown: string}>} */
const items = new Map();
const SETTLED = new Set(["ready", "failed"]);
const RUNNING = new Set(["recording", "paused"]);
/** @type {ReturnType<typeof setTimeout> | undefined} */
let asking;

for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog")?.close());

/** Ask, draw, ask again: often while something is under way. */
async function refresh() {
  clearTimeout(asking);
  let pauseMs = 10000;
  try {
    /** @type {{recordings: Recording[]}} */
    const { recordings } = await call("GET", `/rooms/${roomId}/recordings`, { token: hostKey ?? "" });
    draw(recordings);
    if (recordings.some(isUnderWay)) pauseMs = 1000;
    find("#problem").hidden = true;
  } catch (error) {
    if (error instanceof Refused) {
      showProblem(error.status === 401 || error.status === 403 ? t("recordings.not-host") : error.message);
      return;
    }
    showProblem(t("recordings.away"));
    pauseMs = 3000;
  }
  clearTimeout(asking);
  asking = setTimeout(() => void refresh(), pauseMs);
}

/** @param {Recording} recording */
const isUnderWay = ({ state, versions: films = [] }) => !SETTLED.has(state) || films.some((film) => film.state === "waiting" || film.state === "running");

/** @param {string} text */
function showProblem(text) {
  const problem = find("#problem");
  problem.hidden = false;
  problem.textContent = text;
}

/** @param {Recording[]} recordings */
function draw(recordings) {
  find("#empty").hidden = recordings.length > 0;
  const ids = new Set(recordings.map(({ id }) => id));
  for (const [id, { item }] of items) {
    if (ids.has(id)) continue;
    item.remove();
    items.delete(id);
  }
  recordings.forEach((recording, index) => {
    const known = items.get(recording.id) ?? { item: make("recording"), shown: "" };
    items.set(recording.id, known);
    // A new signature is no change: a film that plays must not be touched.
    // But once an hour the links are renewed, before they lapse.
    const hour = Math.floor(Date.now() / 3_600_000);
    const shown = JSON.stringify({ ...recording, hour, live: null, archive: null, artifacts: recording.artifacts.map(({ id }) => id) });
    if (shown !== known.shown) drawOne(known.item, recording);
    known.shown = shown;
    drawLive(known.item, recording);
    if (list.children[index] !== known.item) list.insertBefore(known.item, list.children[index] ?? null);
  });
}

/**
 * @param {HTMLElement} item
 * @param {Recording} recording
 */
function drawOne(item, recording) {
  drawCard(item, recording, {
    onDelete: (n) => void ask(recording, `versions/${n}/delete`, {}, () => t("films.deleted")),
    onRetry: () => void ask(recording, "retry", {}, () => t("recordings.retried")),
    onRemove: (name, people) => removePerson(recording, name, people),
  });
  drawProgress(item, recording);
  drawKeeping(item, recording);
  const share = find("[data-testid=share]", item);
  share.hidden = recording.state !== "ready";
  share.onclick = () => void sharing.open(recording.id);
  const another = find("[data-testid=another-film]", item);
  another.hidden = recording.state !== "ready";
  another.onclick = () => versions.open(recording, () => playerOf(item).at);
  const bring = find("[data-testid=captions]", item);
  bring.hidden = recording.state !== "ready";
  bring.onclick = () => captions.open(recording.id);
  const retry = find("[data-testid=retry]", item);
  retry.hidden = recording.state !== "failed" || !recording.jobs.some(({ state }) => state === "failed");
  retry.onclick = () => void ask(recording, "retry", {}, () => t("recordings.retried"));
  const remove = find("[data-testid=delete-recording]", item);
  remove.hidden = !SETTLED.has(recording.state) && recording.state !== "processing";
  remove.onclick = () => removeRecording(recording);
}

/**
 * How long it has run and what arrives, while it runs.
 *
 * @param {HTMLElement} item
 * @param {Recording} recording
 */
function drawLive(item, recording) {
  const line = find(".live", item);
  const tracks = recording.live?.tracks ?? [];
  line.hidden = !RUNNING.has(recording.state) || recording.started_at_ms === null;
  const bytes = tracks.reduce((sum, track) => sum + track.bytes_per_s, 0);
  line.textContent = t("recordings.live", {
    time: duration(Date.now() - (recording.started_at_ms ?? Date.now())),
    count: tracks.length,
    rate: size(bytes),
  });
}

/**
 * @param {HTMLElement} item
 * @param {Recording} recording
 */
function drawProgress(item, recording) {
  const box = find(".processing", item);
  box.hidden = recording.state !== "processing";
  find("progress", box).value = recording.progress;
  find(".percent", box).textContent = `${recording.progress} %`;
  const left = recording.eta_s === null ? "" : t("recordings.left", { time: duration(recording.eta_s * 1000) });
  find(".step", box).textContent = [recording.step ? t(`step.${recording.step}`) : "", left].filter(Boolean).join(" · ");
}

/**
 * How long it is kept, and the button that keeps it for good.
 *
 * @param {HTMLElement} item
 * @param {Recording} recording
 */
function drawKeeping(item, recording) {
  const line = find("[data-testid=keeping]", item);
  line.hidden = !recording.held && recording.delete_at_ms === null;
  const day = new Date(recording.delete_at_ms ?? 0).toLocaleDateString(document.documentElement.lang, { dateStyle: "long" });
  find(".until", line).textContent = recording.held ? t("keeping.held") : t("keeping.until", { day });
  const button = find("[data-testid=hold]", line);
  button.textContent = t(recording.held ? "keeping.release" : "keeping.hold");
  button.onclick = () => void ask(recording, "hold", { held: !recording.held }, ({ held }) => t(held ? "keeping.held" : "keeping.released"));
}

/**
 * Have something done to a recording, and say what came of it.
 *
 * @param {Recording} recording
 * @param {string} action  the last part of the call's path
 * @param {object} body
 * @param {(answer: any) => string} said  in words, of the answer
 */
async function ask(recording, action, body, said) {
  try {
    announce(said(await call("POST", `/recordings/${recording.id}/${action}`, { token: hostKey ?? "", body })));
    void refresh();
  } catch (error) {
    announce(wordsOf(error));
  }
}

/**
 * @param {string} title
 * @param {string} text
 * @param {() => void} then  once it is confirmed
 */
function confirm(title, text, then) {
  const dialog = find("#confirm");
  find("h2", dialog).textContent = title;
  find("p", dialog).textContent = text;
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue === "delete") then();
  };
  dialog.showModal();
}

/**
 * @param {Recording} recording
 * @param {string} name
 * @param {string[]} people
 */
function removePerson(recording, name, people) {
  const said = (/** @type {any} */ { deleted }) => t("remove.done", { name, count: deleted.files });
  confirm(t("remove.title", { name }), t("remove.text", { name }), () => void ask(recording, "people/remove", { people }, said));
}

/** @param {Recording} recording */
function removeRecording(recording) {
  confirm(t("recordings.delete.title"), t("recordings.delete.text"), () => {
    void ask(recording, "delete", {}, ({ deleted }) => {
      items.get(recording.id)?.item.remove();
      items.delete(recording.id);
      return t("recordings.deleted", { count: deleted.files, size: size(deleted.bytes) });
    });
  });
}

void refresh();
