// Who is here, and one Peer for each of them. Knows no HTML: it tells `on` what happens.

import { Refused, call, farewell } from "./api.js";
import { backoffMs } from "./backoff.js";
import { Fallback } from "./fallback.js";
import { Mailbox } from "./mailbox.js";
import { Peer } from "./peer.js";
import { remembered } from "./profile.js";
import { limit } from "./quality.js";
import { askTogether } from "./tabs.js";

/**
 * @typedef {import("./peer.js").Source} Source
 * @typedef {import("./peer.js").PeerState} PeerState
 * @typedef {import("./mailbox.js").MailboxState} MailboxState
 * @typedef {import("./consent.js").Answer} Answer
 * @typedef {{id: string, name: string, kind: "person" | "recorder", role: string, joined_at_ms: number, consent?: Answer | null}} Participant
 * @typedef {{microphone: boolean, camera: boolean, screen: boolean, hand_at_ms?: number}} MediaState  hand_at_ms: raised since, 0 not
 * @typedef {{why: "none" | "busy" | "disk" | "leaving" | "interrupted", place?: number, starts_in_s?: number | null}} Waiting
 * @typedef {{id: string, state: string, wanted: string, by: string, started_at_ms: number | null, reason: string | null, waiting?: Waiting | null}} Recording
 * @typedef {{who_may_record: "host" | "everyone", keep_days: number | null, lobby: boolean, locked: boolean, has_code: boolean}} Settings
 * @typedef {{kind: "silent" | "no-picture" | "loss" | "sound-only" | "disk", participant?: string, source?: string, since_ms?: number, percent?: number}} Alarm
 * @typedef {object} RoomEvents
 * @property {(participant: Participant) => void} joined
 * @property {(participant: Participant, reason: string) => void} left
 * @property {(participant: Participant, track: MediaStreamTrack, source: Source) => void} track
 * @property {(participant: Participant, source: Source) => void} trackEnded
 * @property {(participant: Participant, state: PeerState | import("./fallback.js").Road) => void} peerState
 * @property {(participant: Participant, state: MediaState) => void} mediaState
 * @property {(recording: Recording | null, mark?: {label: string, by: string}, alarms?: Alarm[]) => void} recording
 * @property {(participant: Participant, answer: Answer) => void} consent
 * @property {(settings: Settings) => void} settings  how the room works, now and whenever the host has changed it
 * @property {() => void} lobby  we wait until a host lets us in
 * @property {(waiting: Map<string, string>) => void} waiting  who waits for us to let them in: id → name
 * @property {(what: "mute" | "unmute" | "camera-off", by: string) => void} asked  by a host
 * @property {(participant: Participant) => void} role  somebody is a host now, or no longer
 * @property {(participant: Participant, body: any) => void} told  what one says to another: see talk.js
 * @property {(name: string, body: any) => void} undelivered  what did not reach one who has left
 * @property {(participant: Participant, channel: RTCDataChannel) => void} channel  they have opened one, for a file
 * @property {(participant: Participant) => void} canTell  the short way to them is open
 * @property {(state: MailboxState) => void} connection
 * @property {(reason: string) => void} ended
 */

/** TURN credentials are renewed after this part of their life: time for many tries. */
const RENEW_AT = 0.75;
/** Of a file over HTTP: a part of one request, and chat does not wait long behind it. */
const HTTP_MESSAGE_BYTES = 4096;

const nothing = () => undefined;
/** @type {RoomEvents} */
const UNHEARD = {
  joined: nothing, left: nothing, track: nothing, trackEnded: nothing, peerState: nothing, mediaState: nothing, recording: nothing, consent: nothing,
  settings: nothing, lobby: nothing, waiting: nothing, asked: nothing, role: nothing, told: nothing, undelivered: nothing, channel: nothing,
  canTell: nothing, connection: nothing, ended: nothing,
};

export class Room {
  /**
   * @param {string} id
   * @param {Partial<RoomEvents>} on  what is left out is not heard of
   */
  constructor(id, on) {
    this.id = id;
    /** @type {RoomEvents} */
    this.on = { ...UNHEARD, ...on };
    /** @type {Map<string, Participant>} */
    this.participants = new Map();
    /** Of everybody who ever was here. @type {Map<string, string>} */
    this.names = new Map();
    /** @type {Map<string, Peer>} */
    this.peers = new Map();
    /** @type {Map<string, RTCDataChannel>} */
    this.channels = new Map();
    /** @type {Map<Source, MediaStreamTrack>} */
    this.tracks = new Map();
    this.fallback = new Fallback(this);
    /** @type {MediaState} */
    this.mediaState = { microphone: false, camera: false, screen: false, hand_at_ms: 0 };
    /** How large others show our camera, and we theirs. @type {{ours: Map<string, number>, theirs: Map<string, number>}} */
    this.shown = { ours: new Map(), theirs: new Map() };
    this.lowData = false;
    /** This network was seen to let no call through: we do not wait long to see it again. */
    this.isHopeless = false;
    /** @type {RTCConfiguration} */
    this.configuration = { bundlePolicy: "max-bundle" };
    /** When the TURN credentials lapse, by this machine's clock. */
    this.iceLapsesAtMs = Infinity;
    this.token = "";
    /** @type {((entered: any) => void) | undefined} */
    this.admitted = undefined;
    /** @type {Participant | null} */
    this.me = null;
    /** Whether anything of ours goes to a recorder. Without, there is not even a connection. */
    this.agreed = false;
    /** @type {Settings} */
    this.settings = { who_may_record: "host", keep_days: null, lobby: false, locked: false, has_code: false };
    /** Who waits in the lobby, as a host hears it. @type {Map<string, string>} */
    this.waiting = new Map();
    /** @type {"ask" | "notice"} */
    this.consentMode = "ask";
    /** @type {string | undefined} the recording that the answers we know are about */
    this.recordingId = undefined;
  }

  /**
   * Come in, at once or when a host says yes.
   *
   * @param {{name: string, host_key?: string, code?: string, again?: string}} body  again: the token of a seat just left
   */
  async join(body) {
    // The poll will occupy one connection: a second, for what we send, is opened while we wait anyway.
    call("GET", `/rooms/${this.id}`).catch(() => undefined);
    const entered = await call("POST", `/rooms/${this.id}/participants`, { body });
    this.me = entered.participant;
    this.token = entered.token;
    this.mailbox = new Mailbox({
      token: entered.token,
      waitS: entered.wait_s,
      remembered: remembered(),
      ask: askTogether,
      after: entered.after,
      onMessage: (message) => this.take(message),
      onState: (state) => this.connectionState(state),
    });
    if (entered.waiting === true) {
      /** @type {Promise<any>} */
      const admitted = new Promise((resolve) => (this.admitted = resolve));
      this.on.lobby();
      this.mailbox.start();
      return admitted;
    }
    this.enter(entered);
    this.mailbox.start();
    return entered;
  }

  /** @param {any} entered  what the join answer holds, or `admitted` */
  enter(entered) {
    this.me = entered.participant;
    this.useIce(entered);
    this.fallback.isOffered = entered.http_media === true;
    this.consentMode = entered.consent;
    this.recordingId = entered.recording?.id;
    for (const other of entered.participants) this.add(other, true);
    this.changeSettings(entered.settings);
    this.on.recording(entered.recording);
    this.waiting = new Map((entered.waiting ?? []).map((/** @type {{id: string, name: string}} */ { id, name }) => [id, name]));
    this.on.waiting(this.waiting);
    this.sendState("*");
  }

  /** Leave, for good. Works while the page is being closed. */
  leave() {
    if (!this.token) return;
    farewell("/leave", { token: this.token });
    this.close();
  }

  close() {
    this.token = "";
    clearTimeout(this.renewing);
    this.mailbox?.stop();
    for (const id of [...this.participants.keys()]) this.remove(id, "closed");
    this.fallback.close();
  }

  /** @param {Settings} settings */
  changeSettings(settings) {
    this.settings = settings;
    this.on.settings(settings);
  }

  // -- people -------------------------------------------------------------------------------------------------------------

  /**
   * @param {Participant} participant
   * @param {boolean} wasHere  who was already here waits for the newcomer's offer
   */
  add(participant, wasHere) {
    if (this.participants.has(participant.id)) return;
    this.participants.set(participant.id, participant);
    this.names.set(participant.id, participant.name);
    this.on.joined(participant);
    // The newcomer offers; towards a recorder everybody does who has agreed.
    if (participant.kind === "recorder" ? this.agreed : wasHere) void this.offerTo(participant);
  }

  /**
   * @param {string} id
   * @param {string} reason
   */
  remove(id, reason) {
    const participant = this.participants.get(id);
    if (!participant) return;
    this.participants.delete(id);
    this.peers.get(id)?.close();
    this.peers.delete(id);
    this.channels.delete(id);
    this.fallback.forget(id);
    for (const heights of Object.values(this.shown)) heights.delete(id);
    this.on.left(participant, reason);
    this.adjustQuality();
  }

  /**
   * @param {string} id
   * @param {string} role
   */
  changeRole(id, role) {
    const participant = id === this.me?.id ? this.me : this.participants.get(id);
    if (!participant) return;
    participant.role = role;
    if (participant === this.me && role !== "host") this.waiting.clear();
    this.on.waiting(this.waiting);
    this.on.role(participant);
  }

  /** @param {boolean} agreed  to be sent to recorders, from now on */
  agree(agreed) {
    this.agreed = agreed;
    for (const participant of this.participants.values()) {
      if (participant.kind !== "recorder") continue;
      if (agreed && !this.peers.has(participant.id)) void this.offerTo(participant);
      if (!agreed) this.peers.get(participant.id)?.close();
      if (!agreed) this.peers.delete(participant.id);
      if (!agreed) this.fallback.forget(participant.id);
    }
  }

  /** @param {Participant} participant */
  async offerTo(participant) {
    const peer = this.peerOf(participant);
    // All in one turn, so that the first offer holds everything.
    const sending = [...this.tracks].map(([source, track]) => peer.setTrack(source, track));
    peer.openChannel();
    await Promise.all(sending);
    this.adjustQuality();
  }

  /** @param {Participant} participant */
  peerOf(participant) {
    const known = this.peers.get(participant.id);
    if (known) return known;
    const me = /** @type {Participant} */ (this.me);
    const peer = new Peer({
      ours: me.id,
      theirs: participant.id,
      toRecorder: participant.kind === "recorder",
      configuration: this.configuration,
      isHopeless: this.isHopeless && this.fallback.isOffered,
      send: (kind, body) => this.mailbox?.send(participant.id, kind, body),
      // What is promised by WebRTC is not shown while something comes over HTTP.
      onTrack: (track, source) => !this.fallback.isOverHttp(participant.id) && this.on.track(participant, track, source),
      onTrackEnded: (source) => !this.fallback.isOverHttp(participant.id) && this.on.trackEnded(participant, source),
      onState: (state) => {
        if (!this.fallback.speaksFor(participant.id, state)) this.on.peerState(participant, state);
        this.fallback.follow(participant, state);
        if (state === "connected") this.adjustQuality();
      },
      onChannel: (channel) => this.listen(participant, channel),
    });
    this.peers.set(participant.id, peer);
    return peer;
  }

  // -- the road each takes: see fallback.js -------------------------------------------------------------------------------------

  /**
   * @param {string} id
   * @param {import("./fallback.js").Road} road
   */
  took(id, road) {
    const participant = this.participants.get(id);
    if (!participant) return;
    if (road !== "asked") this.on.peerState(participant, road);
    const channel = road === "http" ? this.fallback.http?.openChannel(id, "chat") : undefined;
    if (channel) this.listen(participant, /** @type {any} */ (channel));
    this.adjustQuality();
  }

  /** WebRTC has it again. @param {string} id */
  returned(id) {
    const [participant, peer] = [this.participants.get(id), this.peers.get(id)];
    if (!participant || !peer) return;
    for (const [source, track] of peer.tracks) this.on.track(participant, track, source);
    this.on.peerState(participant, peer.state);
    if (peer.channel) this.listen(participant, peer.channel);
    this.adjustQuality();
  }

  /**
   * How loud somebody is heard, 0 to 1.
   *
   * @param {string} id
   */
  levelOf(id) {
    const pair = this.fallback.http?.pairs.get(id);
    return pair ? pair.level : (this.peers.get(id)?.level ?? 0);
  }

  // -- messages -----------------------------------------------------------------------------------------------------------

  /** @param {import("./mailbox.js").Message} message */
  take({ from, kind, body }) {
    if (from === "server") {
      this.takeFromServer(kind, body);
      return;
    }
    const sender = this.participants.get(from);
    if (!sender || (sender.kind === "recorder" && !this.agreed)) return;
    if (kind === "offer" || kind === "answer") void this.described(sender, kind, body);
    else if (kind === "candidate") void this.peers.get(from)?.take(kind, body);
    else if (kind === "over-http" || kind === "chunk-key") this.fallback.hear(from, kind, body);
    else if (kind === "state") this.on.mediaState(sender, body);
    else if (kind === "chat") this.hear(sender, body);
  }

  /**
   * @param {string} kind
   * @param {any} body
   */
  takeFromServer(kind, body) {
    if (kind === "joined") {
      if (this.waiting.delete(body.participant.id)) this.on.waiting(this.waiting);
      this.add(body.participant, false);
      this.sendState(body.participant.id);
    } else if (kind === "left") {
      if (body.participant === this.me?.id) this.end(body.reason);
      else if (this.waiting.delete(body.participant)) this.on.waiting(this.waiting);
      else this.remove(body.participant, body.reason);
    } else if (kind === "knock") {
      this.waiting.set(body.participant.id, body.participant.name);
      this.on.waiting(this.waiting);
    } else if (kind === "admitted") {
      this.enter(body);
      this.admitted?.(body);
    } else if (kind === "undelivered") {
      const lost = this.mailbox?.sentAs(body.n, body.to);
      if (lost?.kind === "chat") this.on.undelivered(this.names.get(body.to) ?? "", lost.body);
    } else if (kind === "asked") {
      this.on.asked(body.what, body.by);
    } else if (kind === "role") {
      this.changeRole(body.participant, body.role);
    } else if (kind === "recording") {
      // Each recording asks anew.
      if (body.recording.id !== this.recordingId) for (const participant of this.participants.values()) participant.consent = null;
      this.recordingId = body.recording.id;
      this.on.recording(body.recording, body.mark, body.alarms);
    } else if (kind === "room") {
      this.changeSettings(body.settings);
    } else if (kind === "consent" && body.recording === this.recordingId) {
      const participant = body.participant === this.me?.id ? this.me : this.participants.get(body.participant);
      if (!participant) return;
      participant.consent = body.answer;
      this.on.consent(participant, body.answer);
    }
  }

  /**
   * @param {Participant} sender
   * @param {"offer" | "answer"} kind
   * @param {any} body
   */
  async described(sender, kind, body) {
    const isNew = !this.peers.has(sender.id);
    const peer = this.peerOf(sender);
    await peer.take(kind, body);
    if (isNew) for (const [source, track] of this.tracks) await peer.setTrack(source, track);
    this.adjustQuality();
  }

  // -- what we send -------------------------------------------------------------------------------------------------------

  /**
   * @param {Source} source
   * @param {MediaStreamTrack | null} track
   */
  async setTrack(source, track) {
    if (track) this.tracks.set(source, track);
    else this.tracks.delete(source);
    this.fallback.setTrack(source, track);
    await Promise.all([...this.peers.values()].map((peer) => peer.setTrack(source, track)));
    this.adjustQuality();
  }

  /** @param {Partial<MediaState>} change */
  setMediaState(change) {
    this.mediaState = { ...this.mediaState, ...change };
    this.sendState("*");
  }

  /** @param {string} to */
  sendState(to) {
    this.mailbox?.send(to, "state", this.mediaState);
  }

  adjustQuality() {
    const heights = [...this.fallback.roads.keys()].map((id) => this.shown.ours.get(id) ?? Infinity);
    this.fallback.http?.showAt(this.lowData ? 180 : Math.max(180, ...heights));
    const others = [...this.participants.values()].filter(({ kind }) => kind === "person").length;
    for (const [id, peer] of this.peers) {
      const sender = peer.sending.get("camera")?.sender;
      if (sender) void limit(sender, { others, toRecorder: peer.options.toRecorder, shown: this.shown.ours.get(id), low: this.lowData });
    }
  }

  /** @param {boolean} low  send as little as shows a face that moves */
  useLowData(low) {
    this.lowData = low;
    this.adjustQuality();
  }

  /**
   * Tell somebody how large we show their camera: they need not send more. Only by the short way; it is not worth a request.
   *
   * @param {string} id
   * @param {number} height  pixels, 0 for not at all
   */
  shows(id, height) {
    if (this.shown.theirs.get(id) === height) return;
    const channel = this.channels.get(id);
    if (channel?.readyState !== "open" || this.participants.get(id)?.kind !== "person") return;
    this.shown.theirs.set(id, height);
    channel.send(JSON.stringify({ shown: height }));
  }

  // -- from one to another: by data channel where one is open, by mailbox where none is -----------------------------------------

  /**
   * @param {Participant} participant
   * @param {RTCDataChannel} channel
   */
  listen(participant, channel) {
    if (channel.label !== "chat") {
      this.on.channel(participant, channel);
      return;
    }
    this.channels.set(participant.id, channel);
    this.shown.theirs.delete(participant.id);
    const open = () => this.on.canTell(participant);
    if (channel.readyState === "open") open();
    else channel.onopen = open;
    channel.onmessage = ({ data }) => {
      try {
        this.hear(participant, JSON.parse(data));
      } catch {
        console.warn("room: what somebody said could not be read");
      }
    };
  }

  /**
   * @param {Participant} sender
   * @param {any} body
   */
  hear(sender, body) {
    if (body === null || typeof body !== "object") return;
    if (Number.isFinite(body.shown)) {
      this.shown.ours.set(sender.id, body.shown);
      this.adjustQuality();
    } else {
      this.on.told(sender, body);
    }
  }

  /**
   * @param {string} to  a participant, or "*" for everyone; a recorder, which writes it down, only by data channel
   * @param {object} body
   * @param {{onlyDirect?: boolean}} [how]  onlyDirect: not worth a request
   */
  tell(to, body, { onlyDirect = false } = {}) {
    const text = JSON.stringify(body);
    for (const participant of this.participants.values()) {
      if (to !== "*" && to !== participant.id) continue;
      const channel = this.channels.get(participant.id);
      if (channel?.readyState === "open") channel.send(text);
      else if (participant.kind === "person" && !onlyDirect) this.mailbox?.send(participant.id, "chat", body);
    }
  }

  /**
   * A channel of its own to somebody, for a file.
   *
   * @param {string} to
   * @param {string} label
   */
  openChannel(to, label) {
    const opened = this.peers.get(to)?.newChannel(label);
    if (opened) return opened;
    const channel = this.fallback.isOverHttp(to) ? this.fallback.http?.openChannel(to, label) : undefined;
    return channel ? { channel, mostBytes: HTTP_MESSAGE_BYTES } : null;
  }

  // -- the recording, for the host ------------------------------------------------------------------------------------------

  /**
   * @param {"start" | "stop" | "pause" | "resume" | "mark"} action
   * @param {string} [label]
   */
  async record(action, label = "") {
    const body = action === "mark" ? { action, label } : { action };
    return call("POST", `/rooms/${this.id}/recording`, { token: this.token, body });
  }

  // -- the connection to the server -----------------------------------------------------------------------------------------

  /** @param {MailboxState} state */
  connectionState(state) {
    if (state === "gone" || state === "replaced") this.end(state);
    else this.on.connection(state);
  }

  /** @param {string} reason */
  end(reason) {
    this.close();
    this.on.ended(reason);
  }

  /**
   * Connections may be dead: ask the server again, and look for new paths. What still works goes on meanwhile.
   *
   * @param {{isAnotherNetwork: boolean}} because  else this machine has only slept
   */
  async lookAgain({ isAnotherNetwork }) {
    if (!this.token) return;
    if (isAnotherNetwork) this.mailbox?.profile.forget();
    this.mailbox?.askAgain();
    if (Date.now() > this.iceLapsesAtMs) await this.renewIce();
    for (const peer of this.peers.values()) peer.lookAgain();
  }

  // -- STUN and TURN ----------------------------------------------------------------------------------------------------------

  /** @param {{ice_servers: RTCIceServer[], ice_policy: RTCIceTransportPolicy, ice_lasts_s: number | null}} answer */
  useIce({ ice_servers: iceServers, ice_policy: iceTransportPolicy, ice_lasts_s: lastsS }) {
    this.configuration = { iceServers, iceTransportPolicy, bundlePolicy: "max-bundle" };
    for (const peer of this.peers.values()) peer.configure(this.configuration);
    this.renewalFailures = 0;
    if (lastsS === null) return;
    this.iceLapsesAtMs = Date.now() + lastsS * 1000;
    this.renewSoon(lastsS * 1000 * RENEW_AT);
  }

  /** @param {number} ms */
  renewSoon(ms) {
    clearTimeout(this.renewing);
    // Longer than a timer can be is a day.
    this.renewing = setTimeout(() => void this.renewIce(), Math.min(ms, 86_400_000));
  }

  /** New TURN credentials in a long call; those in use are never touched. */
  async renewIce() {
    try {
      this.useIce(await call("GET", "/ice-servers", { token: this.token }));
    } catch (error) {
      if (error instanceof Refused || !this.token) return;
      this.renewalFailures = (this.renewalFailures ?? 0) + 1;
      this.renewSoon(backoffMs(this.renewalFailures, { firstMs: 2000, mostMs: 60000 }));
    }
  }
}
