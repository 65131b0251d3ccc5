// Before the call: does this network let call media through at all? A relay-only connection to nobody shows it: a candidate of
// the relay's says yes; every server refused says no, at once; silence for five seconds says no, until something comes after all.

/** @typedef {"yes" | "no" | "unknown"} Verdict  unknown: there is no relay to ask */

const SILENCE_MS = 5000;
/** Where names are not resolved the first candidate has come after 13 s. */
const LISTEN_MS = 20000;

/**
 * @param {RTCIceServer[]} iceServers
 * @param {(verdict: Verdict) => void} tell  called again when what came later says otherwise
 * @param {(configuration: RTCConfiguration) => RTCPeerConnection} [connect]
 * @returns {() => void} stop looking
 */
export function preflight(iceServers, tell, connect = (configuration) => new RTCPeerConnection(configuration)) {
  const hasRelay = iceServers.some(({ urls }) => [urls].flat().some((url) => url.startsWith("turn")));
  if (!hasRelay) {
    tell("unknown");
    return () => undefined;
  }
  const connection = connect({ iceServers, iceTransportPolicy: "relay" });
  const silence = setTimeout(() => tell("no"), SILENCE_MS);
  const end = setTimeout(stop, LISTEN_MS);
  function stop() {
    clearTimeout(silence);
    clearTimeout(end);
    connection.close();
  }
  connection.onicecandidate = ({ candidate }) => {
    if (candidate?.candidate) tell("yes");
    else if (candidate === null) tell("no");
    else return;
    stop();
  };
  connection.createDataChannel("preflight");
  connection.setLocalDescription().catch(stop);
  return stop;
}
