// The recordings of a room, for its host: what there is, how far it is, to watch and to take along.

import { Refused, call } from "../call/api.js";
import { announce, find, make } from "../call/dom.js";
import { hostKeyOf } from "../call/hosts.js";
import { duration, size, t } from "../call/text.js";
import { Player } from "./player.js";

/**
 * @typedef {{id: string, kind: string, name: string, bytes: number, sha256: string, url: string, meta: any}} Artifact
 * @typedef {{id: string, state: string, by: string, reason: string | null, title: string, requested_at_ms: number, started_at_ms: number | null,
 *   duration_ms: number | null, live?: {tracks: {bytes_per_s: number}[]} | null, step: string | null, progress: number, eta_s: number | null, artifacts: Artifact[],
 *   consent: {participant: string, answer: string}[], jobs: {step: string, state: string}[], archive?: string}} Recording
 * @typedef {{kind: string, participant: string, source: string, start_ms: number, duration_ms: number, value: number | null}} Finding
 */

const { roomId, roomTitle } = /** @type {{roomId: string, roomTitle: string}} */ (/** @type {unknown} */ (document.body.dataset));
const hostKey = hostKeyOf(roomId, roomTitle);
const list = find("#recordings");
/** @type {Map<string, {item: HTMLElement, shown: string}>} */
const items = new Map();
/** @type {WeakMap<HTMLElement, Player>} */
const players = new WeakMap();
const SETTLED = new Set(["ready", "failed"]);
const RUNNING = new Set(["recording", "paused"]);

/** Ask, draw, ask again: often while something is under way. */
async function refresh() {
  let pauseMs = 10000;
  try {
    /** @type {{recordings: Recording[]}} */
    const { recordings } = await call("GET", `/rooms/${roomId}/recordings`, { token: hostKey ?? "" });
    draw(recordings);
    if (recordings.some(({ state }) => !SETTLED.has(state))) pauseMs = 1000;
    find("#problem").hidden = true;
  } catch (error) {
    if (error instanceof Refused) {
      showProblem(error.status === 401 || error.status === 403 ? t("recordings.not-host") : error.message);
      return;
    }
    showProblem(t("recordings.away"));
    pauseMs = 3000;
  }
  setTimeout(() => void refresh(), pauseMs);
}

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
  item.dataset.state = recording.state;
  item.dataset.recording = recording.id;
  const when = new Date(recording.started_at_ms ?? recording.requested_at_ms);
  find(".when", item).textContent = when.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  find(".facts", item).textContent = [recording.duration_ms ? duration(recording.duration_ms) : "", t("recordings.by", { by: recording.by })].filter(Boolean).join(" · ");
  find(".badge", item).textContent = t(`state.${recording.state}`);
  find(".reason", item).textContent = recording.reason ?? "";
  drawProgress(item, recording);
  playerOf(item).show(recording.artifacts, recording.duration_ms).catch(() => undefined);
  drawQuality(item, recording);
  drawDownloads(item, recording);
  const retry = find("[data-testid=retry]", item);
  retry.hidden = recording.state !== "failed" || !recording.jobs.some(({ state }) => state === "failed");
  retry.onclick = () => void again(recording);
  const remove = find("[data-testid=delete-recording]", item);
  remove.hidden = !SETTLED.has(recording.state) && recording.state !== "processing";
  remove.onclick = () => void removeRecording(recording);
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
 * @param {HTMLElement} item
 * @param {Recording} recording
 */
function drawQuality(item, recording) {
  const artifact = recording.artifacts.find(({ kind }) => kind === "quality");
  const box = find(".quality", item);
  box.hidden = !artifact;
  if (!artifact || box.dataset.artifact === artifact.id) return;
  box.dataset.artifact = artifact.id;
  box.dataset.verdict = artifact.meta.verdict;
  find(".judged", box).textContent = t(`quality.${artifact.meta.verdict}`);
  void fetch(artifact.url).then(async (response) => {
    if (!response.ok) return;
    const { findings, av_offset_ms: offsets } = await response.json();
    const nameOf = new Map(recording.artifacts.filter(({ kind }) => kind === "track").map(({ meta }) => [meta.participant, meta.person]));
    const lines = findings.map((/** @type {Finding} */ found) =>
      t(`quality.finding.${found.kind}`, {
        name: nameOf.get(found.participant) ?? "",
        source: t(`source.${found.source}`),
        at: duration(found.start_ms),
        time: duration(found.duration_ms),
        value: Math.round(found.value ?? 0),
      }),
    );
    for (const [participant, offset] of Object.entries(offsets)) {
      const values = { name: nameOf.get(participant) ?? "", start: offset.start, middle: offset.middle, end: offset.end };
      lines.push(t("quality.offset", values));
    }
    if (findings.length === 0) lines.unshift(t("quality.nothing"));
    find("ul", box).replaceChildren(
      ...lines.map((/** @type {string} */ words) => {
        const line = document.createElement("li");
        line.textContent = words;
        return line;
      }),
    );
  });
}

/**
 * @param {HTMLElement} item
 * @param {Recording} recording
 */
function drawDownloads(item, recording) {
  const film = recording.artifacts.find(({ kind }) => kind === "composed");
  const button = find("[data-testid=download-composed]", item);
  button.hidden = !film;
  if (film) {
    button.href = `${film.url}&download=1`;
    find(".size", button).textContent = size(film.bytes);
  }
  const archive = find("[data-testid=download-all]", item);
  archive.hidden = !recording.archive;
  if (recording.archive) archive.href = recording.archive;
  const tracks = recording.artifacts.filter(({ kind }) => kind === "track");
  find(".tracks", item).hidden = tracks.length === 0;
  find(".track-count", item).textContent = t("recordings.tracks", { count: tracks.length });
  const people = [...new Set(tracks.map(({ meta }) => meta.person))].sort((one, other) => one.localeCompare(other));
  find(".track-list", item).replaceChildren(...people.map((person) => tracksOf(person, tracks, withdrawn(recording))));
}

/**
 * @param {Recording} recording
 * @returns {Set<string>} the participants who do not want what was recorded of them any more, by their last answer
 */
function withdrawn({ consent }) {
  const last = new Map(consent.map(({ participant, answer }) => [participant, answer]));
  return new Set([...last].filter(([, answer]) => answer !== "given").map(([participant]) => participant));
}

/**
 * @param {string} person
 * @param {Artifact[]} tracks  of everybody
 * @param {Set<string>} without  who has withdrawn
 */
function tracksOf(person, tracks, without) {
  const group = make("tracks-of-one");
  find(".person", group).textContent = person;
  const theirs = tracks.filter(({ meta }) => meta.person === person).sort((one, other) => one.name.localeCompare(other.name));
  find(".withdrawn", group).hidden = !theirs.some(({ meta }) => without.has(meta.participant));
  find(".sources", group).replaceChildren(...theirs.map(trackRow));
  return group;
}

/** @param {Artifact} artifact */
function trackRow(artifact) {
  const row = make("track");
  find(".source", row).textContent = t(`source.${artifact.meta.source}`);
  find(".length", row).textContent = duration((artifact.meta.duration_us ?? 0) / 1000);
  const link = find("[data-testid=download-track]", row);
  link.href = `${artifact.url}&download=1`;
  find(".size", link).textContent = size(artifact.bytes);
  link.setAttribute("aria-label", `${t("recordings.download")} ${artifact.name}, ${size(artifact.bytes)}`);
  link.title = artifact.name;
  return row;
}

/** @param {HTMLElement} item */
function playerOf(item) {
  const known = players.get(item) ?? new Player(item);
  players.set(item, known);
  return known;
}

/** @param {Recording} recording */
async function again(recording) {
  try {
    await call("POST", `/recordings/${recording.id}/retry`, { token: hostKey ?? "", body: {} });
    announce(t("recordings.retried"));
  } catch (error) {
    announce(error instanceof Refused ? error.message : t("server.away.help"));
  }
}

/** @param {Recording} recording */
async function removeRecording(recording) {
  const dialog = find("#confirm");
  dialog.showModal();
  dialog.onclose = async () => {
    if (dialog.returnValue !== "delete") return;
    try {
      await call("POST", `/recordings/${recording.id}/delete`, { token: hostKey ?? "", body: {} });
      items.get(recording.id)?.item.remove();
      items.delete(recording.id);
      announce(t("recordings.deleted"));
    } catch (error) {
      announce(error instanceof Refused ? error.message : t("server.away.help"));
    }
  };
}

void refresh();
