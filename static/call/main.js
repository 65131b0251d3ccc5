// The room page: reads what the server put into it, and wires the parts. See room.js for the call itself.

import { Away, Refused, call } from "./api.js";
import { Choice, Consent, Question } from "./consent.js";
import { announce, find, setIcon } from "./dom.js";
import { hostKeyOf } from "./hosts.js";
import * as media from "./media.js";
import { Network } from "./network.js";
import { Panel } from "./panel.js";
import { powersOf } from "./powers.js";
import { preflight } from "./preflight.js";
import { Prejoin } from "./prejoin.js";
import { RecordingControl } from "./recording.js";
import { Room } from "./room.js";
import { t } from "./text.js";
import { Tiles } from "./tiles.js";
import { onOtherNetwork, onWake } from "./wake.js";
import { wordsOf } from "./words.js";

/** @typedef {import("./room.js").Participant} Participant */
/** @typedef {import("./room.js").MediaState} MediaState */

const { roomId, roomTitle } = /** @type {{roomId: string, roomTitle: string}} */ (/** @type {unknown} */ (document.body.dataset));
const hostKey = hostKeyOf(roomId, roomTitle);
/** How often one who has not gone in yet looks whether the call is being recorded. */
const LOOK_MS = 4000;
const REJOIN = `letterbox.rejoin.${roomId}`;

const tiles = new Tiles(() => (find("#blocked").hidden = false));
const panel = new Panel((tab) => (tab === "connection" ? network.show() : network.hide()));
const recording = new RecordingControl((action) => void act(action), (id) => room.participants.get(id)?.name ?? room.me?.name ?? "");

/** @type {MediaStream} */
let camera = new MediaStream();
/** @type {MediaStream | null} */
let screen = null;
/** @type {Map<string, MediaState>} what each has said of camera and microphone */
const mediaStates = new Map();

const room = new Room(roomId, {
  joined(participant) {
    tiles.add(participant, false);
    showPeople();
    const isNew = participant.joined_at_ms > (room.me?.joined_at_ms ?? 0);
    if (participant.kind === "person" && isNew) announce(t("notice.joined", { name: participant.name }));
  },
  left(participant) {
    tiles.remove(participant.id);
    mediaStates.delete(participant.id);
    showPeople();
    if (participant.kind === "person" && room.token) announce(t("notice.left", { name: participant.name }));
  },
  track: (participant, track, source) => tiles.show(participant, track, source),
  trackEnded: (participant, source) => tiles.hide(participant, source),
  peerState: (participant, state) => tiles.setState(participant.id, state),
  mediaState(participant, state) {
    tiles.setMedia(participant.id, state);
    if (!state.screen) tiles.hide(participant, "screen");
    mediaStates.set(participant.id, state);
    showPeople();
  },
  recording(now, mark, alarms) {
    recording.show(now, mark, alarms);
    consent.follow(now);
    showPeople();
  },
  consent(participant, answer) {
    if (participant.id === room.me?.id) consent.heard(answer);
    showPeople();
  },
  settings(settings) {
    showSettings(settings);
    showPowers();
  },
  chat(participant, text, atMs) {
    const isMine = participant.id === room.me?.id;
    panel.addMessage(participant.name, text, atMs, isMine);
    if (!isMine && !panel.showsChat) announce(t("chat.from", { name: participant.name, text: text.slice(0, 120) }));
  },
  connection(state) {
    const notice = find("#connection");
    notice.hidden = state === "connected";
    if (state === "reconnecting") find("span", notice).textContent = t("connection.reconnecting");
  },
  ended: (reason) => void ended(reason),
});

const network = new Network(room);
const question = new Question((yes, text) => void consent.decide(yes, text));
const choice = new Choice();
const consent = new Consent({
  tell: (wish) => call("POST", `/rooms/${roomId}/consent`, { token: room.token, body: wish }),
  apply: (agreed) => room.agree(agreed),
  question,
  changed: showMyConsent,
  mode: () => room.consentMode,
  storage: sessionStorage,
  language: document.documentElement.lang,
});

const prejoin = new Prejoin(async ({ name, stream, microphone, camera: cameraOn, answer }) => {
  try {
    camera = stream;
    consent.chosen = choice.wish(answer, document.documentElement.lang);
    await enter(name, microphone, cameraOn);
  } catch (error) {
    if (!(error instanceof Refused || error instanceof Away)) throw error;
    if (error instanceof Refused) prejoin.tell(error.title, error.message);
    else prejoin.tell(t("server.away.title"), t("server.away.again"));
  }
});

/**
 * @param {string} name
 * @param {boolean} microphone
 * @param {boolean} cameraOn
 */
async function enter(name, microphone, cameraOn) {
  if (!cameraOn) for (const off of camera.getVideoTracks()) close(off);
  const [audio] = camera.getAudioTracks();
  const [video] = camera.getVideoTracks();
  if (audio) await send("microphone", audio);
  if (video) await send("camera", video);
  room.mediaState = { microphone: Boolean(audio) && microphone, camera: Boolean(video), screen: false };
  await room.join(name, hostKey);
  sessionStorage.setItem(REJOIN, JSON.stringify({ name, microphone, camera: cameraOn }));
  prejoin.hide();
  find("#call").hidden = false;
  document.body.classList.add("in-call");
  const me = /** @type {Participant} */ (room.me);
  tiles.add(me, true);
  if (video) tiles.show(me, video, "camera");
  showMyState();
  showPeople();
}

function showPeople() {
  const everybody = [...(room.me ? [room.me] : []), ...room.participants.values()];
  const marks = new Map(everybody.map((one) => [one.id, markOf(one)]));
  panel.showPeople(everybody.sort((one, other) => one.joined_at_ms - other.joined_at_ms), room.me?.id, mediaStates, marks);
  for (const [id, mark] of marks) tiles.setMark(id, mark);
  showPowers();
}

function showPowers() {
  recording.allow(powersOf(room.me, room.participants.values(), room.settings));
  find("#room-settings").hidden = room.me?.role !== "host";
}

/** @param {Partial<import("./room.js").Settings>} wish */
async function changeSettings(wish) {
  try {
    await call("POST", `/rooms/${roomId}/settings`, { token: room.token, body: wish });
  } catch (error) {
    showSettings(room.settings);
    announce(wordsOf(error));
  }
}

/** @param {import("./room.js").Settings} settings */
function showSettings(settings) {
  find("[data-testid=everyone-records]").checked = settings.who_may_record === "everyone";
  const days = String(settings.keep_days ?? "");
  const choice = /** @type {HTMLSelectElement} */ (find("[data-testid=keep-days]"));
  // Set by an API call to something else than we offer.
  if (![...choice.options].some(({ value }) => value === days)) choice.add(new Option(t("settings.keep.days", { days }), days));
  choice.value = days;
}

find("[data-testid=everyone-records]").addEventListener("change", (/** @type {Event} */ event) => {
  void changeSettings({ who_may_record: /** @type {HTMLInputElement} */ (event.target).checked ? "everyone" : "host" });
});
find("[data-testid=keep-days]").addEventListener("change", (/** @type {Event} */ event) => {
  void changeSettings({ keep_days: Number(/** @type {HTMLSelectElement} */ (event.target).value) || null });
});

/**
 * Everybody sees who is not recorded.
 *
 * @param {Participant} participant
 */
function markOf(participant) {
  if (!recording.isRunning || participant.kind !== "person") return "";
  const answer = participant.id === room.me?.id ? consent.answer : participant.consent;
  return answer === "given" ? "" : t(answer ? "consent.not-recorded" : "consent.not-recorded-yet");
}

/** Beside the words that say who records: a change of mind, at any time. */
function showMyConsent() {
  const button = find("[data-testid=consent-change]");
  button.hidden = !consent.answer;
  button.textContent = t(consent.answer === "given" ? "consent.stop-me" : "consent.record-me");
  showPeople();
}

find("[data-testid=consent-change]").addEventListener("click", () => {
  const text = `${find("#recording-text").textContent}. ${find("[data-testid=consent-change]").textContent}`;
  void consent.decide(consent.answer !== "given", text);
});

// -- the controls ------------------------------------------------------------------------------------------------------------

function showMyState() {
  const { microphone, camera: cameraOn, screen: sharing } = room.mediaState;
  setIcon(find("[data-testid=mute]"), microphone ? "mic" : "mic-off", t(microphone ? "controls.mute" : "controls.unmute"));
  setIcon(find("[data-testid=camera]"), cameraOn ? "video" : "video-off", t(cameraOn ? "controls.camera-off" : "controls.camera-on"));
  setIcon(find("[data-testid=screen]"), sharing ? "monitor-x" : "monitor-up", t(sharing ? "controls.screen-off" : "controls.screen-on"));
  find("[data-testid=mute]").classList.toggle("off", !microphone);
  find("[data-testid=camera]").classList.toggle("off", !cameraOn);
  if (!room.me) return;
  tiles.setMedia(room.me.id, room.mediaState);
  mediaStates.set(room.me.id, room.mediaState);
  showPeople();
}

/**
 * To everyone, until it is closed or its device goes away. Opposite: close().
 *
 * @param {"microphone" | "camera"} what
 * @param {MediaStreamTrack} track
 */
async function send(what, track) {
  // Unplugged, or no longer allowed. (What we stop ourselves does not say so.)
  track.addEventListener("ended", () => {
    announce(t("device.lost", { device: t(`device.${what}`) }));
    close(track);
    void room.setTrack(what, null);
    room.setMediaState({ [what]: false });
    showMyState();
  });
  await room.setTrack(what, track);
}

/** @param {MediaStreamTrack} track */
function close(track) {
  track.stop();
  camera.removeTrack(track);
}

/**
 * Open the device chosen before the call; if it is gone, any.
 *
 * @param {"audio" | "video"} kind
 * @returns {Promise<media.Opened>}
 */
async function openOne(kind) {
  const other = kind === "audio" ? "video" : "audio";
  const chosen = await media.open({ [other]: false, [kind]: prejoin.chosen[kind] });
  return chosen.problems[kind] ? media.open({ [other]: false }) : chosen;
}

/** @param {"microphone" | "camera"} what */
async function toggle(what) {
  const kind = what === "microphone" ? "audio" : "video";
  const on = !room.mediaState[what];
  let [track] = camera.getTracks().filter((one) => one.kind === kind && one.readyState === "live");
  if (on && !track) {
    const { stream, problems } = await openOne(kind);
    if (!room.token) return media.close(stream);
    [track] = stream.getTracks();
    if (!track) {
      announce(t(`device.${problems[kind] ?? "failed"}.title`, { device: t(`device.${what}`) }));
      return;
    }
    camera.addTrack(track);
    await send(what, track);
    if (kind === "video" && room.me) tiles.show(room.me, track, "camera");
  }
  if (track && what === "camera" && !on) {
    // Off is off: the light beside the lens goes out.
    close(track);
    await room.setTrack("camera", null);
  } else if (track) {
    track.enabled = on;
  }
  room.setMediaState({ [what]: on });
  showMyState();
}

async function toggleScreen() {
  if (screen) {
    stopScreen();
    return;
  }
  screen = await media.openScreen().catch(() => null);
  if (!screen) return;
  if (!room.token) return media.close(screen);
  const [video] = screen.getVideoTracks();
  const [audio] = screen.getAudioTracks();
  video.contentHint = "detail";
  video.addEventListener("ended", stopScreen);
  await room.setTrack("screen", video);
  if (audio) await room.setTrack("screen-sound", audio);
  room.setMediaState({ screen: true });
  if (room.me) tiles.show(room.me, video, "screen");
  showMyState();
}

function stopScreen() {
  if (!screen) return;
  media.close(screen);
  screen = null;
  void room.setTrack("screen", null);
  void room.setTrack("screen-sound", null);
  room.setMediaState({ screen: false });
  if (room.me) tiles.hide(room.me, "screen");
  showMyState();
}

/** @param {"start" | "stop" | "pause" | "resume" | "mark"} action */
async function act(action) {
  try {
    const asked = room.record(action);
    // Who starts a recording need not be asked whether it may record them.
    if (action === "start") consent.starting = asked.then((found) => found.recording.id, () => null);
    await asked;
  } catch (error) {
    announce(wordsOf(error));
  }
}

async function copyLink() {
  const link = new URL(`/r/${roomId}`, location.href).href;
  try {
    await navigator.clipboard.writeText(link);
    announce(t("link.copied"));
  } catch {
    announce(link);
  }
}

function leave() {
  sessionStorage.removeItem(REJOIN);
  room.leave();
  void ended("left");
}

/** @param {string} reason */
async function ended(reason) {
  // Timed out while the laptop slept, or forgotten by a new server: come back by ourselves.
  if (reason === "gone" || reason === "vanished") {
    location.reload();
    return;
  }
  sessionStorage.removeItem(REJOIN);
  media.close(camera);
  media.close(screen);
  document.body.classList.remove("in-call", "is-recorded");
  find("#call").hidden = true;
  find("#ended").hidden = false;
  find("#connection").hidden = true;
  find("#blocked").hidden = true;
  question.close();
  find("#ended-title").textContent = t(`ended.${reason}.title`);
  find("#ended-title").focus();
  find("#ended-text").textContent = t(`ended.${reason}.text`);
  find("#ended-recordings").hidden = hostKey === null;
}

/** @type {Set<Function>} */
const underWay = new Set();

/**
 * Pressed again while the camera is still being opened: once is enough.
 *
 * @param {() => unknown} action
 */
async function once(action) {
  if (underWay.has(action)) return;
  underWay.add(action);
  try {
    await action();
  } finally {
    underWay.delete(action);
  }
}

const toggleMicrophone = () => toggle("microphone");
const toggleCamera = () => toggle("camera");

const CONTROLS = {
  mute: toggleMicrophone,
  camera: toggleCamera,
  screen: toggleScreen,
  leave,
  "copy-invite": copyLink,
};
for (const [name, action] of Object.entries(CONTROLS)) find(`[data-testid=${name}]`).addEventListener("click", () => void once(action));
find("[data-testid=play]").addEventListener("click", () => {
  find("#blocked").hidden = true;
  tiles.play();
});
find("[data-testid=screen]").hidden = !navigator.mediaDevices?.getDisplayMedia;

find("#chat-form").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  const input = find("[data-testid=chat-input]");
  const text = input.value.trim();
  if (text) room.chat(text);
  input.value = "";
});

const help = find("#help");
find("#show-help").addEventListener("click", () => help.showModal());

/** @type {Record<string, () => unknown>} */
const KEYS = {
  m: toggleMicrophone,
  v: toggleCamera,
  s: toggleScreen,
  c: () => panel.toggle("chat"),
  p: () => panel.toggle("people"),
  n: () => panel.toggle("connection"),
  k: () => recording.mayMark && act("mark"),
  r: () => question.focus(),
  "?": () => help.showModal(),
};
document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof Element && event.target.closest("input, textarea, select, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || find("#call").hidden) return;
  const action = KEYS[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  void once(action);
});

addEventListener("pagehide", () => room.leave());
addEventListener("pageshow", (event) => event.persisted && location.reload());
onOtherNetwork(() => void room.lookAgain({ isAnotherNetwork: true }));
onWake(() => void room.lookAgain({ isAnotherNetwork: false }));

/** Whoever cannot be reached by any road should know before going in. */
async function lookForPath() {
  try {
    const { ice_servers: iceServers } = await call("GET", "/ice-servers");
    preflight(iceServers, (verdict) => (find("#path-problem").hidden = verdict !== "no"));
  } catch {
    // The server is away, and says so when one wants to join.
  }
}

/** Whoever comes into a recorded call is asked before. */
async function lookForRecording() {
  try {
    const found = await call("GET", `/rooms/${roomId}`);
    if (!room.token) choice.show(found.recording, found.consent, sessionStorage);
  } catch (error) {
    if (error instanceof Refused) return;
  }
  if (!room.token) setTimeout(() => void lookForRecording(), LOOK_MS);
}

/** A reload in mid-call comes back to the same seat. */
async function start() {
  void lookForPath();
  void lookForRecording();
  const again = sessionStorage.getItem(REJOIN);
  await prejoin.show();
  if (!again) return;
  const wish = JSON.parse(again);
  prejoin.name.value = wish.name;
  prejoin.wanted = { microphone: wish.microphone, camera: wish.camera };
  prejoin.apply();
  await prejoin.join();
}

// For tests and for the curious: what the call looks like from inside. Read only.
Object.defineProperty(globalThis, "letterbox", {
  value: Object.freeze({
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
      })),
  }),
});

void start();
