// The room page: reads what the server put into it, and wires the parts. See room.js for the call itself.

import { Away, Refused } from "./api.js";
import { announce, find, setIcon } from "./dom.js";
import { hostKeyOf } from "./hosts.js";
import * as media from "./media.js";
import { Panel } from "./panel.js";
import { Prejoin } from "./prejoin.js";
import { RecordingControl } from "./recording.js";
import { Room } from "./room.js";
import { t } from "./text.js";
import { Tiles } from "./tiles.js";

/** @typedef {import("./room.js").Participant} Participant */

const { roomId, roomTitle } = /** @type {{roomId: string, roomTitle: string}} */ (/** @type {unknown} */ (document.body.dataset));
const hostKey = hostKeyOf(roomId, roomTitle);
const REJOIN = `letterbox.rejoin.${roomId}`;

const tiles = new Tiles();
const panel = new Panel();
const recording = new RecordingControl(hostKey !== null, (action) => void act(action));

/** @type {MediaStream} */
let camera = new MediaStream();
/** @type {MediaStream | null} */
let screen = null;

const room = new Room(roomId, {
  joined(participant) {
    tiles.add(participant, false);
    showPeople();
    if (participant.kind === "person") announce(t("notice.joined", { name: participant.name }));
  },
  left(participant) {
    tiles.remove(participant.id);
    showPeople();
    if (participant.kind === "person" && room.token) announce(t("notice.left", { name: participant.name }));
  },
  track: (participant, track, source) => tiles.show(participant, track, source),
  trackEnded: (participant, source) => tiles.hide(participant, source),
  peerState: (participant, state) => tiles.setState(participant.id, state),
  mediaState(participant, state) {
    tiles.setMedia(participant.id, state);
    if (!state.screen) tiles.hide(participant, "screen");
  },
  recording: (now, mark) => recording.show(now, mark),
  chat(participant, text, atMs) {
    panel.addMessage(participant.name, text, atMs, participant.id === room.me?.id);
  },
  connection(state) {
    const notice = find("#connection");
    notice.hidden = state === "connected";
    if (state === "reconnecting") find("span", notice).textContent = t("connection.reconnecting");
  },
  ended: (reason) => void ended(reason),
});

const prejoin = new Prejoin(async ({ name, stream, microphone, camera: cameraOn }) => {
  try {
    camera = stream;
    await enter(name, microphone, cameraOn);
  } catch (error) {
    announce(error instanceof Refused || error instanceof Away ? error.message : String(error));
  }
});

/**
 * @param {string} name
 * @param {boolean} microphone
 * @param {boolean} cameraOn
 */
async function enter(name, microphone, cameraOn) {
  const [audio] = camera.getAudioTracks();
  const [video] = camera.getVideoTracks();
  if (audio) await room.setTrack("microphone", audio);
  if (video) await room.setTrack("camera", video);
  room.mediaState = { microphone: Boolean(audio) && microphone, camera: Boolean(video) && cameraOn, screen: false };
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
  panel.showPeople(everybody.sort((one, other) => one.joined_at_ms - other.joined_at_ms), room.me?.id);
}

// -- the controls ------------------------------------------------------------------------------------------------------------

function showMyState() {
  const { microphone, camera: cameraOn, screen: sharing } = room.mediaState;
  setIcon(find("[data-testid=mute]"), microphone ? "mic" : "mic-off", t(microphone ? "controls.mute" : "controls.unmute"));
  setIcon(find("[data-testid=camera]"), cameraOn ? "video" : "video-off", t(cameraOn ? "controls.camera-off" : "controls.camera-on"));
  setIcon(find("[data-testid=screen]"), sharing ? "monitor-x" : "monitor-up", t(sharing ? "controls.screen-off" : "controls.screen-on"));
  find("[data-testid=mute]").classList.toggle("off", !microphone);
  find("[data-testid=camera]").classList.toggle("off", !cameraOn);
  if (room.me) tiles.setMedia(room.me.id, room.mediaState);
}

/** @param {"microphone" | "camera"} what */
async function toggle(what) {
  const kind = what === "microphone" ? "audio" : "video";
  const on = !room.mediaState[what];
  let [track] = camera.getTracks().filter((one) => one.kind === kind && one.readyState === "live");
  if (on && !track) {
    const { stream, problems } = await media.open({ [kind === "audio" ? "video" : "audio"]: false });
    [track] = stream.getTracks();
    if (!track) {
      announce(t(`device.${problems[kind] ?? "failed"}.title`, { device: t(`device.${what}`) }));
      return;
    }
    camera.addTrack(track);
    await room.setTrack(what, track);
    if (kind === "video" && room.me) tiles.show(room.me, track, "camera");
  }
  if (track && what === "camera" && !on) {
    // Off is off: the light beside the lens goes out.
    track.stop();
    camera.removeTrack(track);
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
    await room.record(action);
  } catch (error) {
    announce(error instanceof Error ? error.message : String(error));
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
  find("#ended-title").textContent = t(`ended.${reason}.title`);
  find("#ended-text").textContent = t(`ended.${reason}.text`);
  find("#ended-recordings").hidden = hostKey === null;
}

const CONTROLS = {
  mute: () => toggle("microphone"),
  camera: () => toggle("camera"),
  screen: toggleScreen,
  leave,
  "copy-invite": copyLink,
};
for (const [name, action] of Object.entries(CONTROLS)) find(`[data-testid=${name}]`).addEventListener("click", () => void action());
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
  m: () => toggle("microphone"),
  v: () => toggle("camera"),
  s: toggleScreen,
  c: () => panel.toggle("chat"),
  p: () => panel.toggle("people"),
  k: () => recording.isRunning && hostKey && act("mark"),
  "?": () => help.showModal(),
};
document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof Element && event.target.closest("input, textarea, select, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || find("#call").hidden) return;
  const action = KEYS[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  void action();
});

addEventListener("pagehide", () => room.leave());
addEventListener("pageshow", (event) => event.persisted && location.reload());
addEventListener("online", () => room.networkChanged());

/** A reload in mid-call comes back to the same seat. */
async function start() {
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
    peers: () =>
      [...room.peers].map(([participant, peer]) => ({
        participant,
        name: room.participants.get(participant)?.name,
        kind: room.participants.get(participant)?.kind,
        connection: peer.connection,
        state: peer.state,
      })),
  }),
});

void start();
