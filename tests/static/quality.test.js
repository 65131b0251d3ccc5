import assert from "node:assert/strict";
import { test } from "node:test";

import { heightStep, limit, planFor, stepFor } from "../../static/call/quality.js";

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

  await limit(toPerson, { others: 8 });
  await limit(toRecorder, { others: 8, toRecorder: true });

  assert.deepEqual(toPerson.parameters.encodings, [{ active: true, maxBitrate: stepFor(8).bps, scaleResolutionDownBy: stepFor(8).scale }]);
  assert.deepEqual(toRecorder.parameters.encodings, [{ active: true, maxBitrate: stepFor(1).bps, scaleResolutionDownBy: 1 }]);
});

test("a sender that is as it should be is left alone", async () => {
  const sender = new FakeSender();

  await limit(sender, { others: 3 });
  await limit(sender, { others: 3 });

  assert.equal(sender.changes, 1);
});

test("a sender that is being negotiated, or is not there yet, breaks nothing", async () => {
  const busy = Object.assign(new FakeSender(), { busy: true });

  await limit(busy, { others: 3 });
  await limit(new FakeSender([]), { others: 3 });
});

test("nobody is sent more than they show, and nothing when they show nothing", () => {
  assert.equal(planFor({ others: 1, shown: 180 }).scale, 4);
  assert.ok(planFor({ others: 1, shown: 180 }).bps < 400_000);
  assert.equal(planFor({ others: 1, shown: 0 }).active, false);
  assert.equal(planFor({ others: 1, shown: 720, camera: 480 }).scale, 1);
  assert.equal(planFor({ others: 5, shown: 720 }).scale, stepFor(5).scale);
});

test("with little data a small picture of few frames is sent, to a recorder as well", () => {
  for (const toRecorder of [false, true]) {
    const plan = planFor({ others: 1, toRecorder, low: true });
    assert.ok(plan.bps <= 120_000 && plan.scale >= 4 && plan.fps === 12 && plan.active, JSON.stringify(plan));
  }
});

test("a recorder is sent the whole picture, whatever anybody shows", () => {
  assert.deepEqual(planFor({ others: 8, toRecorder: true, shown: 0 }), { active: true, bps: stepFor(1).bps, scale: 1, fps: undefined });
});

test("a window that is dragged does not begin a new picture with each pixel", () => {
  assert.deepEqual([0, 100, 190, 300, 390, 600, 2000].map(heightStep), [0, 180, 180, 360, 360, 720, 720]);
});
