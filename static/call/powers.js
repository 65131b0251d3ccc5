// What one may do with a recording: the same rule as the server's (signaling/control.py), which decides.

/** @typedef {import("./room.js").Participant} Participant */
/** @typedef {"all" | "running" | "none"} Powers  "running": pause, mark and stop one that runs, but start none */

/**
 * The host; everybody, where the room says so; and while no host is there who has been there longest.
 *
 * @param {Participant | null} me
 * @param {Iterable<Participant>} others
 * @param {Pick<import("./room.js").Settings, "who_may_record">} settings
 * @returns {Powers}
 */
export function powersOf(me, others, settings) {
  if (!me) return "none";
  if (me.role === "host" || settings.who_may_record === "everyone") return "all";
  const persons = [me, ...others].filter(({ kind }) => kind === "person");
  if (persons.some(({ role }) => role === "host")) return "none";
  return persons.every((one) => one === me || isBefore(me, one)) ? "running" : "none";
}

/**
 * @param {Participant} one
 * @param {Participant} other
 */
function isBefore(one, other) {
  return one.joined_at_ms < other.joined_at_ms || (one.joined_at_ms === other.joined_at_ms && one.id < other.id);
}
