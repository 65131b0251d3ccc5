// The room page: reads what the server put into it, and wires the parts. See room.js for the call itself.

import "./storage.js";
import { Away, Refused, call } from "./api.js";
import { ChatView, rise } from "./chat.js";
import { choose, chosenIn } from "./choices.js";
import { Choice, Consent, Question } from "./consent.js";
import { Devices } from "./devices.js";
import { announce, find, setIcon } from "./dom.js";
import { Embedding } from "./embed.js";
import { HostMenu } from "./host.js";
import { hostKeyOf } from "./hosts.js";
import { LAYOUTS } from "./layout.js";
import { Lobby, showWaiting } from "./lobby.js";
import { Network } from "./network.js";
import { Own } from "./own.js";
import { Panel } from "./panel.js";
import { powersOf } from "./powers.js";
import { preflight } from "./preflight.js";
import { Prejoin } from "./prejoin.js";
import { heightStep } from "./quality.js";
import { RecordingControl } from "./recording.js";
import { Room } from "./room.js";
import { REACTIONS, Talk } from "./talk.js";
import { t } from "./text.js";
import { Tiles } from "./tiles.js";
import { onOtherNetwork, onWake } from "./wake.js";
import { Watch } from "./watch.js";
import { wordsOf } from "./words.js";

/** @typedef {import("./room.js").Participant} Participant */
/** @typedef {import("./room.js").MediaState} MediaState */

const { roomId, roomTitle } = /** @type {{roomId: string, roomTitle: string}} */ (/** @type {unknown} */ (document.body.dataset));
const hostKey = hostKeyOf(roomId, roomTitle);
/** How often one who has not gone in yet looks whether the call is being recorded. */
const LOOK_MS = 4000;
const REJOIN = `letterbox.rejoin.${roomId}`;

const tiles = new Tiles({ blocked: () => (find("#blocked").hidden = false), arranged: () => sayHeights() });
const chatView = new ChatView();
const panel = new Panel((tab) => (tab === "connection" ? network.show() : network.hide()));
const recording = new RecordingControl((action) => void act(action), (id) => room.participants.get(id)?.name ?? room.me?.name ?? "");

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
    watch.forget(participant.id);
    talk.forget(participant.id);
    showPeople();
    if (participant.kind === "person" && room.token) announce(t("notice.left", { name: participant.name }));
  },
  track: (participant, track, source) => tiles.show(participant, track, source),
  trackEnded: (participant, source) => tiles.hide(participant, source),
  peerState: (participant, state) => tiles.setState(participant.id, state),
  mediaState(participant, state) {
    tiles.setMedia(participant.id, state);
    if (!state.screen) tiles.hide(participant, "screen");
    if (state.hand_at_ms && !mediaStates.get(participant.id)?.hand_at_ms) announce(t("hand.up", { name: participant.name }));
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
  lobby: () => showWaiting(true),
  waiting(waiting) {
    lobby.show(waiting);
    const [newest] = [...waiting.values()].slice(-1);
    if (newest && waiting.size > knocked) announce(t("lobby.knocks", { name: newest }));
    knocked = waiting.size;
  },
  asked: (what, by) => void asked(what, by),
  role(participant) {
    if (participant.id === room.me?.id) announce(t(participant.role === "host" ? "host.you-are" : "host.you-were"));
    showPeople();
  },
  told: (participant, body) => talk.take(participant, body),
  canTell(participant) {
    talk.canAsk(participant.id);
    sayHeights();
  },
  connection(state) {
    const notice = find("#connection");
    notice.hidden = state === "connected";
    if (state === "reconnecting") find("span", notice).textContent = t("connection.reconnecting");
  },
  ended: (reason) => void ended(reason),
});

const embedding = new Embedding(room);
/** How many waited before the door when we last heard. */
let knocked = 0;
const lobby = new Lobby((id, answer) => void host(`/rooms/${roomId}/lobby`, { participant: id, answer }));
const hostMenu = new HostMenu({
  deed(id, deed) {
    const path = `/rooms/${roomId}/participants/${id}`;
    if (deed === "remove") void host(`${path}/remove`, {});
    else if (deed === "host" || deed === "guest") void host(`${path}/role`, { role: deed });
    else void host(`${path}/ask`, { what: deed });
  },
  end: () => void host(`/rooms/${roomId}/close`, {}),
});

/**
 * What only a host may ask of the server.
 *
 * @param {string} path
 * @param {object} body
 */
async function host(path, body) {
  try {
    await call("POST", path, { token: room.token, body });
  } catch (error) {
    announce(wordsOf(error));
  }
}

/**
 * A host has asked for something. What makes one quieter is done, what makes one heard is a question.
 *
 * @param {"mute" | "unmute" | "camera-off"} what
 * @param {string} by
 */
async function asked(what, by) {
  if (what === "unmute") {
    if (room.mediaState.microphone) return;
    find("#asked span").textContent = t("asked.unmute", { by });
    find("#asked").hidden = false;
    return;
  }
  const device = what === "mute" ? "microphone" : "camera";
  if (!room.mediaState[device]) return;
  await own.toggle(device);
  announce(t(`asked.${what}`, { by }));
}

for (const [testid, unmute] of /** @type {const} */ ([["asked-yes", true], ["asked-no", false]])) {
  find(`[data-testid=${testid}]`).addEventListener("click", () => {
    find("#asked").hidden = true;
    if (unmute && !room.mediaState.microphone) void own.toggle("microphone");
  });
}

const own = new Own(room, {
  changed: () => showMyState(),
  show: (track, source) => room.me && tiles.show(room.me, track, source),
  hide: (source) => room.me && tiles.hide(room.me, source),
});
const talk = new Talk({
  tell: (to, body) => room.tell(to, body),
  onLine(line, next) {
    chatView.add(line, next);
    if (line.isMine || line.isOld || panel.showsChat) return;
    panel.count(panel.unread + 1);
    announce(t("chat.from", { name: line.name, text: line.text.slice(0, 120) }));
  },
  onReaction(participant, reaction) {
    rise(tiles.tiles.get(participant.id), reaction);
    announce(t("reaction.from", { name: participant.name, reaction }));
  },
});
const watch = new Watch(room, {
  speaking: (speaking, recent) => tiles.setSpeaking(speaking, recent),
  link: (id, verdict, cause, figure) => tiles.setLink(id, verdict, cause ? t(`link.${cause}`, { figure }) : ""),
  hint: (hint) => announce(t(`hint.${hint}`)),
});
const devices = new Devices({
  tracks: () => ({ audio: own.track("microphone"), video: own.track("camera") }),
  change: (change) => apply(change),
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
    consent.chosen = choice.wish(answer, document.documentElement.lang);
    await own.begin(stream, { microphone, camera: cameraOn && chosenIn(localStorage).data !== "sound" });
    await enter(name, microphone, cameraOn);
  } catch (error) {
    if (!(error instanceof Refused || error instanceof Away)) throw error;
    if (error instanceof Refused && ["code-needed", "wrong-code"].includes(error.code)) prejoin.askCode();
    embedding.failed(error);
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
  const chosen = chosenIn(localStorage);
  room.useLowData(chosen.data === "low");
  const again = rejoining()?.token;
  const { participants } = await room.join({
    name, ...(hostKey && { host_key: hostKey }), ...(prejoin.code && { code: prejoin.code }), ...(again && { again }),
  });
  showWaiting(false);
  talk.arrive(participants);
  sessionStorage.setItem(REJOIN, JSON.stringify({ name, microphone, camera: cameraOn, token: room.token }));
  prejoin.hide();
  find("#call").hidden = false;
  document.body.classList.add("in-call");
  const me = /** @type {Participant} */ (room.me);
  tiles.add(me, true);
  const video = own.track("camera");
  if (video) tiles.show(me, video, "camera");
  void tiles.listenOn(chosen.sink);
  showLayout(embedding.layout(chosen.layout, LAYOUTS));
  watch.start();
  showMyState();
  showPeople();
  embedding.joined();
}

function showPeople() {
  const everybody = [...(room.me ? [room.me] : []), ...room.participants.values()];
  const marks = new Map(everybody.map((one) => [one.id, markOf(one)]));
  panel.showPeople(everybody.sort(byHandThenTime), room.me?.id, mediaStates, marks, room.me?.role === "host" ? openMenu : null);
  for (const [id, mark] of marks) tiles.setMark(id, mark);
  showPowers();
}

/**
 * @param {HTMLElement} button
 * @param {Participant} participant
 */
const openMenu = (button, participant) => hostMenu.open(button, participant, mediaStates.get(participant.id));

/**
 * Who has raised a hand comes first, the longest up before the others.
 *
 * @param {Participant} one
 * @param {Participant} other
 */
function byHandThenTime(one, other) {
  const hand = (/** @type {Participant} */ { id }) => mediaStates.get(id)?.hand_at_ms || Infinity;
  const [ours, theirs] = [hand(one), hand(other)];
  return ours === theirs ? one.joined_at_ms - other.joined_at_ms : ours - theirs;
}

function showPowers() {
  recording.allow(powersOf(room.me, room.participants.values(), room.settings));
  find("#room-settings").hidden = room.me?.role !== "host";
  find("#end-for-all").hidden = room.me?.role !== "host";
}

/** @param {Partial<import("./room.js").Settings> & {code?: string | null}} wish */
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
  find("[data-testid=lobby]").checked = settings.lobby;
  find("[data-testid=lock]").checked = settings.locked;
  find("[data-testid=code]").placeholder = t(settings.has_code ? "settings.code.is-set" : "settings.code.none");
  find("[data-testid=clear-code]").hidden = !settings.has_code;
  const days = String(settings.keep_days ?? "");
  const choice = /** @type {HTMLSelectElement} */ (find("[data-testid=keep-days]"));
  // Set by an API call to something else than we offer.
  if (![...choice.options].some(({ value }) => value === days)) choice.add(new Option(t("settings.keep.days", { days }), days));
  choice.value = days;
}

find("[data-testid=everyone-records]").addEventListener("change", (/** @type {Event} */ event) => {
  void changeSettings({ who_may_record: /** @type {HTMLInputElement} */ (event.target).checked ? "everyone" : "host" });
});
for (const [testid, name] of [["lobby", "lobby"], ["lock", "locked"]]) {
  find(`[data-testid=${testid}]`).addEventListener("change", (/** @type {any} */ event) => void changeSettings({ [name]: event.target.checked }));
}
find("#code-form").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  const input = find("[data-testid=code]");
  void changeSettings({ code: input.value.trim() });
  input.value = "";
});
find("[data-testid=clear-code]").addEventListener("click", () => void changeSettings({ code: null }));
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
  const isUp = Boolean(room.mediaState.hand_at_ms);
  find("[data-testid=hand]").setAttribute("aria-pressed", String(isUp));
  find("[data-testid=hand] span").textContent = t(isUp ? "hand.lower" : "hand.raise");
  find("#show-reactions").classList.toggle("on", isUp);
  if (own.track("microphone") !== watch.heard) watch.hear(own.track("microphone"));
  find("[data-testid=mute]").classList.toggle("off", !microphone);
  find("[data-testid=camera]").classList.toggle("off", !cameraOn);
  if (!room.me) return;
  tiles.setMedia(room.me.id, room.mediaState);
  mediaStates.set(room.me.id, room.mediaState);
  showPeople();
  embedding.showed();
}

/** Others need not send more than we show. */
function sayHeights() {
  const { data } = chosenIn(localStorage);
  for (const { id } of room.participants.values()) {
    const height = data === "sound" ? 0 : heightStep(tiles.heightOf(id));
    room.shows(id, data === "low" ? Math.min(height, 180) : height);
  }
}

/**
 * What was chosen in the dialog.
 *
 * @param {Partial<import("./choices.js").Chosen>} change
 */
async function apply(change) {
  if ("sink" in change) await tiles.listenOn(change.sink ?? "");
  else if ("data" in change) await useData();
  else if ("blur" in change) await own.reshape();
  else if ("video" in change) await own.renew("camera");
  else await own.renew("microphone");
}

async function useData() {
  const { data } = chosenIn(localStorage);
  room.useLowData(data === "low");
  sayHeights();
  await own.reshape();
}

/** @param {import("./layout.js").Layout} layout */
function showLayout(layout) {
  tiles.choose(layout);
  for (const radio of find("#more-menu").querySelectorAll("[name=layout]")) radio.checked = radio.value === layout;
}

function nextLayout() {
  const { layout } = choose(localStorage, { layout: LAYOUTS[(LAYOUTS.indexOf(tiles.view.layout) + 1) % LAYOUTS.length] });
  showLayout(layout);
  announce(t(`layout.${layout}`));
}

find("#more-menu").addEventListener("change", (/** @type {any} */ event) => {
  if (event.target.name === "layout") showLayout(choose(localStorage, { layout: event.target.value }).layout);
});

function toggleHand() {
  room.setMediaState({ hand_at_ms: room.mediaState.hand_at_ms ? 0 : Date.now() });
  showMyState();
}

/** @param {string} reaction */
function react(reaction) {
  talk.react(reaction);
  rise(tiles.tiles.get(room.me?.id ?? ""), reaction);
  find("#reactions").hidePopover?.();
}

find("#reactions .choices").replaceChildren(
  ...REACTIONS.map((reaction) => {
    const button = document.createElement("button");
    button.textContent = reaction;
    button.className = "plain";
    button.addEventListener("click", () => react(reaction));
    return button;
  }),
);

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
  embedding.left(reason);
  own.stop();
  watch.stop();
  talk.stop();
  document.body.classList.remove("in-call", "is-recorded");
  find("#call").hidden = true;
  prejoin.hide();
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

const toggleMicrophone = () => own.toggle("microphone");
const toggleCamera = () => own.toggle("camera");
const toggleScreen = () => own.toggleScreen();

const CONTROLS = {
  mute: toggleMicrophone,
  camera: toggleCamera,
  screen: toggleScreen,
  hand: toggleHand,
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
  if (text && room.me) talk.say(room.me, text);
  input.value = "";
});

const help = find("#help");
find("#show-help").addEventListener("click", () => {
  find("#more-menu").hidePopover?.();
  help.showModal();
});

/** @type {Record<string, () => unknown>} */
const KEYS = {
  m: toggleMicrophone,
  v: toggleCamera,
  s: toggleScreen,
  c: () => panel.toggle("chat"),
  p: () => panel.toggle("people"),
  n: () => panel.toggle("connection"),
  l: nextLayout,
  h: toggleHand,
  d: () => devices.show(),
  i: () => tiles.view.recent[0] && tiles.pictureInPicture(tiles.view.recent[0]),
  k: () => recording.mayMark && act("mark"),
  r: () => question.focus(),
  "?": () => help.showModal(),
};
embedding.limit(KEYS);
embedding.listen({
  microphone: () => once(toggleMicrophone),
  camera: () => once(toggleCamera),
  leave: () => once(leave),
  chat: () => panel.toggle("chat"),
});
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

/** @returns {{name: string, microphone: boolean, camera: boolean, token: string} | null} the seat this tab had before a reload */
function rejoining() {
  return JSON.parse(sessionStorage.getItem(REJOIN) ?? "null");
}

find("[data-testid=stop-waiting]").addEventListener("click", () => {
  room.leave();
  location.reload();
});

/** A reload in mid-call comes back to the same seat; a page that holds us may have asked for things. */
async function start() {
  void lookForPath();
  void lookForRecording();
  const again = rejoining();
  const wish = again ? { ...again, now: true } : embedding.wish();
  if (wish?.name) prejoin.name.value = wish.name;
  if (wish) prejoin.wanted = { microphone: wish.microphone, camera: wish.camera };
  await prejoin.show();
  if (wish?.now) await prejoin.join();
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
