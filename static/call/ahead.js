// What one should know before going in: whether any road leads there, and whether the call is recorded.

import { Refused, call } from "./api.js";
import { find } from "./dom.js";
import { preflight } from "./preflight.js";

/** How often one who has not gone in yet looks whether the call is being recorded. */
const LOOK_MS = 4000;

/**
 * Whoever cannot be reached by WebRTC is told, and so is the room.
 *
 * @param {import("./room.js").Room} room
 */
export async function lookForPath(room) {
  try {
    const { ice_servers: iceServers } = await call("GET", "/ice-servers");
    preflight(iceServers, (verdict) => {
      room.isHopeless = verdict === "no";
      find("#path-problem").hidden = !room.isHopeless;
    });
  } catch {
    // The server is away, and says so when one wants to join.
  }
}

/**
 * Whoever comes into a recorded call is asked before.
 *
 * @param {import("./room.js").Room} room
 * @param {import("./consent.js").Choice} choice
 */
export async function lookForRecording(room, choice) {
  try {
    const found = await call("GET", `/rooms/${room.id}`);
    if (!room.token) choice.show(found.recording, found.consent, sessionStorage);
  } catch (error) {
    if (error instanceof Refused) return;
  }
  if (!room.token) setTimeout(() => void lookForRecording(room, choice), LOOK_MS);
}
