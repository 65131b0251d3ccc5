// Our end of one RTCPeerConnection, with one other participant: perfect negotiation, trickled candidates, ICE restarts for ever.
// Knows WebRTC; knows neither the server nor the page.

import { backoffMs } from "./backoff.js";

/**
 * @typedef {"microphone" | "camera" | "screen" | "screen-sound"} Source
 * @typedef {"new" | "connecting" | "connected" | "interrupted" | "no-path"} PeerState
 */

const BATCH_MS = 40;
/** What may still come when every relay has said no: a direct path. */
const REFUSED_MS = 400;
/** With no path after so long there is a problem to tell of; trying goes on. The browser's own `failed` comes late or never. */
const WATCHDOG_MS = 5000;
/** Candidates may be long in coming (names that nobody resolves): an attempt that still gathers is not cut short before this. */
const GATHERING_MS = 20000;
/** The side that usually leaves it to the other waits so much longer before it restarts by itself. */
const POLITE_MS = 4000;
/** Where a browser does not say what it takes in one message (RFC 8841 section 6.1). */
const FALLBACK_MESSAGE_BYTES = 65536;

/**
 * Of two participants exactly one is polite: the one with the smaller id.
 *
 * @param {string} ours
 * @param {string} theirs
 */
export const isPolite = (ours, theirs) => ours < theirs;

export class Peer {
  /**
   * @param {object} options
   * @param {string} options.ours                            our participant id
   * @param {string} options.theirs
   * @param {boolean} options.toRecorder                     it only receives, and never offers
   * @param {RTCConfiguration} options.configuration
   * @param {boolean} [options.isHopeless]                   the network has been seen to let nothing pass
   * @param {(kind: "offer" | "answer" | "candidate", body: object) => void} options.send
   * @param {(track: MediaStreamTrack, source: Source) => void} options.onTrack
   * @param {(source: Source) => void} options.onTrackEnded
   * @param {(state: PeerState) => void} options.onState
   * @param {(channel: RTCDataChannel) => void} [options.onChannel]
   */
  constructor(options) {
    this.options = options;
    this.polite = isPolite(options.ours, options.theirs);
    this.makingOffer = false;
    this.ignoreOffer = false;
    this.settingRemoteAnswer = false;
    /** @type {RTCIceCandidateInit[]} */
    this.early = [];
    /** @type {RTCIceCandidateInit[]} */
    this.batch = [];
    this.restarts = 0;
    /** What gathering has brought: candidates, relay's among them, and servers that said no. */
    this.found = { candidates: 0, relays: 0, refusals: 0 };
    /** @type {PeerState} */
    this.state = "new";
    /** @type {Map<Source, RTCRtpTransceiver>} */
    this.sending = new Map();
    /** @type {Map<Source, MediaStreamTrack>} */
    this.tracks = new Map();
    /** @type {Record<string, Source>} */
    this.theirSources = {};
    this.closed = false;
    this.begun = Date.now();
    /** How long the first path took to find. @type {number | undefined} */
    this.connectedMs = undefined;
    /** What they tell us is taken in one thing after the other: a check of our state must not see half of what came before. */
    this.inbox = Promise.resolve();
    this.connection = this.connect();
  }

  /**
   * Their offer, answer or candidates, in the order in which they came.
   *
   * @param {"offer" | "answer" | "candidate"} kind
   * @param {any} body
   * @returns {Promise<void>}
   */
  take(kind, body) {
    this.inbox = this.inbox
      .then(() => (kind === "candidate" ? this.candidates(body) : this.described(body)))
      .catch((error) => {
        if (!this.closed) console.error(`peer: ${kind} could not be taken in`, error);
      });
    return this.inbox;
  }

  connect() {
    const connection = new RTCPeerConnection(this.options.configuration);
    connection.onnegotiationneeded = () => void this.negotiate();
    connection.onicecandidate = ({ candidate }) => this.gathered(candidate);
    connection.onicecandidateerror = () => (this.found.refusals += 1);
    connection.ontrack = ({ transceiver }) => this.showTracks([transceiver]);
    connection.onconnectionstatechange = () => this.changed();
    connection.oniceconnectionstatechange = () => this.changed();
    connection.ondatachannel = ({ channel }) => this.opened(channel);
    this.watch();
    return connection;
  }

  /** The channel for chat and control; the side that offers first opens it. */
  openChannel() {
    this.opened(this.connection.createDataChannel("chat"));
  }

  /** @param {RTCDataChannel} channel */
  opened(channel) {
    if (channel.label === "chat") this.channel = channel;
    this.options.onChannel?.(channel);
  }

  /** How loud they are heard, 0 to 1. */
  get level() {
    const track = this.tracks.get("microphone");
    const receiver = track && this.connection.getReceivers().find((one) => one.track === track);
    return receiver?.getSynchronizationSources()[0]?.audioLevel ?? 0;
  }

  /**
   * Another channel, for one thing that is passed.
   *
   * @param {string} label
   * @returns {{channel: RTCDataChannel, mostBytes: number} | null} mostBytes: in one message; null: there is no path now
   */
  newChannel(label) {
    if (this.connection.connectionState !== "connected") return null;
    return { channel: this.connection.createDataChannel(label), mostBytes: this.connection.sctp?.maxMessageSize || FALLBACK_MESSAGE_BYTES };
  }

  /**
   * Send this track as this source from now on; null: nothing. A change of track needs no negotiation, a new source does.
   *
   * @param {Source} source
   * @param {MediaStreamTrack | null} track
   */
  async setTrack(source, track) {
    const known = this.sending.get(source);
    if (known) {
      await known.sender.replaceTrack(track);
      if (track && known.direction !== "sendonly" && known.direction !== "sendrecv") known.direction = "sendonly";
      else if (!track && source.startsWith("screen")) known.direction = "inactive";
      return;
    }
    if (!track) return;
    // One way each: no guessing about which of their tracks belongs to which of ours.
    this.sending.set(source, this.connection.addTransceiver(track, { direction: "sendonly", streams: [new MediaStream()] }));
  }

  // -- negotiation: W3C WebRTC 1.0 section 10.7 ---------------------------------------------------------------------------

  async negotiate() {
    try {
      this.makingOffer = true;
      await this.connection.setLocalDescription();
      this.describe();
    } catch (error) {
      if (!this.closed) console.error("peer: no offer could be made", error);
    } finally {
      this.makingOffer = false;
    }
  }

  describe() {
    const description = this.connection.localDescription;
    if (!description || (description.type !== "offer" && description.type !== "answer")) return;
    this.options.send(description.type, { type: description.type, sdp: description.sdp, sources: this.sources() });
  }

  /**
   * A camera that is off for now keeps its place: it comes back without a word about it.
   *
   * @returns {Record<string, Source>} mid → what we send there
   */
  sources() {
    /** @type {Record<string, Source>} */
    const found = {};
    for (const [source, transceiver] of this.sending) {
      if (transceiver.mid !== null && transceiver.direction !== "inactive") found[transceiver.mid] = source;
    }
    return found;
  }

  /**
   * Their offer or answer.
   *
   * @param {{type: "offer" | "answer", sdp: string, sources?: Record<string, Source>}} description
   */
  async described(description) {
    const connection = this.connection;
    const ready = !this.makingOffer && (connection.signalingState === "stable" || this.settingRemoteAnswer);
    const collision = description.type === "offer" && !ready;
    this.ignoreOffer = !this.polite && collision;
    if (this.ignoreOffer) return;
    this.theirSources = description.sources ?? {};
    this.settingRemoteAnswer = description.type === "answer";
    try {
      await connection.setRemoteDescription({ type: description.type, sdp: description.sdp });
    } finally {
      this.settingRemoteAnswer = false;
    }
    if (description.type === "offer") {
      await connection.setLocalDescription();
      this.describe();
      this.giveTime();
    }
    this.judgeSoonIfRefused();
    const early = this.early.splice(0);
    for (const candidate of early) await this.addCandidate(candidate);
    this.showTracks(connection.getTransceivers());
  }

  /** @param {{candidates?: RTCIceCandidateInit[]}} body */
  async candidates({ candidates = [] }) {
    for (const candidate of candidates) {
      if (this.connection.remoteDescription) await this.addCandidate(candidate);
      else this.early.push(candidate);
    }
  }

  /** @param {RTCIceCandidateInit} candidate */
  async addCandidate(candidate) {
    try {
      await this.connection.addIceCandidate(candidate);
    } catch (error) {
      // Candidates of an offer we ignored belong to nothing of ours.
      if (!this.ignoreOffer && !this.closed) console.warn("peer: a candidate was not taken", error);
    }
  }

  /** @param {RTCIceCandidate | null} candidate */
  gathered(candidate) {
    if (candidate?.candidate) this.found.candidates += 1;
    if (candidate?.candidate?.includes(" relay ")) this.found.relays += 1;
    if (candidate === null) this.judgeSoonIfRefused();
    this.batch.push(candidate ? candidate.toJSON() : { candidate: "", sdpMid: "0", sdpMLineIndex: 0 });
    if (this.batch.length > 1) return;
    setTimeout(() => {
      if (!this.closed) this.options.send("candidate", { candidates: this.batch.splice(0) });
    }, BATCH_MS);
  }

  // -- what they send -----------------------------------------------------------------------------------------------------

  /** @param {RTCRtpTransceiver[]} transceivers */
  showTracks(transceivers) {
    for (const transceiver of transceivers) {
      const source = transceiver.mid === null ? undefined : this.theirSources[transceiver.mid];
      const receives = transceiver.currentDirection === "recvonly" || transceiver.currentDirection === "sendrecv";
      const track = transceiver.receiver.track;
      if (source && receives && this.tracks.get(source) !== track) {
        this.tracks.set(source, track);
        this.options.onTrack(track, source);
      }
    }
    const live = new Set(Object.values(this.theirSources));
    for (const source of [...this.tracks.keys()]) {
      if (live.has(source)) continue;
      this.tracks.delete(source);
      this.options.onTrackEnded(source);
    }
  }

  // -- the path -------------------------------------------------------------------------------------------------------------

  changed() {
    if (this.closed) return;
    const { connectionState, iceConnectionState } = this.connection;
    if (connectionState === "connected") {
      this.connectedMs ??= Date.now() - this.begun;
      this.restarts = 0;
      clearTimeout(this.watchdog);
      clearTimeout(this.restarting);
      this.watchdog = undefined;
      this.restarting = undefined;
      this.become("connected");
    } else if (connectionState === "failed" || iceConnectionState === "failed" || iceConnectionState === "disconnected") {
      this.become(this.state === "no-path" ? "no-path" : "interrupted");
      if (this.watchdog === undefined) this.watch();
      this.restartSoon(iceConnectionState === "disconnected" ? 1500 : 0);
    } else if (connectionState === "connecting" && this.state === "new") {
      this.become("connecting");
    }
  }

  /** They have begun an attempt: ours would only cut it short. */
  giveTime() {
    if (this.closed || this.connection.connectionState === "connected") return;
    clearTimeout(this.restarting);
    this.restarting = undefined;
    this.watch();
  }

  /** Our own verdict: the browser's comes late or never. */
  watch() {
    clearTimeout(this.watchdog);
    this.attemptBegan = Date.now();
    this.watchdog = setTimeout(() => this.judge(), this.options.isHopeless && this.restarts === 0 ? REFUSED_MS : WATCHDOG_MS);
  }

  /** Every server has said no, and there may be no candidate at all: no need to wait for silence. */
  judgeSoonIfRefused() {
    const { candidates, relays, refusals } = this.found;
    const isRefused = this.connection.iceGatheringState === "complete" && relays === 0 && (candidates === 0 || refusals > 0);
    if (!isRefused || this.closed || !this.connection.remoteDescription || this.connection.connectionState === "connected") return;
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => this.judge(), REFUSED_MS);
  }

  judge() {
    if (this.closed || this.connection.connectionState === "connected") return;
    this.become("no-path");
    const tried = Date.now() - (this.attemptBegan ?? 0);
    if (this.connection.iceGatheringState === "gathering" && tried < GATHERING_MS) this.watchdog = setTimeout(() => this.judge(), 1000);
    else this.restartSoon(0);
  }

  /**
   * One side restarts, so that the two do not cross each other's attempts; the other only when that brought nothing.
   * With a recorder, always we.
   *
   * @param {number} patienceMs  a path that stutters often comes back by itself
   */
  restartSoon(patienceMs) {
    if (this.closed || this.restarting !== undefined) return;
    const turn = this.polite && !this.options.toRecorder ? POLITE_MS : 0;
    const wait = turn + Math.max(patienceMs, this.restarts === 0 ? 0 : backoffMs(this.restarts, { firstMs: 1000, mostMs: 15000 }));
    this.restarting = setTimeout(() => {
      this.restarting = undefined;
      if (this.closed || this.connection.connectionState === "connected") return;
      this.restarts += 1;
      if (this.options.toRecorder) this.renew();
      else this.connection.restartIce();
      this.watch();
    }, wait);
  }

  /** A recorder answers a new connection rather than a restart of the old one. */
  renew() {
    const sent = [...this.sending].map(([source, transceiver]) => /** @type {const} */ ([source, transceiver.sender.track]));
    this.connection.close();
    this.sending.clear();
    this.early = [];
    // What a closed connection was doing never ends (WebRTC 1.0 section 4.4.1.2): wait for none of it.
    this.inbox = Promise.resolve();
    this.settingRemoteAnswer = false;
    this.makingOffer = false;
    this.connection = this.connect();
    for (const [source, track] of sent) void this.setTrack(source, track);
  }

  /** The path may be dead: look for one at once. What still flows goes on until there is a better one. */
  lookAgain() {
    if (this.closed || this.connection.connectionState === "new") return;
    if (!this.options.toRecorder) this.connection.restartIce();
    else if (this.connection.connectionState !== "connected") this.renew();
  }

  /**
   * Other STUN and TURN servers, or new credentials for them: used from the next restart on.
   *
   * @param {RTCConfiguration} configuration
   */
  configure(configuration) {
    this.options.configuration = configuration;
    if (!this.closed) this.connection.setConfiguration(configuration);
  }

  /** @param {PeerState} state */
  become(state) {
    if (state === this.state) return;
    this.state = state;
    this.options.onState(state);
  }

  close() {
    this.closed = true;
    clearTimeout(this.watchdog);
    clearTimeout(this.restarting);
    this.connection.close();
  }
}
