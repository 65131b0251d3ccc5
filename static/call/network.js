// In a call: what this network does to it, and which way each person's packets take.

import { CheckView } from "../check/view.js";
import { find, make } from "./dom.js";
import { pathOf } from "./path.js";
import { t } from "./text.js";

const LOOK_MS = 2000;

export class Network {
  /** @param {import("./room.js").Room} room */
  constructor(room) {
    this.room = room;
    this.root = find("#network");
    this.root.replaceChildren(make("network-view"));
    /** @type {CheckView | undefined} */
    this.view = undefined;
    /** @type {Map<string, import("./path.js").Counted>} */
    this.counted = new Map();
    find("[data-testid=check-here]", this.root).addEventListener("click", () => this.check());
  }

  /** Look now, and again and again. Opposite: hide(). */
  show() {
    this.hide();
    this.looking = setInterval(() => void this.look(), LOOK_MS);
    void this.look();
  }

  hide() {
    clearInterval(this.looking);
    this.looking = undefined;
  }

  check() {
    const place = find(".check-here", this.root);
    place.hidden = false;
    find("[data-testid=check-here]", this.root).hidden = true;
    this.view ??= new CheckView(place);
    void this.view.run();
  }

  async look() {
    const { mailbox } = this.room;
    if (!mailbox) return;
    const { profile, state } = mailbox;
    find(".server", this.root).textContent = t(state === "reconnecting" ? "network.server.reconnecting" : "network.server.connected");
    find(".hold", this.root).textContent = holdText(profile) + (profile.buffers ? ` ${t("network.hold.buffers")}` : "");
    const items = await Promise.all([...this.room.peers].map(([id, peer]) => this.item(id, peer)));
    if (items.length === 0) find(".paths", this.root).textContent = t("network.alone");
    // Who compares a code reads it in peace.
    else if (!find(".paths", this.root).querySelector("details[open]")) find(".paths", this.root).replaceChildren(...items);
  }

  /**
   * @param {string} id
   * @param {import("./peer.js").Peer} peer
   * @returns {Promise<HTMLElement>}
   */
  async item(id, peer) {
    if (this.room.fallback.roads.has(id)) return this.itemOverHttp(id);
    const participant = this.room.participants.get(id);
    const { path, counted } = pathOf(/** @type {any} */ (await peer.connection.getStats()), this.counted.get(id));
    this.counted.set(id, counted);
    const item = make("path");
    find(".name", item).textContent = participant?.kind === "recorder" ? t("roster.recorder") : (participant?.name ?? "");
    find(".way", item).textContent = peer.state === "connected" && path ? t(`network.path.${path.way}`) : t(`peer.${peer.state}`);
    const figures = [];
    if (path && path.delayMs !== null) figures.push(t("network.delay", { ms: path.delayMs }));
    if (path && path.lossPercent !== null && participant?.kind === "person") figures.push(t("network.loss", { percent: path.lossPercent }));
    find(".figures", item).textContent = figures.join(" · ");
    return item;
  }

  /** @param {string} id */
  itemOverHttp(id) {
    const { participants, fallback } = this.room;
    const participant = participants.get(id);
    const item = make("path");
    find(".name", item).textContent = participant?.kind === "recorder" ? t("roster.recorder") : (participant?.name ?? "");
    const road = fallback.roads.get(id);
    find(".way", item).textContent = t(road === "asked" ? "peer.no-path" : `peer.${road}`);
    const { http } = fallback;
    if (!http || road !== "http") return item;
    const { roundTripMs } = http.figures(id);
    if (roundTripMs !== null) find(".figures", item).textContent = t("network.delay", { ms: roundTripMs });
    const comparison = find(".comparison", item);
    comparison.hidden = participant?.kind !== "person";
    comparison.addEventListener("toggle", async () => {
      if (comparison.open) find(".code", item).textContent = (await http.code(id)) ?? "";
    }, { once: true });
    return item;
  }
}

/** @param {import("./profile.js").Profile} profile */
function holdText({ mode, cutS, holdS }) {
  if (mode === "short") return t("network.hold.short");
  return cutS === null ? t("network.hold.long", { hold: holdS }) : t("network.hold.cut", { cut: Math.round(cutS), hold: holdS });
}
