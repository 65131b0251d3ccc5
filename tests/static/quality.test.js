import assert from "node:assert/strict";
import { test } from "node:test";

import { limit, stepFor } from "../../static/call/quality.js";

/** A sender of a camera, as far as its parameters go. */
class FakeSender {
  constructor(encodings = [{}]) {
    this.parameters = { encodings };
    this.changes = 0;
  }

  getParameters() {
    return structuredClone(this.parameters);
  }

  async setParameters(parameters) {
    if (this.busy) throw new DOMException("under way", "InvalidStateError");
    this.changes += 1;
    this.parameters = parameters;
  }
}

test("a full room sends no more in all than three megabits a second", () => {
  for (let others = 1; others <= 11; others += 1) assert.ok(others * stepFor(others).bps <= 3_000_000, `${others} others`);
});

test("the picture shrinks with the rate and never grows with a person more", () => {
  const scales = Array.from({ length: 20 }, (_, index) => stepFor(index + 1).scale);

  assert.deepEqual(scales, [...scales].sort((one, other) => one - other));
  assert.equal(scales[0], 1);
});

test("who is alone is ready for one other", () => {
  assert.deepEqual(stepFor(0), stepFor(1));
});

test("each person gets less in a larger call, the recorder the full picture", async () => {
  const [toPerson, toRecorder] = [new FakeSender(), new FakeSender()];

  await limit(toPerson, 8, false);
  await limit(toRecorder, 8, true);

  assert.deepEqual(toPerson.parameters.encodings, [{ maxBitrate: stepFor(8).bps, scaleResolutionDownBy: stepFor(8).scale }]);
  assert.deepEqual(toRecorder.parameters.encodings, [{ maxBitrate: stepFor(1).bps, scaleResolutionDownBy: 1 }]);
});

test("a sender that is as it should be is left alone", async () => {
  const sender = new FakeSender();

  await limit(sender, 3, false);
  await limit(sender, 3, false);

  assert.equal(sender.changes, 1);
});

test("a sender that is being negotiated, or is not there yet, breaks nothing", async () => {
  const busy = Object.assign(new FakeSender(), { busy: true });

  await limit(busy, 3, false);
  await limit(new FakeSender([]), 3, false);
});
