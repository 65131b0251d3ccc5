// What one has chosen of how the call is seen and how much data it may cost: the layout, and what others need not send.

import { choose, chosenIn } from "./choices.js";
import { announce, find } from "./dom.js";
import { LAYOUTS } from "./layout.js";
import { heightStep } from "./quality.js";
import { t } from "./text.js";

export class View {
  /**
   * @param {import("./room.js").Room} room
   * @param {import("./tiles.js").Tiles} tiles
   * @param {import("./own.js").Own} own
   */
  constructor(room, tiles, own) {
    this.room = room;
    this.tiles = tiles;
    this.own = own;
    find("#more-menu").addEventListener("change", (/** @type {any} */ event) => {
      if (event.target.name === "layout") this.show(choose(localStorage, { layout: event.target.value }).layout);
    });
  }

  /** @param {import("./layout.js").Layout} layout */
  show(layout) {
    this.tiles.choose(layout);
    for (const radio of find("#more-menu").querySelectorAll("[name=layout]")) radio.checked = radio.value === layout;
  }

  next() {
    const { layout } = choose(localStorage, { layout: LAYOUTS[(LAYOUTS.indexOf(this.tiles.view.layout) + 1) % LAYOUTS.length] });
    this.show(layout);
    announce(t(`layout.${layout}`));
  }

  /** Others need not send more than we show. */
  sayHeights() {
    const { data } = chosenIn(localStorage);
    for (const { id } of this.room.participants.values()) {
      const height = data === "sound" ? 0 : heightStep(this.tiles.heightOf(id));
      this.room.shows(id, data === "low" ? Math.min(height, 180) : height);
    }
  }

  /**
   * What was chosen in the dialog.
   *
   * @param {Partial<import("./choices.js").Chosen>} change
   */
  async apply(change) {
    if ("sink" in change) await this.tiles.listenOn(change.sink ?? "");
    else if ("data" in change) await this.useData();
    else if ("blur" in change) await this.own.reshape();
    else if ("video" in change) await this.own.renew("camera");
    else await this.own.renew("microphone");
  }

  async useData() {
    const { data } = chosenIn(localStorage);
    this.room.useLowData(data === "low");
    this.sayHeights();
    await this.own.reshape();
  }
}
