// One recording as a card: what it is, its player, how well it was recorded, what can be taken along.

import { find, make, setLines } from "../call/dom.js";
import { duration, size, t } from "../call/text.js";
import { drawFilms, filmsOf } from "./films.js";
import { Player } from "./player.js";

/**
 * @typedef {{id: string, kind: string, name: string, bytes: number, sha256: string, url: string, meta: any}} Artifact
 * @typedef {{id: string, state: string, by: string, reason: string | null, title: string, requested_at_ms: number, started_at_ms: number | null,
 *   duration_ms: number | null, live?: {tracks: {bytes_per_s: number}[]} | null, step: string | null, progress: number, eta_s: number | null, artifacts: Artifact[],
 *   consent: {participant: string, answer: string}[], jobs: {step: string, state: string}[], archive?: string, held: boolean, delete_at_ms: number | null,
 *   versions?: import("./films.js").Version[], removed?: {participant: string, by: string, at_ms: number}[]}} Recording
 * @typedef {object} Actions  what one can do besides watching; all but the first only a host
 * @property {boolean} [watchOnly]                          nothing is to be taken along
 * @property {(n: number) => void} [onDelete]               a version
 * @property {() => void} [onRetry]
 * @property {(name: string, participants: string[]) => void} [onRemove]  a person
 * @typedef {{kind: string, participant: string, source: string, start_ms: number, duration_ms: number, value: number | null}} Finding
 */

/** @type {WeakMap<HTMLElement, Player>} */
const players = new WeakMap();

/**
 * Everything of it that does not depend on who looks.
 *
 * @param {HTMLElement} item  made from the template `recording`
 * @param {Recording} recording
 * @param {Actions} [actions]
 */
export function drawCard(item, recording, actions = {}) {
  item.dataset.state = recording.state;
  item.dataset.recording = recording.id;
  const when = new Date(recording.started_at_ms ?? recording.requested_at_ms);
  find(".when", item).textContent = when.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  find(".facts", item).textContent = [recording.duration_ms ? duration(recording.duration_ms) : "", t("recordings.by", { by: recording.by })].filter(Boolean).join(" · ");
  find(".badge", item).textContent = t(`state.${recording.state}`);
  find(".reason", item).textContent = recording.reason ?? "";
  const player = playerOf(item);
  void player.show(recording.artifacts, recording.duration_ms);
  const draw = () => drawFilms(item, recording, { ...actions, watched: player.chosen, onWatch: (n) => void player.choose(n).then(draw) });
  draw();
  drawRemoved(item, recording);
  drawQuality(item, recording);
  drawDownloads(item, recording, actions);
}

/**
 * That somebody was taken out of it, and by whom: never whom.
 *
 * @param {HTMLElement} item
 * @param {Recording} recording
 */
function drawRemoved(item, { removed = [] }) {
  const line = find("[data-testid=removed]", item);
  line.hidden = removed.length === 0;
  const last = removed.at(-1);
  if (!last) return;
  const day = new Date(last.at_ms).toLocaleDateString(document.documentElement.lang, { dateStyle: "long" });
  line.textContent = t("recordings.removed", { count: removed.length, by: last.by, day });
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
    setLines(find("ul", box), lines);
  });
}

/**
 * @param {HTMLElement} item
 * @param {Recording} recording
 * @param {Actions} actions
 */
function drawDownloads(item, recording, actions) {
  const [film] = filmsOf(recording.artifacts);
  const button = find("[data-testid=download-composed]", item);
  button.hidden = !film || Boolean(actions.watchOnly);
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
  find(".track-list", item).replaceChildren(...people.map((person) => tracksOf(person, tracks, withdrawn(recording), actions.onRemove)));
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
 * @param {Actions["onRemove"]} onRemove
 */
function tracksOf(person, tracks, without, onRemove) {
  const group = make("tracks-of-one");
  find(".person", group).textContent = person;
  const theirs = tracks.filter(({ meta }) => meta.person === person).sort((one, other) => one.name.localeCompare(other.name));
  find(".withdrawn", group).hidden = !theirs.some(({ meta }) => without.has(meta.participant));
  find(".sources", group).replaceChildren(...theirs.map(trackRow));
  const remove = find("[data-testid=remove-person]", group);
  remove.hidden = !onRemove;
  remove.setAttribute("aria-label", t("remove.of", { name: person }));
  remove.onclick = () => onRemove?.(person, [...new Set(theirs.map(({ meta }) => meta.participant))]);
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

/**
 * @param {HTMLElement} item
 * @returns {Player}
 */
export function playerOf(item) {
  const known = players.get(item) ?? new Player(item);
  players.set(item, known);
  return known;
}
