// For tests and for the curious: what the call looks like from inside. Read only.

/**
 * @param {import("./room.js").Room} room
 * @param {import("./consent.js").Consent} consent
 */
export function expose(room, consent) {
  const inside = {
    get participant() {
      return room.me;
    },
    get mailbox() {
      return { after: room.mailbox?.after, state: room.mailbox?.state, waitS: room.mailbox?.waitS };
    },
    get consent() {
      return consent.answer;
    },
    peers: () =>
      [...room.peers].map(([participant, peer]) => ({
        participant,
        name: room.participants.get(participant)?.name,
        kind: room.participants.get(participant)?.kind,
        connection: peer.connection,
        state: peer.state,
        connectedMs: peer.connectedMs,
        road: room.fallback.roads.get(participant) ?? "webrtc",
        http: room.fallback.http?.figures(participant) ?? null,
      })),
  };
  Object.defineProperty(globalThis, "letterbox", { value: Object.freeze(inside) });
}
