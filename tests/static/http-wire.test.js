import assert from "node:assert/strict";
import { test } from "node:test";

import { packFrame, unpackFrame } from "../../static/call/http/frame.js";
import { comparisonCode, newPair, sorted, unwrap, wrap, wrappingKey } from "../../static/call/http/keys.js";
import { epochOf, newSenderKey, seal, senderKey, unseal } from "../../static/call/http/seal.js";
import { pack, unpack, want } from "../../static/call/http/wire.js";

/** An answer as the server writes it (PROTOCOL.md, "Media over plain HTTP"). */
function answer(control, chunks) {
  const text = new TextEncoder().encode(JSON.stringify(control));
  const bytes = [0, 0, 0, 0, text.length, ...text];
  for (const { from, stream, flags, n, sealed } of chunks) {
    bytes.push(2, from.length, ...new TextEncoder().encode(from), stream, flags, 0, 0, n >> 8, n & 255, 0, 0, 0, sealed.length, ...sealed);
  }
  return new Uint8Array(bytes);
}

test("a chunk is written as the protocol says", () => {
  const bytes = pack([{ stream: 1, flags: 1, n: 258, sealed: new Uint8Array([7, 8]) }]);

  assert.deepEqual([...bytes], [1, 1, 1, 0, 0, 1, 2, 0, 0, 0, 2, 7, 8]);
});

test("an answer is read as the server wrote it", () => {
  const control = { streams: { 1: { wanted: true, key: false } }, skipped: {}, full: false };
  const chunk = { from: "p5c2", stream: 0, flags: 2, n: 300, sealed: [1, 2, 3] };

  const read = unpack(answer(control, [chunk, { ...chunk, n: 301 }]));

  assert.deepEqual(read.control, control);
  assert.deepEqual(read.chunks.map(({ from, n, sealed }) => [from, n, [...sealed]]), [["p5c2", 300, [1, 2, 3]], ["p5c2", 301, [1, 2, 3]]]);
});

test("an answer that was cut short is no answer", () => {
  const whole = answer({ streams: {} }, [{ from: "p1", stream: 0, flags: 2, n: 1, sealed: [1, 2, 3] }]);

  for (let length = 0; length < whole.length; length += 1) {
    if (length === whole.length - 17) continue; // the control record alone, which is one
    assert.throws(() => unpack(whole.subarray(0, length)), `cut at ${length}`);
  }
});

test("what is wanted is said in one word per stream", () => {
  const wishes = [{ from: "p1", stream: 0, after: 5 }, { from: "p1", stream: 1, after: 77, key: true, mostKbit: 300.4 }];

  assert.equal(want(wishes), "p1.0.5,p1.1.77k.300");
});

test("a frame comes out as it went in", () => {
  const frame = { kind: 0, isKey: true, timestampUs: 123456789012, durationUs: 40000, wallUs: 1764100000000000, width: 480, height: 270, payload: new Uint8Array([9]) };

  assert.deepEqual(unpackFrame(packFrame(frame)), frame);
});

test("a sealed chunk opens with the key it was sealed with, in its own place only", async () => {
  const key = await newSenderKey(3);
  const place = { stream: 1, flags: 1, n: 7 };

  const sealed = await seal(key, place, new Uint8Array([1, 2, 3]));

  assert.equal(epochOf(sealed), 3);
  assert.deepEqual([...(await unseal(key, place, sealed))], [1, 2, 3]);
  await assert.rejects(unseal(key, { ...place, n: 8 }, sealed));
  await assert.rejects(unseal(key, { ...place, stream: 0 }, sealed));
  await assert.rejects(unseal(await newSenderKey(3), place, sealed));
});

test("two who exchange public points can give each other keys, and a third cannot take them", async () => {
  const [ana, ben, eve] = await Promise.all([newPair(), newPair(), newPair()]);
  const key = await newSenderKey(1);

  const wrapped = await wrap(await wrappingKey(ana, ben.publicPoint), key.raw);

  const opened = await senderKey(1, await unwrap(await wrappingKey(ben, ana.publicPoint), wrapped));
  assert.deepEqual(opened.raw, key.raw);
  await assert.rejects(wrappingKey(eve, ana.publicPoint).then((other) => unwrap(other, wrapped)));
});

test("both sides compute the same code, and not with somebody in between", async () => {
  const [ana, ben, eve] = await Promise.all([newPair(), newPair(), newPair()]);

  const codes = await Promise.all([comparisonCode(ana.publicPoint, ben.publicPoint), comparisonCode(ben.publicPoint, ana.publicPoint)]);
  const swapped = await comparisonCode(ana.publicPoint, eve.publicPoint);

  assert.match(codes[0], /^\d{5} \d{5} \d{5} \d{5}$/);
  assert.equal(codes[0], codes[1]);
  assert.notEqual(codes[0], swapped);
});

test("points are sorted by their bytes", () => {
  assert.deepEqual([...sorted(new Uint8Array([4, 2]), new Uint8Array([4, 1]))], [4, 1, 4, 2]);
  assert.deepEqual([...sorted(new Uint8Array([4, 1]), new Uint8Array([4, 2]))], [4, 1, 4, 2]);
});
