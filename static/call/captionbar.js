// The strip below the pictures where one reads what is said, and the two switches for it.

import { choose, chosenIn } from "./choices.js";
import { canDictate } from "./dictation.js";
import { announce, find, make } from "./dom.js";
import { t } from "./text.js";

/** @typedef {import("./captions.js").Caption} Caption */

export class CaptionBar {
  /**
   * @param {object} on
   * @param {() => void} on.shown  one would like to read
   * @param {(isOn: boolean) => void} on.dictated  what one says oneself is to be written, or no longer
   */
  constructor(on) {
    this.on = on;
    this.root = find("#captions");
    this.reads = find("[name=captions]");
    this.dictates = find("[name=dictation]");
    this.wasTold = false;
    this.reads.addEventListener("change", () => this.read(this.reads.checked));
    this.dictates.addEventListener("change", () => on.dictated(this.dictates.checked));
    find("#dictation").hidden = !this.mayDictate;
  }

  get mayDictate() {
    return canDictate();
  }

  /** As chosen in an earlier call. What one says is written only after one has asked for it, each time. */
  begin() {
    this.reads.checked = chosenIn(localStorage).captions;
    this.root.hidden = !this.reads.checked;
    if (this.reads.checked) this.on.shown();
  }

  /** @param {boolean} reads */
  read(reads) {
    choose(localStorage, { captions: reads });
    this.reads.checked = reads;
    this.root.hidden = !reads;
    if (reads) this.on.shown();
  }

  toggle() {
    this.read(this.root.hidden);
    announce(t(this.root.hidden ? "captions.off" : "captions.on"));
  }

  /** @param {Caption[]} captions */
  show(captions) {
    if (this.root.hidden && captions.length > 0 && !this.wasTold) {
      this.wasTold = true;
      announce(t("captions.there"));
    }
    find("ol", this.root).replaceChildren(...captions.map((one) => this.item(one)));
    find("p", this.root).hidden = captions.length > 0;
  }

  /** @param {Caption} caption */
  item({ name, by, text, isFinal }) {
    const item = make("caption");
    find(".who", item).textContent = by ? t("captions.by", { name, by }) : name;
    find(".text", item).textContent = text;
    // Read out once, when it is whole.
    if (!isFinal) item.setAttribute("aria-hidden", "true");
    return item;
  }

  /** Our browser will not write down what we say. */
  refuse() {
    this.dictates.checked = false;
    announce(t("captions.refused"));
  }
}
