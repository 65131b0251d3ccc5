// The connection check: each road a call could take, tried for real and in order, told step by step. Knows no HTML.

import { Away, Refused, call } from "../call/api.js";
import { pause } from "../call/backoff.js";
import { Profile, remember, remembered } from "../call/profile.js";

/**
 * @typedef {"waiting" | "running" | "ok" | "warning" | "failed" | "skipped"} State
 * @typedef {"secure" | "signaling" | "quiet" | "stun" | "turn-udp" | "turn-tcp" | "turn-443" | "channel" | "media"} StepId
 * @typedef {object} Step
 * @property {StepId} id
 * @property {State} state
 * @property {string} says                           key of a sentence, below `check.<id>.`
 * @property {Record<string, string | number>} with  what is put into it
 * @property {number | null} ms                      how long it took
 * @property {Tried[]} tried                         the URLs behind it, for the administrator
 * @typedef {{url: string, ok: boolean, code: number}} Tried  code: of ICE (RFC 8489, 8656), 0: silence
 * @typedef {{ice_servers: RTCIceServer[], ice_policy: RTCIceTransportPolicy, token: string, wait_s: number, participant: {id: string}}} Entered
 */

/** @type {StepId[]} */
export const ORDER = ["secure", "signaling", "quiet", "stun", "turn-udp", "turn-tcp", "turn-443", "channel", "media"];
/** Never the browser's own verdict, which comes after 15 s or not at all: a relay that works answers within one second. */
const SILENCE_MS = 5000;
/** A network that lets a request hang for so long lets our polls be long. */
const QUIET_S = 12;
const ECHOES = 3;
const ENOUGH_FRAMES = 5;

/**
 * Run all steps; those that do not build on each other at once.
 *
 * @param {(step: Step) => void} tell   each time one begins or ends
 * @param {AbortSignal} signal          ends it
 * @returns {Promise<Step[]>} in order
 */
export async function examine(tell, signal) {
  /** @type {Map<StepId, Step>} */
  const steps = new Map(ORDER.map((id) => [id, { id, state: "waiting", says: "", with: {}, ms: null, tried: [] }]));
  steps.forEach(tell);
  /** @param {StepId} id @param {() => Promise<Partial<Step>>} action */
  const run = async (id, action) => {
    const step = /** @type {Step} */ (steps.get(id));
    const began = performance.now();
    const show = (/** @type {Partial<Step>} */ news) => {
      Object.assign(step, news);
      if (!signal.aborted) tell(step);
    };
    show({ state: "running" });
    const found = await action().catch((error) => /** @type {Partial<Step>} */ ({ state: "failed", says: "failed", with: { why: String(error) } }));
    show({ ...found, ms: found.state === "skipped" ? null : Math.round(performance.now() - began) });
    return step;
  };

  await run("secure", secure);
  /** @type {Entered | null} */
  let entered = null;
  await run("signaling", async () => {
    entered = await call("POST", "/checks", { body: {}, signal });
    return signaling(/** @type {Entered} */ (entered), signal);
  });
  const { ice_servers: servers = [] } = /** @type {Entered | null} */ (entered) ?? {};
  const relays = { "turn-udp": urls(servers, isUdp), "turn-tcp": urls(servers, isTcp), "turn-443": urls(servers, isOn443) };
  const quiet = run("quiet", () => (entered ? quietRequests(/** @type {Entered} */ (entered), signal) : Promise.resolve(skipped("no-server"))));
  const roads = [run("stun", () => stun(urls(servers, isStun)))];
  for (const [id, found] of Object.entries(relays)) roads.push(run(/** @type {StepId} */ (id), () => relay(found)));
  const [, ...turns] = await Promise.all(roads);
  const working = turns.flatMap(({ tried }) => tried.filter(({ ok }) => ok).map(({ url }) => url));
  await pair(run, servers, working);
  await quiet;
  if (entered) leave(/** @type {Entered} */ (entered).token);
  return [...steps.values()];
}

/** @param {string} token */
function leave(token) {
  call("POST", "/leave", { token, body: {} }).catch(() => undefined);
}

/**
 * @param {string} says
 * @returns {Partial<Step>}
 */
const skipped = (says) => ({ state: "skipped", says });

// -- the page and the server ---------------------------------------------------------------------------------------------------

/** @returns {Promise<Partial<Step>>} */
async function secure() {
  if (!globalThis.isSecureContext) return { state: "failed", says: "insecure", with: { address: location.host } };
  if (typeof RTCPeerConnection !== "function") return { state: "failed", says: "no-webrtc" };
  return { state: "ok", says: "ok" };
}

/**
 * A note to ourselves, while our poll is parked: there and back, as every message of a call.
 *
 * @param {Entered} entered
 * @param {AbortSignal} signal
 * @returns {Promise<Partial<Step>>}
 */
async function signaling({ token, participant }, signal) {
  const times = [];
  for (let n = 1; n <= ECHOES; n += 1) {
    const poll = call("GET", `/mailbox?after=${n - 1}&wait_s=5&nonce=check${n}`, { token, signal });
    await pause(50, signal);
    const began = performance.now();
    const note = { n, to: participant.id, kind: "echo", body: {} };
    await call("POST", "/messages", { token, body: { messages: [note] }, signal });
    if ((await poll).messages.length === 0) throw new Away("the note did not come back");
    times.push(performance.now() - began);
  }
  // The first one pays for a second connection.
  return { state: "ok", says: "ok", with: { ms: Math.round(Math.min(...times)) } };
}

/**
 * How long a request with nothing to say may hang here; and whether something keeps whole answers.
 *
 * @param {Entered} entered
 * @param {AbortSignal} signal
 * @returns {Promise<Partial<Step>>}
 */
async function quietRequests({ token, wait_s: waitS }, signal) {
  const profile = new Profile(waitS, remembered());
  const [, buffers] = await Promise.all([hang(profile, token, signal), keepsAnswers(signal)]);
  if (buffers !== null) profile.buffers = buffers;
  remember(profile.toRemember);
  const says = profile.mode === "short" ? "short" : profile.cutS !== null ? "cut" : buffers ? "buffers" : "ok";
  return { state: says === "ok" ? "ok" : "warning", says, with: { cut: Math.round(profile.cutS ?? 0), hold: profile.holdS, seconds: QUIET_S } };
}

/**
 * @param {Profile} profile
 * @param {string} token
 * @param {AbortSignal} signal
 */
async function hang(profile, token, signal) {
  const began = performance.now();
  const lasted = () => (performance.now() - began) / 1000;
  try {
    const options = { token, signal, timeoutMs: (QUIET_S + 8) * 1000 };
    const answer = await call("GET", `/mailbox?after=${ECHOES}&wait_s=${QUIET_S}&nonce=quiet`, options);
    profile.answered(QUIET_S, lasted() >= QUIET_S * 0.9, answer.cut_s);
  } catch (error) {
    if (error instanceof Refused) throw error;
    profile.cut(lasted());
  }
}

/**
 * @param {AbortSignal} signal
 * @returns {Promise<boolean | null>} null: it could not be seen
 */
async function keepsAnswers(signal) {
  try {
    const response = await fetch("/api/v1/checks/pieces", { cache: "no-store", signal });
    const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
    await reader.read();
    const first = performance.now();
    const next = await reader.read();
    // The server waits half a second between them.
    return next.done || performance.now() - first < 200;
  } catch {
    return null;
  }
}

// -- STUN and TURN ---------------------------------------------------------------------------------------------------------------

const isStun = (/** @type {string} */ url) => url.startsWith("stun");
const isRelay = (/** @type {string} */ url) => url.startsWith("turn");
const isOn443 = (/** @type {string} */ url) => isRelay(url) && /:443(\?|$)/.test(url) && isStream(url);
const isStream = (/** @type {string} */ url) => url.startsWith("turns:") || url.includes("transport=tcp");
const isTcp = (/** @type {string} */ url) => isRelay(url) && isStream(url) && !isOn443(url);
const isUdp = (/** @type {string} */ url) => isRelay(url) && !isStream(url);

/**
 * @param {RTCIceServer[]} servers
 * @param {(url: string) => boolean} wanted
 * @returns {RTCIceServer[]} one for each URL
 */
function urls(servers, wanted) {
  return servers.flatMap((server) => [server.urls].flat().filter(wanted).map((url) => ({ ...server, urls: url })));
}

/**
 * @param {RTCIceServer[]} servers
 * @returns {Promise<Partial<Step>>}
 */
async function stun(servers) {
  if (servers.length === 0) return skipped("none");
  const tried = await Promise.all(servers.map((server) => gather(server, "all", "srflx")));
  const good = tried.some(({ ok }) => ok);
  return { state: good ? "ok" : "failed", says: good ? "ok" : "silent", tried };
}

/**
 * @param {RTCIceServer[]} servers
 * @returns {Promise<Partial<Step>>}
 */
async function relay(servers) {
  if (servers.length === 0) return skipped("none");
  const tried = await Promise.all(servers.map((server) => gather(server, "relay", "relay")));
  if (tried.every(({ ok }) => ok)) return { state: "ok", says: "ok", tried };
  if (tried.some(({ ok }) => ok)) return { state: "ok", says: "some", tried };
  return { state: "failed", says: meaning(tried), tried };
}

/**
 * What the codes of the servers' refusals say (RFC 8489 section 14.8, RFC 8656 section 19; 701 is the browser's: no contact).
 *
 * @param {Tried[]} tried
 */
function meaning(tried) {
  const codes = new Set(tried.map(({ code }) => code));
  if (codes.has(401) || codes.has(403) || codes.has(437)) return "credentials";
  if (codes.has(486) || codes.has(508)) return "full";
  return codes.has(701) ? "refused" : "silent";
}

/**
 * Whether a candidate of this type comes from this server.
 *
 * @param {RTCIceServer} server  of one URL
 * @param {RTCIceTransportPolicy} policy
 * @param {"srflx" | "relay"} type
 * @returns {Promise<Tried>}
 */
async function gather(server, policy, type) {
  const connection = new RTCPeerConnection({ iceServers: [server], iceTransportPolicy: policy });
  const url = String(server.urls);
  let code = 0;
  try {
    const ok = await new Promise((resolve) => {
      setTimeout(() => resolve(false), SILENCE_MS);
      connection.onicecandidateerror = (event) => (code = event.errorCode);
      connection.onicecandidate = ({ candidate }) => {
        if (candidate?.type === type) resolve(true);
        // All are there. Without a NAT our own address is the one STUN would tell, and is told only once.
        else if (!candidate) resolve(type === "srflx" && code === 0);
      };
      connection.createDataChannel("check");
      connection.setLocalDescription().catch(() => resolve(false));
    });
    return { url, ok, code: ok ? 0 : code };
  } finally {
    connection.close();
  }
}

// -- a call with ourselves -------------------------------------------------------------------------------------------------------

/**
 * Two connections in this page, to each other: over the relay where there is one, for that is what proves it.
 *
 * @param {(id: StepId, action: () => Promise<Partial<Step>>) => Promise<Step>} run
 * @param {RTCIceServer[]} servers
 * @param {string[]} working  URLs of relays that answered
 */
async function pair(run, servers, working) {
  const hasRelay = urls(servers, isRelay).length > 0;
  if (hasRelay && working.length === 0) {
    await run("channel", async () => skipped("no-relay"));
    await run("media", async () => skipped("no-relay"));
    return;
  }
  const chosen = hasRelay ? urls(servers, (url) => working.includes(url)) : servers;
  /** @type {RTCConfiguration} */
  const configuration = { iceServers: chosen, iceTransportPolicy: hasRelay ? "relay" : "all" };
  const [one, other] = [new RTCPeerConnection(configuration), new RTCPeerConnection(configuration)];
  const picture = movingPicture();
  try {
    const says = hasRelay ? "ok" : "direct";
    const opened = await run("channel", async () => ((await channelOpens(one, other, picture.track)) ? { state: "ok", says } : { state: "failed", says: "silent" }));
    if (opened.state !== "ok") await run("media", async () => skipped("no-channel"));
    else await run("media", async () => ((await framesCome(other)) ? { state: "ok", says } : { state: "failed", says: "silent" }));
  } finally {
    picture.stop();
    one.close();
    other.close();
  }
}

/**
 * @param {RTCPeerConnection} one
 * @param {RTCPeerConnection} other
 * @param {MediaStreamTrack} track
 * @returns {Promise<boolean>} whether a word came back over a data channel
 */
async function channelOpens(one, other, track) {
  one.onicecandidate = ({ candidate }) => void other.addIceCandidate(candidate ?? undefined).catch(() => undefined);
  other.onicecandidate = ({ candidate }) => void one.addIceCandidate(candidate ?? undefined).catch(() => undefined);
  other.ondatachannel = ({ channel }) => (channel.onmessage = ({ data }) => channel.send(data));
  const channel = one.createDataChannel("check");
  one.addTransceiver(track, { direction: "sendonly" });
  const answered = new Promise((resolve) => {
    setTimeout(() => resolve(false), SILENCE_MS);
    channel.onopen = () => channel.send("hello");
    channel.onmessage = () => resolve(true);
  });
  await one.setLocalDescription();
  await other.setRemoteDescription(/** @type {RTCSessionDescription} */ (one.localDescription));
  await other.setLocalDescription();
  await one.setRemoteDescription(/** @type {RTCSessionDescription} */ (other.localDescription));
  return answered;
}

/**
 * @param {RTCPeerConnection} connection
 * @returns {Promise<boolean>}
 */
async function framesCome(connection) {
  const until = performance.now() + SILENCE_MS;
  while (performance.now() < until) {
    for (const report of (await connection.getStats()).values()) {
      if (report.type === "inbound-rtp" && report.framesReceived >= ENOUGH_FRAMES) return true;
    }
    await pause(100);
  }
  return false;
}

/** A picture that moves, without asking for the camera. */
function movingPicture() {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: 64, height: 48 });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  let step = 0;
  const drawing = setInterval(() => {
    step += 1;
    pen.fillStyle = `hsl(${(step * 20) % 360} 60% 50%)`;
    pen.fillRect(0, 0, 64, 48);
  }, 50);
  const [track] = canvas.captureStream(20).getVideoTracks();
  const stop = () => {
    clearInterval(drawing);
    track.stop();
  };
  return { track, stop };
}
