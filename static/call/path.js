// Which way the packets of one connection take, read from its statistics (W3C webrtc-stats).

/**
 * @typedef {object} Path
 * @property {"direct" | "udp" | "tcp" | "tls"} way  over what one reaches the relay; direct: there is none between
 * @property {number | null} delayMs                 there and back
 * @property {number | null} lossPercent             of what they send us, since the last look
 */

/**
 * @typedef {{received: number, lost: number}} Counted
 * @param {Map<string, any>} reports  of getStats()
 * @param {Counted} [before]          what was counted at the last look
 * @returns {{path: Path | null, counted: Counted}} null: none has been chosen
 */
export function pathOf(reports, before = { received: 0, lost: 0 }) {
  const all = [...reports.values()];
  const counted = { received: 0, lost: 0 };
  for (const { type, packetsReceived = 0, packetsLost = 0 } of all) {
    if (type !== "inbound-rtp") continue;
    counted.received += packetsReceived;
    counted.lost += packetsLost;
  }
  const pair = reports.get(all.find(({ type }) => type === "transport")?.selectedCandidatePairId);
  if (!pair) return { path: null, counted };
  const [ours, theirs] = [reports.get(pair.localCandidateId), reports.get(pair.remoteCandidateId)];
  const isRelayed = ours?.candidateType === "relay" || theirs?.candidateType === "relay";
  const received = counted.received - before.received;
  const lost = Math.max(0, counted.lost - before.lost);
  return {
    path: {
      // Where only they need the relay we see no protocol: we send to it by UDP.
      way: isRelayed ? (ours?.relayProtocol ?? "udp") : "direct",
      delayMs: pair.currentRoundTripTime === undefined ? null : Math.round(pair.currentRoundTripTime * 1000),
      lossPercent: received + lost > 0 ? Math.round((1000 * lost) / (received + lost)) / 10 : null,
    },
    counted,
  };
}
