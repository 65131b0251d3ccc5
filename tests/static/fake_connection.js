// Doubles that behave: a browser's RTCPeerConnection as far as negotiation goes (W3C WebRTC 1.0), and a clock turned by hand.

/** Lets everything that waits for a turn of the loop happen. */
export async function settle(turns = 60) {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** setTimeout by hand, from now to the end of the test. */
export class HandClock {
  constructor(t) {
    this.now = 0;
    this.timers = new Map();
    this.last = 0;
    const { setTimeout, clearTimeout } = globalThis;
    t.after(() => Object.assign(globalThis, { setTimeout, clearTimeout }));
    globalThis.setTimeout = (action, ms) => {
      this.timers.set((this.last += 1), { action, at: this.now + ms });
      return this.last;
    };
    globalThis.clearTimeout = (timer) => this.timers.delete(timer);
  }

  async turn(ms) {
    const until = this.now + ms;
    for (;;) {
      const [due] = [...this.timers].filter(([, { at }]) => at <= until).sort(([, one], [, other]) => one.at - other.at);
      if (!due) break;
      this.timers.delete(due[0]);
      this.now = due[1].at;
      due[1].action();
      await settle();
    }
    this.now = until;
  }
}

class Transceiver {
  constructor(connection, track, direction) {
    Object.assign(this, { connection, mid: null, currentDirection: null, wish: direction });
    this.sender = { track, replaceTrack: async (next) => void (this.sender.track = next) };
    this.receiver = { track: { received: true } };
  }

  get direction() {
    return this.wish;
  }

  set direction(wish) {
    this.wish = wish;
    this.connection.needNegotiation();
  }
}

const REVERSE = { sendonly: "recvonly", recvonly: "sendonly", sendrecv: "sendrecv", inactive: "inactive" };
let connections = 0;

export class FakeConnection {
  constructor() {
    this.name = `c${(connections += 1)}`;
    this.signalingState = "stable";
    this.connectionState = "new";
    this.iceConnectionState = "new";
    this.localDescription = null;
    this.remoteDescription = null;
    this.transceivers = [];
    this.taken = [];
    this.generation = 0;
    this.restartsAsked = 0;
    this.offersMade = 0;
    this.network = true;
    this.operations = Promise.resolve();
    this.waiting = 0;
  }

  /** One after the other; what a closed connection was doing is never heard of again (section 4.4.1.2). */
  chain(operation) {
    if (this.closed) return Promise.reject(new DOMException("closed", "InvalidStateError"));
    this.waiting += 1;
    return new Promise((resolve, reject) => {
      this.operations = this.operations.then(async () => {
        await new Promise((turn) => setImmediate(turn));
        const outcome = await operation().then(() => resolve, (error) => () => reject(error));
        this.waiting -= 1;
        if (this.closed) return;
        outcome();
        this.needNegotiation();
      });
    });
  }

  needNegotiation() {
    setImmediate(() => {
      const needed =
        this.restart || (this.channel && !this.channel.offered) || this.transceivers.some((one) => one.mid === null || one.wish !== one.agreed);
      if (this.closed || this.waiting > 0 || this.signalingState !== "stable" || !needed) return;
      this.onnegotiationneeded?.();
    });
  }

  addTransceiver(track, { direction }) {
    const transceiver = new Transceiver(this, track, direction);
    this.transceivers.push(transceiver);
    this.needNegotiation();
    return transceiver;
  }

  getTransceivers() {
    return this.transceivers;
  }

  createDataChannel(label) {
    this.channel = { label, offered: false };
    this.needNegotiation();
    return this.channel;
  }

  setConfiguration(configuration) {
    this.configuration = configuration;
  }

  restartIce() {
    this.restartsAsked += 1;
    this.restart = true;
    this.needNegotiation();
  }

  setLocalDescription() {
    return this.chain(async () => {
      if (this.signalingState === "have-remote-offer") this.answer();
      else this.offer();
      this.gather();
    });
  }

  offer() {
    this.offersMade += 1;
    this.undo = { restart: this.restart, channel: this.channel?.offered, new: this.transceivers.filter(({ mid }) => mid === null) };
    if (this.restart) this.generation += 1;
    this.restart = false;
    if (this.channel) this.channel.offered = true;
    for (const one of this.undo.new) one.mid = String(Math.max(-1, ...this.transceivers.map(({ mid }) => Number(mid ?? -1))) + 1);
    for (const one of this.transceivers) one.agreed = one.wish;
    this.localDescription = this.described("offer", this.transceivers.map(({ mid, wish }) => ({ mid, direction: wish })));
    this.signalingState = "have-local-offer";
  }

  answer() {
    const sections = this.sections().map(({ mid, direction }) => {
      const one = this.transceivers.find((candidate) => candidate.mid === mid);
      one.currentDirection = direction === "inactive" ? "inactive" : REVERSE[direction];
      one.agreed = one.wish;
      return { mid, direction: one.currentDirection };
    });
    this.localDescription = this.described("answer", sections);
    this.signalingState = "stable";
  }

  described(type, sections) {
    return { type, sdp: JSON.stringify({ from: `${this.name}/${this.generation}`, sections, channel: Boolean(this.channel) }) };
  }

  sections() {
    return JSON.parse(this.remoteDescription.sdp).sections;
  }

  setRemoteDescription(description) {
    return this.chain(async () => {
      if (description.type === "answer" && this.signalingState !== "have-local-offer") {
        throw new DOMException(`an answer in ${this.signalingState}`, "InvalidStateError");
      }
      if (description.type === "offer" && this.signalingState === "have-local-offer") this.rollBack();
      this.remoteDescription = description;
      if (description.type === "offer") this.beOffered();
      else this.beAnswered();
    });
  }

  /** Ours never was (section 4.4.1.5, implicit rollback). */
  rollBack() {
    this.restart = this.restart || this.undo.restart;
    if (this.channel) this.channel.offered = this.undo.channel;
    for (const one of this.undo.new) one.mid = null;
  }

  beOffered() {
    this.signalingState = "have-remote-offer";
    const { from } = JSON.parse(this.remoteDescription.sdp);
    // A restart of theirs is one of ours (RFC 8445 section 9).
    if (this.offeredBy && this.offeredBy !== from) this.generation += 1;
    this.offeredBy = from;
    for (const { mid, direction } of this.sections()) {
      if (this.transceivers.some((one) => one.mid === mid)) continue;
      const made = new Transceiver(this, null, REVERSE[direction]);
      made.mid = mid;
      this.transceivers.push(made);
    }
    if (JSON.parse(this.remoteDescription.sdp).channel) {
      if (!this.channel) setImmediate(() => this.ondatachannel?.({ channel: this.channel }));
      this.channel = { label: "chat", offered: true };
    }
  }

  beAnswered() {
    this.signalingState = "stable";
    for (const { mid, direction } of this.sections()) {
      this.transceivers.find((one) => one.mid === mid).currentDirection = REVERSE[direction];
    }
  }

  gather() {
    const from = `${this.name}/${this.generation}`;
    if (this.gathered === from) return;
    this.gathered = from;
    const candidates = ["host", "srflx"].map((kind) => ({ candidate: `${kind} of ${from}`, toJSON: () => ({ candidate: `${kind} of ${from}` }) }));
    setImmediate(() => {
      for (const candidate of [...candidates, null]) if (!this.closed) this.onicecandidate?.({ candidate });
    });
  }

  addIceCandidate({ candidate }) {
    return this.chain(async () => {
      if (!this.remoteDescription) throw new DOMException("no description yet", "InvalidStateError");
      if (!candidate) return;
      const { from } = JSON.parse(this.remoteDescription.sdp);
      if (!candidate.endsWith(` of ${from}`)) throw new DOMException("of another description", "OperationError");
      this.taken.push(candidate);
      if (this.network && this.connectedTo !== from) {
        this.connectedTo = from;
        setImmediate(() => this.becomes("connected"));
      }
    });
  }

  /** The network's doing: "connected", "disconnected" or "failed". */
  becomes(state) {
    if (this.closed) return;
    this.connectionState = state;
    this.iceConnectionState = state;
    this.onconnectionstatechange?.();
  }

  close() {
    this.closed = true;
    this.signalingState = "closed";
    this.connectionState = "closed";
  }
}
