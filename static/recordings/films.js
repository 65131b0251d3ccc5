// The films of a recording: the first, and those that were wished for; which is watched, what each is, how far it is.

import { find, make } from "../call/dom.js";
import { duration, size, t } from "../call/text.js";

/** @typedef {import("./card.js").Artifact} Artifact */
/** @typedef {{n: number, title: string, layout: string, people: string[] | null, start_ms: number, end_ms: number | null, format: string,
 *   state?: string, progress?: number, eta_s?: number | null, reason?: string | null}} Version */

/**
 * @param {Artifact} film
 * @returns {number}
 */
export const numberOf = (film) => film.meta.version ?? 1;

/**
 * The films there are, the first before the others.
 *
 * @param {Artifact[]} artifacts
 */
export const filmsOf = (artifacts) => artifacts.filter(({ kind }) => kind === "composed").sort((one, other) => numberOf(one) - numberOf(other));

/**
 * What a version shows, in words.
 *
 * @param {Pick<Version, "layout" | "people" | "start_ms" | "end_ms" | "format">} version
 * @param {Map<string, string>} names  participant → name
 */
export function factsOf({ layout, people, start_ms: start, end_ms: end, format }, names) {
  const who = people?.map((one) => names.get(one) ?? "").filter(Boolean);
  return [
    ["m4a", "ogg"].includes(format) ? t("films.sound") : t(`layout.${layout}`),
    who ? [...new Set(who)].join(", ") : "",
    start || end !== null ? t("films.stretch", { from: duration(start), to: end === null ? t("films.end") : duration(end) }) : "",
    format.toUpperCase(),
  ]
    .filter(Boolean)
    .join(" · ");
}

/**
 * @param {HTMLElement} item  the recording's card
 * @param {{artifacts: Artifact[], versions?: Version[]}} recording
 * @param {object} actions
 * @param {number} actions.watched                       the version in the player
 * @param {(n: number) => void} actions.onWatch
 * @param {boolean} [actions.watchOnly]                  nothing is to be taken along
 * @param {(n: number) => void} [actions.onDelete]       hosts only
 * @param {() => void} [actions.onRetry]
 */
export function drawFilms(item, recording, actions) {
  const box = find("[data-testid=films]", item);
  const films = filmsOf(recording.artifacts);
  const versions = recording.versions ?? [];
  box.hidden = films.length + versions.filter(({ state }) => state !== "done").length < 2;
  const names = new Map(recording.artifacts.filter(({ kind }) => kind === "track").map(({ meta }) => [meta.participant, meta.person]));
  const numbers = [...new Set([...films.map(numberOf), ...versions.map(({ n }) => n)])].sort((one, other) => one - other);
  find("ul", box).replaceChildren(
    ...numbers.map((n) => {
      const film = films.find((one) => numberOf(one) === n);
      const version = versions.find((one) => one.n === n);
      return rowOf(n, film, version, names, actions);
    }),
  );
}

/**
 * @param {number} n
 * @param {Artifact | undefined} film
 * @param {Version | undefined} version
 * @param {Map<string, string>} names
 * @param {Parameters<typeof drawFilms>[2]} actions
 */
function rowOf(n, film, version, names, { watched, watchOnly, onWatch, onDelete, onRetry }) {
  const row = make("film");
  row.dataset.version = String(n);
  row.dataset.state = version?.state ?? "done";
  const title = version?.title || film?.meta.title || (n === 1 ? t("films.first") : t("films.number", { n }));
  const watch = find(".watch-film", row);
  find(".title", watch).textContent = title;
  watch.disabled = !film;
  watch.setAttribute("aria-pressed", String(n === watched));
  watch.addEventListener("click", () => onWatch(n));
  const meta = film?.meta;
  const wish = version ?? { layout: meta.layout, people: meta.people ?? null, start_ms: 0, end_ms: null, format: meta.format };
  find(".facts", row).textContent = factsOf(wish, names);
  drawWork(row, version, film);
  const link = find("[data-testid=download-version]", row);
  link.hidden = !film || Boolean(watchOnly);
  if (film) {
    link.href = `${film.url}&download=1`;
    find(".size", link).textContent = size(film.bytes);
    link.setAttribute("aria-label", `${t("recordings.download")} ${film.name}, ${size(film.bytes)}`);
  }
  const remove = find("[data-testid=delete-version]", row);
  remove.hidden = !onDelete || n === 1;
  remove.addEventListener("click", () => onDelete?.(n));
  remove.setAttribute("aria-label", `${t("recordings.delete")}: ${title}`);
  const retry = find("[data-testid=retry-version]", row);
  retry.hidden = !onRetry || version?.state !== "failed";
  retry.addEventListener("click", () => onRetry?.());
  return row;
}

/**
 * @param {HTMLElement} row
 * @param {Version | undefined} version
 * @param {Artifact | undefined} film
 */
function drawWork(row, version, film) {
  const isMade = Boolean(version) && !film && version?.state !== "failed";
  const bar = /** @type {HTMLProgressElement} */ (find("progress", row));
  bar.hidden = !isMade;
  bar.value = version?.progress ?? 0;
  const left = version?.eta_s ? t("recordings.left", { time: duration(version.eta_s * 1000) }) : "";
  const work = find(".work", row);
  work.hidden = !isMade && version?.state !== "failed";
  work.textContent = version?.state === "failed" ? (version.reason ?? "") : [version?.state === "running" ? `${version.progress} %` : t("films.waiting"), left].filter(Boolean).join(" · ");
}
