// The host's dialog of links: make one, copy it, see who has opened which, take one back.

import { call } from "../call/api.js";
import { announce, find, make } from "../call/dom.js";
import { t } from "../call/text.js";
import { wordsOf } from "../call/words.js";

/** @typedef {{id: string, name: string, password: boolean, downloads: boolean, opened: number, expires_at_ms: number | null, url?: string}} Share */

export class Sharing {
  /** @param {string} hostKey */
  constructor(hostKey) {
    this.hostKey = hostKey;
    this.recording = "";
    this.dialog = /** @type {HTMLDialogElement} */ (find("#sharing"));
    this.form = /** @type {HTMLFormElement} */ (find("#make-share"));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.make();
    });
    find("[data-testid=copy-share]").addEventListener("click", () => void this.copy());
  }

  /** @param {string} recording */
  async open(recording) {
    this.recording = recording;
    find("#made-share").hidden = true;
    find("#shares").replaceChildren();
    this.dialog.showModal();
    await this.list();
  }

  async make() {
    const wish = new FormData(this.form);
    const body = {
      name: String(wish.get("name") ?? "").trim(),
      password: String(wish.get("password") ?? "") || null,
      downloads: wish.get("downloads") !== null,
      expires_in_s: Number(wish.get("expires")) || null,
    };
    await this.tell(async () => {
      /** @type {Share} */
      const share = await call("POST", `/recordings/${this.recording}/shares`, { token: this.hostKey, body });
      this.form.reset();
      find("#made-share").hidden = false;
      const link = find("[data-testid=share-link]");
      link.value = share.url ?? "";
      link.select();
      await this.list();
    });
  }

  async list() {
    await this.tell(async () => {
      /** @type {{shares: Share[]}} */
      const { shares } = await call("GET", `/recordings/${this.recording}/shares`, { token: this.hostKey });
      find("#shares").replaceChildren(...shares.map((share) => this.row(share)));
    });
  }

  /** @param {Share} share */
  row(share) {
    const row = make("share-row");
    const day = share.expires_at_ms && new Date(share.expires_at_ms).toLocaleDateString(document.documentElement.lang, { dateStyle: "medium" });
    find(".name", row).textContent = share.name || t("share.anybody");
    const facts = [
      day ? t("share.until", { day }) : t("share.ever"),
      share.password ? t("share.with-password") : "",
      share.downloads ? "" : t("share.watch-only"),
      t("share.opened", { count: share.opened }),
    ];
    find(".facts", row).textContent = facts.filter(Boolean).join(" · ");
    find("button", row).addEventListener("click", () => void this.revoke(share));
    return row;
  }

  /** @param {Share} share */
  async revoke(share) {
    await this.tell(async () => {
      await call("POST", `/recordings/${this.recording}/shares/${share.id}/revoke`, { token: this.hostKey, body: {} });
      find("#made-share").hidden = true;
      announce(t("share.revoked"));
      await this.list();
    });
  }

  async copy() {
    const link = find("[data-testid=share-link]");
    try {
      await navigator.clipboard.writeText(link.value);
      announce(t("link.copied"));
    } catch {
      link.select();
    }
  }

  /** @param {() => Promise<void>} work  what goes wrong is said in the dialog */
  async tell(work) {
    const problem = find("#share-problem");
    problem.hidden = true;
    try {
      await work();
    } catch (error) {
      problem.hidden = false;
      problem.textContent = wordsOf(error);
    }
  }
}
