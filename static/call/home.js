// The start page: make a room, share its link, find the rooms made before.

import { Refused, call } from "./api.js";
import { copyFrom } from "./copy.js";
import { announce, find, make } from "./dom.js";
import { forget, hostedRooms, remember } from "./hosts.js";
import { t } from "./text.js";

const form = find("#make-room");
const made = find("#made");
// Where not everybody may make rooms: what one has to know for it, remembered once it was right.
const KEY = "letterbox.room-key";
const roomKey = /** @type {HTMLInputElement | null} */ (document.querySelector("#room-key"));
if (roomKey) roomKey.value = localStorage.getItem(KEY) ?? "";

form.addEventListener("submit", async (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  const button = find("[data-testid=create-room]");
  button.disabled = true;
  try {
    const key = roomKey?.value.trim();
    const room = await call("POST", "/rooms", { body: { title: find("#title").value.trim() }, token: key });
    if (key) localStorage.setItem(KEY, key);
    remember({ room: room.room, title: room.title, hostKey: room.host_key, at: Date.now() });
    show(room);
  } catch (error) {
    announce(error instanceof Refused ? error.message : t("server.away.help"));
  } finally {
    button.disabled = false;
  }
});

/** @param {{room: string, title: string, link: string}} room */
function show(room) {
  const link = find("[data-testid=room-link]");
  link.value = new URL(`/r/${room.room}`, location.href).href;
  find("[data-testid=enter-room]").href = `/r/${room.room}`;
  form.hidden = true;
  made.hidden = false;
  link.focus();
  link.select();
}

find("#copy-link").addEventListener("click", () => void copyFrom(find("[data-testid=room-link]"), t("link.copied")));

const share = find("#share-link");
share.hidden = !navigator.share;
share.addEventListener("click", () => void navigator.share({ url: find("[data-testid=room-link]").value }).catch(() => undefined));

/** List what was made before. */
function listRooms() {
  const rooms = hostedRooms();
  find("#your-rooms").hidden = rooms.length === 0;
  const list = find("#rooms");
  list.replaceChildren(
    ...rooms.map((hosted) => {
      const item = make("hosted-room");
      find(".name", item).textContent = hosted.title || t("home.untitled");
      find(".when", item).textContent = new Date(hosted.at).toLocaleDateString(document.documentElement.lang);
      find(".enter", item).href = `/r/${hosted.room}`;
      find(".recordings", item).href = `/r/${hosted.room}/recordings`;
      find(".forget", item).addEventListener("click", () => {
        forget(hosted.room);
        listRooms();
      });
      return item;
    }),
  );
}

listRooms();
