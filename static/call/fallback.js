// Which road each pair takes: WebRTC where it passes, plain HTTP where it does not, tile by tile; and back, when it passes again.
// The modules of the second road are loaded when the first pair needs them.

/**
 * @typedef {import("./peer.js").Source} Source
 * @typedef {import("./peer.js").Peer} Peer
 * @typedef {import("./room.js").Participant} Participant
 * @typedef {import("./http/over-http.js").OverHttp} OverHttp
 * @typedef {"webrtc" | "asked" | "http" | "unable" | "they-are-unable" | "refused"} Road
 *   asked: WebRTC does not pass, and they have been asked; unable: nor can this browser the other
 */

const LOOK_MS = 200;
/** WebRTC is connected but nothing has come: perhaps they have nothing to show. */
const PATIENCE_MS = 2000;

export class Fallback {
  /** @param {import("./room.js").Room} room */
  constructor(room) {
    this.room = room;
    /** Of those who do not speak by WebRTC. @type {Map<string, Road>} */
    this.roads = new Map();
    /** @type {Promise<OverHttp | null> | undefined} */
    this.loading = undefined;
    /** @type {OverHttp | undefined} */
    this.http = undefined;
    this.isOffered = false;
    /** Messages are taken in one after the other, as they came. */
    this.inbox = Promise.resolve();
  }

  /** @param {string} id */
  isOverHttp(id) {
    return this.roads.get(id) === "http";
  }

  /**
   * Whether what the second road says of somebody is more than what has become of WebRTC: why nothing passes, more than that.
   *
   * @param {string} id
   * @param {import("./peer.js").PeerState} state
   */
  speaksFor(id, state) {
    const road = this.roads.get(id) ?? "asked";
    return road === "http" || (road !== "asked" && state !== "connected");
  }

  /**
   * What has become of WebRTC with somebody.
   *
   * @param {Participant} participant
   * @param {import("./peer.js").PeerState} state
   */
  follow({ id }, state) {
    if (!this.isOffered) return;
    if (state === "no-path" && !this.roads.has(id)) void this.begin(id);
    else if (state === "connected" && this.roads.has(id)) void this.goBack(id);
  }

  /** @param {string} id */
  async begin(id) {
    this.take(id, "asked");
    const http = await this.load();
    if (this.roads.get(id) !== "asked") return;
    if (http) http.begin(id);
    else this.take(id, "unable");
  }

  /** @returns {Promise<OverHttp | null>} null: this browser cannot */
  load() {
    this.loading ??= this.open().catch((error) => {
      console.warn("fallback: no media over HTTP", error);
      return null;
    });
    return this.loading;
  }

  async open() {
    const { OverHttp, isAble } = await import("./http/over-http.js");
    if (!isAble() || !this.room.me) return null;
    const { room } = this;
    const who = (/** @type {string} */ id) => room.participants.get(id);
    const http = await OverHttp.open({
      me: this.room.me.id,
      token: () => room.token,
      tell: (to, kind, body) => room.mailbox?.send(to, kind, body),
      on: {
        track: (id, track, source) => who(id) && room.on.track(/** @type {Participant} */ (who(id)), track, source),
        trackEnded: (id, source) => who(id) && room.on.trackEnded(/** @type {Participant} */ (who(id)), source),
        begun: (id) => this.take(id, "http"),
        channel: (id, channel) => who(id) && room.listen(/** @type {Participant} */ (who(id)), /** @type {any} */ (channel)),
        refused: () => {
          for (const id of this.roads.keys()) this.take(id, "refused");
        },
      },
    });
    this.http = http;
    for (const [source, track] of room.tracks) http.setTrack(source, track);
    return http;
  }

  /**
   * @param {string} id
   * @param {"over-http" | "chunk-key"} kind
   * @param {any} body
   */
  hear(id, kind, body) {
    this.inbox = this.inbox.then(() => this.answer(id, kind, body)).catch((error) => console.warn(`fallback: ${kind} could not be taken in`, error));
  }

  /**
   * @param {string} id
   * @param {"over-http" | "chunk-key"} kind
   * @param {any} body
   */
  async answer(id, kind, body) {
    if (kind === "over-http" && !body?.on) {
      if (body?.why) this.take(id, "they-are-unable");
      else if (this.roads.has(id)) this.return(id);
      return;
    }
    const http = this.isOffered ? await this.load() : null;
    if (!this.room.participants.has(id)) return;
    if (!http) {
      if (kind === "over-http") this.room.mailbox?.send(id, "over-http", { on: false, why: "unable" });
      this.take(id, "unable");
    } else if (kind === "over-http") {
      if (!this.roads.has(id)) this.take(id, "asked");
      await http.met(id, body);
    } else {
      await http.takeKey(id, body);
    }
  }

  /**
   * WebRTC passes after all: as soon as something comes that way, the other is left.
   *
   * @param {string} id
   */
  async goBack(id) {
    const begun = Date.now();
    for (;;) {
      const peer = this.room.peers.get(id);
      if (!peer || peer.state !== "connected" || !this.roads.has(id)) return;
      if ((await hasCome(peer)) || Date.now() - begun > PATIENCE_MS) break;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    this.room.mailbox?.send(id, "over-http", { on: false });
    this.return(id);
  }

  /** @param {string} id */
  return(id) {
    this.roads.delete(id);
    this.http?.end(id);
    this.room.returned(id);
  }

  /**
   * @param {string} id
   * @param {Road} road
   */
  take(id, road) {
    if (this.roads.get(id) === road) return;
    this.roads.set(id, road);
    this.room.took(id, road);
  }

  /** @param {string} id  who has left, or may no longer get anything */
  forget(id) {
    this.roads.delete(id);
    this.http?.end(id);
  }

  /**
   * @param {Source} source
   * @param {MediaStreamTrack | null} track
   */
  setTrack(source, track) {
    this.http?.setTrack(source, track);
  }

  close() {
    this.roads.clear();
    this.http?.close();
    this.http = undefined;
    this.loading = undefined;
  }
}

/** @param {Peer} peer */
async function hasCome(peer) {
  const reports = await peer.connection.getStats();
  return [.../** @type {any} */ (reports).values()].some(({ type, bytesReceived }) => type === "inbound-rtp" && bytesReceived > 0);
}
