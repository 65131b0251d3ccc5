// A double that behaves: two ends of a data channel (W3C WebRTC 1.0 section 6), that carry a message a turn of the loop, and end where told.

class End {
  constructor(label) {
    this.label = label;
    this.readyState = "connecting";
    this.bufferedAmount = 0;
    this.bufferedAmountLowThreshold = 0;
    this.most = 0;
    this.queue = [];
    this.onopen = this.onmessage = this.onclose = this.onbufferedamountlow = null;
  }

  send(data) {
    if (this.readyState !== "open") throw new Error("InvalidStateError");
    const message = typeof data === "string" ? data : data.slice().buffer;
    this.queue.push(message);
    this.bufferedAmount += sizeOf(message);
    this.most = Math.max(this.most, this.bufferedAmount);
    this.carry();
  }

  carry() {
    if (this.carrying) return;
    this.carrying = true;
    setImmediate(() => {
      this.carrying = false;
      if (this.readyState === "closed" || this.queue.length === 0) return;
      const message = this.queue.shift();
      const before = this.bufferedAmount;
      this.bufferedAmount -= sizeOf(message);
      const { bufferedAmountLowThreshold: low } = this;
      this.deliver(message);
      if (before > low && this.bufferedAmount <= low) this.onbufferedamountlow?.({});
      if (this.queue.length > 0) this.carry();
    });
  }

  deliver(message) {
    const { other } = this;
    if (this.cutAfter !== undefined && (this.cutAfter -= sizeOf(message)) < 0) this.cut();
    else other.onmessage?.({ data: message });
  }

  /** The road is gone: what was on its way is lost, and both ends learn of it. */
  cut() {
    for (const end of [this, this.other]) end.end();
  }

  end() {
    if (this.readyState === "closed") return;
    this.readyState = "closed";
    this.queue = [];
    setImmediate(() => this.onclose?.({}));
  }

  close() {
    if (this.readyState === "closed") return;
    this.readyState = "closed";
    // What was sent before still arrives.
    const rest = this.queue.splice(0);
    setImmediate(() => {
      for (const message of rest) this.other.onmessage?.({ data: message });
      this.other.end();
    });
  }
}

const sizeOf = (message) => (typeof message === "string" ? message.length : message.byteLength);

/** @returns {[End, End]} ours, theirs; open in a turn */
export function channelPair(label) {
  const [ours, theirs] = [new End(label), new End(label)];
  Object.assign(ours, { other: theirs });
  Object.assign(theirs, { other: ours });
  setImmediate(() => {
    for (const end of [ours, theirs]) {
      if (end.readyState !== "connecting") continue;
      end.readyState = "open";
      end.onopen?.({});
    }
  });
  return [ours, theirs];
}
