// The room page: reads what the server put into it, and wires the parts. See room.js for the call itself.

import "./storage.js";
import { lookForPath, lookForRecording } from "./ahead.js";
import { Away, Refused, call } from "./api.js";
import { Asked } from "./asked.js";
import { CaptionBar } from "./captionbar.js";
import { Captions } from "./captions.js";
import { ChatView, rise } from "./chat.js";
import { chosenIn } from "./choices.js";
import { Choice, Consent, Question } from "./consent.js";
import * as controls from "./controls.js";
import { once } from "./controls.js";
import { Devices } from "./devices.js";
import { Dictation } from "./dictation.js";
import { announce, find } from "./dom.js";
import { Embedding } from "./embed.js";
import { showEnded } from "./ended.js";
import { HostMenu } from "./host.js";
import { HostLink } from "./hostlink.js";
import { hostKeyOf } from "./hosts.js";
import { expose } from "./inside.js";
import * as keys from "./keys.js";
import { LAYOUTS } from "./layout.js";
import { Lobby, showWaiting } from "./lobby.js";
import { Network } from "./network.js";
import { Own } from "./own.js";
import { Panel } from "./panel.js";
import { People } from "./people.js";
import { powersOf } from "./powers.js";
import { Prejoin } from "./prejoin.js";
import { offerReactions } from "./reactions.js";
import { RecordingControl } from "./recording.js";
import { Room } from "./room.js";
import { SeatKept } from "./seat.js";
import { SettingsForm } from "./settings.js";
import { Sharing } from "./sharing.js";
import { Talk } from "./talk.js";
import { t } from "./text.js";
import { Tiles } from "./tiles.js";
import { View } from "./view.js";
import { onOtherNetwork, onWake } from "./wake.js";
import { Watch } from "./watch.js";
import { wordsOf } from "./words.js";

/** @typedef {import("./room.js").Participant} Participant */

const { roomId, roomTitle } = /** @type {{roomId: string, roomTitle: string}} */ (/** @type {unknown} */ (document.body.dataset));
const hostKey = hostKeyOf(roomId, roomTitle);
const seat = new SeatKept(roomId, sessionStorage);

const tiles = new Tiles({ blocked: () => (find("#blocked").hidden = false), arranged: () => view.sayHeights() });
const panel = new Panel((tab) => (tab === "connection" ? network.show() : network.hide()));
const recording = new RecordingControl((action) => void act(action), (id) => room.participants.get(id)?.name ?? room.me?.name ?? "");

// -- the call, and what it tells us --------------------------------------------------------------------------------------------

const room = new Room(roomId, {
  joined(participant) {
    tiles.add(participant, false);
    showPeople();
    const isNew = participant.joined_at_ms > (room.me?.joined_at_ms ?? 0);
    if (participant.kind === "person" && isNew) announce(t("notice.joined", { name: participant.name }));
  },
  left(participant) {
    tiles.remove(participant.id);
    for (const part of [people, watch, talk, sharing]) part.forget(participant.id);
    showPeople();
    if (participant.kind === "person" && room.token) announce(t("notice.left", { name: participant.name }));
  },
  track: (participant, track, source) => tiles.show(participant, track, source),
  trackEnded: (participant, source) => tiles.hide(participant, source),
  peerState(participant, state) {
    tiles.setState(participant.id, state);
    if (state === "connected" || state === "no-path") sharing.reaches(participant);
  },
  mediaState(participant, state) {
    if (!state.screen) tiles.hide(participant, "screen");
    if (people.set(participant.id, state)) announce(t("hand.up", { name: participant.name }));
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
    settingsForm.show(settings);
    showPowers();
  },
  lobby: () => showWaiting(true),
  waiting: (waiting) => lobby.show(waiting),
  asked: (what, by) => void asked.take(what, by),
  role(participant) {
    if (participant.id === room.me?.id) announce(t(participant.role === "host" ? "host.you-are" : "host.you-were"));
    showPeople();
  },
  told: (participant, body) => sharing.take(participant, body) || captions.take(participant, body) || talk.take(participant, body),
  undelivered: (name, body) => chatView.markUndelivered(body.id, name),
  channel: (participant, channel) => sharing.listen(participant, channel),
  canTell(participant) {
    talk.canAsk(participant.id);
    sharing.reaches(participant);
    view.sayHeights();
  },
  connection(state) {
    const notice = find("#connection");
    notice.hidden = state === "connected";
    if (state === "reconnecting") find("span", notice).textContent = t("connection.reconnecting");
  },
  ended: (reason) => ended(reason),
});
const embedding = new Embedding(room);
const network = new Network(room);

// -- we ourselves --------------------------------------------------------------------------------------------------------------

const own = new Own(room, {
  changed: () => showMyState(),
  show: (track, source) => room.me && tiles.show(room.me, track, source),
  hide: (source) => room.me && tiles.hide(room.me, source),
});
const view = new View(room, tiles, own);
const devices = new Devices({
  tracks: () => ({ audio: own.track("microphone"), video: own.track("camera") }),
  change: (change) => view.apply(change),
});
const watch = new Watch(room, {
  speaking: (speaking, recent) => tiles.setSpeaking(speaking, recent),
  link: (id, verdict, cause, figure) => tiles.setLink(id, verdict, cause ? t(`link.${cause}`, { figure }) : ""),
  hint: (hint) => announce(t(`hint.${hint}`)),
});
const asked = new Asked({ isOn: (device) => room.mediaState[device], toggle: (device) => own.toggle(device) });

function showMyState() {
  controls.show(room.mediaState);
  if (own.track("microphone") !== watch.heard) watch.hear(own.track("microphone"));
  dictate();
  if (!room.me) return;
  people.set(room.me.id, room.mediaState);
  showPeople();
  embedding.showed();
}

function toggleHand() {
  room.setMediaState({ hand_at_ms: room.mediaState.hand_at_ms ? 0 : Date.now() });
  showMyState();
}

// -- those who are here, and what a host may do --------------------------------------------------------------------------------

const hostMenu = new HostMenu({
  deed(id, deed) {
    const path = `/participants/${id}`;
    if (deed === "remove") void host(`${path}/remove`, {});
    else if (deed === "host" || deed === "guest") void host(`${path}/role`, { role: deed });
    else void host(`${path}/ask`, { what: deed });
  },
  end: () => void host("/close", {}),
});
const lobby = new Lobby((id, answer) => void host("/lobby", { participant: id, answer }));
const settingsForm = new SettingsForm(async (wish) => {
  if (!(await host("/settings", wish))) settingsForm.show(room.settings);
});
new HostLink(roomId, roomTitle, hostKey);
const people = new People(room, {
  panel,
  tiles,
  menu: (button, participant, state) => hostMenu.open(button, participant, state),
  recorded: () => ({ isRunning: recording.isRunning, answer: consent.answer }),
});

/**
 * What only a host may ask of the server.
 *
 * @param {string} path  in the room
 * @param {object} body
 * @returns {Promise<boolean>} false: it was refused, and the person was told why
 */
async function host(path, body) {
  try {
    await call("POST", `/rooms/${roomId}${path}`, { token: room.token, body });
    return true;
  } catch (error) {
    announce(wordsOf(error));
    return false;
  }
}

function showPeople() {
  people.show();
  showPowers();
}

function showPowers() {
  recording.allow(powersOf(room.me, room.participants.values(), room.settings));
  const isHost = room.me?.role === "host";
  settingsForm.allow(isHost);
  hostMenu.allow(isHost);
}

// -- what is said without a voice ----------------------------------------------------------------------------------------------

const chatView = new ChatView();
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

const sharing = new Sharing(room, {
  offered(name, file) {
    if (panel.showsChat) return;
    panel.count(panel.unread + 1);
    announce(t("file.from", { name, file: file.slice(0, 120) }));
  },
  show: () => panel.showsChat || panel.open("chat"),
});

chatView.onSay((text) => room.me && talk.say(room.me, text));
offerReactions((reaction) => {
  talk.react(reaction);
  rise(tiles.tiles.get(room.me?.id ?? ""), reaction);
});

// -- captions ------------------------------------------------------------------------------------------------------------------

const captionBar = new CaptionBar({ shown: () => captions.ask(), dictated: () => dictate() });
const captions = new Captions({
  tell: (to, body, how) => room.tell(to, body, how),
  nameOf: (id) => (id === room.me?.id ? room.me.name : room.participants.get(id)?.name),
  onChange: (shown) => captionBar.show(shown),
  onWanted(participant) {
    if (captionBar.mayDictate && !captionBar.dictates.checked) announce(t("captions.wanted", { name: participant.name }));
  },
});
const dictation = new Dictation({
  language: document.documentElement.lang,
  onText: (text, isFinal) => room.me && captions.say(room.me, text, isFinal),
  onRefused: () => captionBar.refuse(),
});

/** Nobody's words are written while they are muted. */
function dictate() {
  const isWanted = captionBar.dictates.checked && room.mediaState.microphone;
  dictation.follow(isWanted ? own.track("microphone") : undefined);
}

// -- recording, and being recorded ---------------------------------------------------------------------------------------------

const question = new Question((yes, text) => void consent.decide(yes, text));
const choice = new Choice();
const consent = new Consent({
  tell: (wish) => call("POST", `/rooms/${roomId}/consent`, { token: room.token, body: wish }),
  apply: (agreed) => room.agree(agreed),
  question,
  changed() {
    recording.showAnswer(consent.answer);
    showPeople();
  },
  mode: () => room.consentMode,
  storage: sessionStorage,
  language: document.documentElement.lang,
});
recording.onChangeOfMind((text) => void consent.decide(consent.answer !== "given", text));

/** @param {"start" | "stop" | "pause" | "resume" | "mark"} action */
async function act(action) {
  try {
    const sent = room.record(action);
    // Who starts a recording need not be asked whether it may record them.
    if (action === "start") consent.starting = sent.then((found) => found.recording.id, () => null);
    await sent;
  } catch (error) {
    announce(wordsOf(error));
  }
}

// -- in and out ----------------------------------------------------------------------------------------------------------------

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
  const again = seat.get()?.token;
  const { participants } = await room.join({
    name, ...(hostKey && { host_key: hostKey }), ...(prejoin.code && { code: prejoin.code }), ...(again && { again }),
  });
  showWaiting(false);
  talk.arrive(participants);
  sharing.start();
  seat.keep({ name, microphone, camera: cameraOn, token: room.token });
  prejoin.hide();
  find("#call").hidden = false;
  document.body.classList.add("in-call");
  const me = /** @type {Participant} */ (room.me);
  tiles.add(me, true);
  const video = own.track("camera");
  if (video) tiles.show(me, video, "camera");
  void tiles.listenOn(chosen.sink);
  view.show(embedding.layout(chosen.layout, LAYOUTS));
  captionBar.begin();
  watch.start();
  showMyState();
  showPeople();
  embedding.joined();
}

function leave() {
  room.leave();
  ended("left");
}

/** @param {string} reason */
function ended(reason) {
  // Timed out while the laptop slept, or forgotten by a new server: come back by ourselves.
  if (reason === "gone" || reason === "vanished") {
    location.reload();
    return;
  }
  seat.forget();
  embedding.left(reason);
  own.stop();
  watch.stop();
  talk.stop();
  captions.stop();
  dictation.stop();
  sharing.stop();
  prejoin.hide();
  question.close();
  showEnded(reason, hostKey !== null);
}

find("[data-testid=stop-waiting]").addEventListener("click", () => {
  room.leave();
  location.reload();
});

// -- what is pressed -----------------------------------------------------------------------------------------------------------

const toggleMicrophone = () => own.toggle("microphone");
const toggleCamera = () => own.toggle("camera");
const toggleScreen = () => own.toggleScreen();

async function copyLink() {
  const link = new URL(`/r/${roomId}`, location.href).href;
  try {
    await navigator.clipboard.writeText(link);
    announce(t("link.copied"));
  } catch {
    announce(link);
  }
}

/** @type {Record<string, () => unknown>} */
const KEYS = {
  m: toggleMicrophone,
  v: toggleCamera,
  s: toggleScreen,
  c: () => panel.toggle("chat"),
  p: () => panel.toggle("people"),
  n: () => panel.toggle("connection"),
  l: () => view.next(),
  t: () => captionBar.toggle(),
  h: toggleHand,
  d: () => devices.show(),
  i: () => tiles.takeOut(),
  k: () => recording.mayMark && act("mark"),
  r: () => question.focus(),
};
embedding.limit(KEYS);
keys.listen(KEYS);
controls.listen({ mute: toggleMicrophone, camera: toggleCamera, screen: toggleScreen, hand: toggleHand, leave, "copy-invite": copyLink });
find("[data-testid=play]").addEventListener("click", () => {
  find("#blocked").hidden = true;
  tiles.play();
});
embedding.listen({
  microphone: () => once(toggleMicrophone),
  camera: () => once(toggleCamera),
  leave: () => once(leave),
  chat: () => panel.toggle("chat"),
});

// -- the browser ---------------------------------------------------------------------------------------------------------------

addEventListener("pagehide", () => room.leave());
addEventListener("pageshow", (event) => event.persisted && location.reload());
onOtherNetwork(() => void room.lookAgain({ isAnotherNetwork: true }));
onWake(() => void room.lookAgain({ isAnotherNetwork: false }));

/** A reload in mid-call comes back to the same seat; a page that holds us may have asked for things. */
async function start() {
  void lookForPath(room);
  void lookForRecording(room, choice);
  const again = seat.get();
  const wish = again ? { ...again, now: true } : embedding.wish();
  if (wish?.name) prejoin.name.value = wish.name;
  if (wish) prejoin.wanted = { microphone: wish.microphone, camera: wish.camera };
  await prejoin.show();
  if (wish?.now) await prejoin.join();
}

expose(room, consent);
void start();
