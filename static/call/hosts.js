// Which rooms this browser is host of: their keys are kept here and nowhere else.

const KEY = "letterbox.rooms";

/** @typedef {{room: string, title: string, hostKey: string, at: number}} Hosted */

/** @returns {Hosted[]} newest first */
export function hostedRooms() {
  try {
    return JSON.parse(localStorage.getItem(KEY) || "[]");
  } catch {
    return [];
  }
}

/** @param {Hosted} hosted */
export function remember(hosted) {
  const others = hostedRooms().filter(({ room }) => room !== hosted.room);
  // None is dropped: the server says a host key once, and without it the room's recordings are out of reach.
  localStorage.setItem(KEY, JSON.stringify([hosted, ...others]));
}

/** @param {string} room */
export function forget(room) {
  localStorage.setItem(KEY, JSON.stringify(hostedRooms().filter((hosted) => hosted.room !== room)));
}

/**
 * The host key of a room: from the address (`#host=…`, which is never sent to a server), else from what is kept.
 *
 * @param {string} room
 * @param {string} title
 * @returns {string | null}
 */
export function hostKeyOf(room, title) {
  const given = new URLSearchParams(location.hash.slice(1)).get("host");
  if (given) {
    remember({ room, title, hostKey: given, at: Date.now() });
    history.replaceState(null, "", location.pathname);
    return given;
  }
  return hostedRooms().find((hosted) => hosted.room === room)?.hostKey ?? null;
}
