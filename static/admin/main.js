// The page of whoever runs this server: asks how it stands, every few seconds while somebody looks.

import { find } from "../call/dom.js";
import { duration, size, t } from "../call/text.js";

/** @typedef {{text?: string | number, className?: string, href?: string, state?: string, level?: string, details?: string}} Cell */

const EVERY_MS = 5000;
const lang = document.documentElement.lang;
const time = new Intl.DateTimeFormat(lang, { dateStyle: "short", timeStyle: "medium" });
const count = new Intl.NumberFormat(lang);
const words = /** @type {HTMLInputElement} */ (find("[name=words]"));
let timer = 0;
let asked = 0;

async function look() {
  clearTimeout(timer);
  const mine = ++asked;
  try {
    const answer = await fetch(`/admin/state?words=${encodeURIComponent(words.value)}`, { cache: "no-store" });
    if (answer.status === 403) {
      location.reload();
      return;
    }
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.detail);
    if (mine === asked) show(said);
    find("#away").hidden = true;
  } catch (error) {
    find("#away").textContent = error instanceof TypeError ? t("server.away.help") : String(error instanceof Error ? error.message : error);
    find("#away").hidden = false;
  }
  if (mine === asked && !document.hidden) timer = setTimeout(look, EVERY_MS);
}

/** @param {any} said */
function show(said) {
  find("#as-of").textContent = t("admin.as-of", { time: time.format(said.now_ms) });
  figures(said);
  list("rooms", said.rooms.map((/** @type {any} */ one) => [
    { text: one.title || t("home.untitled"), href: `/r/${one.room}`, details: one.room },
    { text: t("admin.people", { count: count.format(one.people) }), className: "number" },
    { text: time.format(one.since_ms), className: "time" },
    one.recording ? { text: t(`state.${one.recording}`), state: one.recording } : {},
  ]));
  list("recordings", said.recordings.map((/** @type {any} */ one) => [
    { text: one.title || t("home.untitled"), href: `/r/${one.room}/recordings`, details: one.reason ?? one.id },
    { text: t(`state.${one.state}`), state: one.state },
    { text: time.format(one.at_ms), className: "time" },
    { text: one.duration_ms ? duration(one.duration_ms) : "", className: "number" },
    { text: one.bytes ? size(one.bytes) : "", className: "number" },
    { text: one.by },
  ]));
  list("queue", said.queue.map((/** @type {any} */ one) => [
    { text: one.title || t("home.untitled"), details: one.reason ?? one.recording },
    { text: one.step, className: "narrow" },
    { text: t(`admin.step.${one.state}`, { progress: one.progress }), state: one.state },
    { text: one.worker ?? "" },
  ]));
  list("recorders", said.recorders.map((/** @type {any} */ one) => [
    { text: one.name },
    { text: t("admin.busy", { busy: one.busy, capacity: one.capacity ?? "?" }), className: "number" },
    { text: time.format(one.since_ms), className: "time" },
  ]));
  list("troubles", said.troubles.map((/** @type {any} */ one) => [
    { text: time.format(one.at_ms), className: "time" },
    { text: one.where, className: "narrow" },
    { text: one.what, level: one.level },
  ]));
  list("audit", said.audit.map((/** @type {any} */ one) => [
    { text: time.format(one.at_ms), className: "time" },
    { text: t(`admin.action.${one.action}`) },
    { text: one.actor },
    one.room ? { text: one.room, href: `/r/${one.room}`, className: "narrow" } : {},
    { text: one.subject, details: Object.entries(one.body).map(([name, value]) => `${name}: ${value}`).join(", ") },
    { text: one.address, className: "narrow" },
  ]));
}

/** @param {any} said */
function figures(said) {
  const { figures: now, disk, recorders } = said;
  const capacity = recorders.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + (one.capacity ?? 0), 0);
  const busy = recorders.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.busy, 0);
  figure("rooms", now.rooms_in_use, t("admin.more.rooms", { count: count.format(now.rooms_open) }));
  figure("people", now.people, now.waiting ? t("admin.more.people", { count: count.format(now.waiting) }) : "");
  figure("parked", now.parked, t("admin.more.parked", { count: count.format(now.messages) }));
  figure("recording", now.recording, t("admin.more.recording", { count: count.format(now.recordings) })).toggleAttribute("data-live", now.recording > 0);
  figure("processing", now.processing, now.failed ? t("admin.more.processing", { count: count.format(now.failed) }) : "");
  figure("recorders-free", Math.max(0, capacity - busy), t("admin.more.recorders", { count: recorders.length, capacity: count.format(capacity) }))
    .toggleAttribute("data-alarm", capacity - busy <= 0);
  const card = figure("disk", size(disk.free), t("admin.more.disk", { total: size(disk.total), files: count.format(disk.files), size: size(disk.recordings) }));
  card.toggleAttribute("data-alarm", disk.low);
  find("progress", card).value = 1 - disk.free / disk.total;
}

/**
 * @param {string} name
 * @param {number | string} value
 * @param {string} more
 * @returns {HTMLElement}
 */
function figure(name, value, more) {
  const card = find(`[data-figure="${name}"]`);
  find("strong", card).textContent = typeof value === "number" ? count.format(value) : value;
  find(".more", card).textContent = more;
  return card;
}

/**
 * @param {string} id
 * @param {Cell[][]} rows
 */
function list(id, rows) {
  find(`#list-${id}`).replaceChildren(...rows.map(row));
  find(`[data-none="${id}"]`).hidden = rows.length > 0;
}

/** @param {Cell[]} cells */
function row(cells) {
  const made = document.createElement("tr");
  made.replaceChildren(...cells.map(cell));
  return made;
}

/** @param {Cell} what */
function cell({ text = "", className = "", href, state, level, details }) {
  const made = document.createElement("td");
  made.className = className;
  if (level) made.dataset.level = level;
  const inner = document.createElement(href ? "a" : "span");
  inner.textContent = String(text);
  if (href) inner.setAttribute("href", href);
  if (state) {
    inner.className = "badge-state";
    inner.dataset.state = state;
  }
  if (text !== "") made.append(inner);
  if (details) {
    const more = document.createElement("div");
    more.className = "details";
    more.textContent = details;
    made.append(more);
  }
  return made;
}

find("#make-room").addEventListener("submit", async (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  const answer = await fetch("/admin/rooms", {
    method: "POST", body: new URLSearchParams({ title: String(new FormData(form).get("title")) }),
    headers: { "X-CSRF-Token": document.body.dataset.csrf ?? "" },
  });
  if (!answer.ok) {
    find("#away").textContent = (await answer.json().catch(() => ({ detail: t("server.away.help") }))).detail;
    find("#away").hidden = false;
    return;
  }
  const link = find("[data-testid=host-link]");
  link.value = (await answer.json()).host_link;
  find("#made").hidden = false;
  form.reset();
  link.focus();
  link.select();
  void look();
});

find("#search").addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
words.addEventListener("input", () => {
  find("#csv").setAttribute("href", `/admin/audit.csv?words=${encodeURIComponent(words.value)}`);
  void look();
});
document.addEventListener("visibilitychange", () => document.hidden || void look());
void look();
