import assert from "node:assert/strict";
import { test } from "node:test";

import { Profile } from "../../static/call/profile.js";

test("a network nobody knows is trusted with the server's own hold", () => {
  const profile = new Profile(25);

  assert.deepEqual([profile.holdS, profile.cutS, profile.mode, profile.toRemember], [25, null, "long", null]);
});

test("what cuts a quiet request is stayed below", () => {
  const profile = new Profile(25);

  profile.cut(10.04);

  assert.deepEqual([profile.holdS, profile.cutS], [8, 10]);
});

test("a request that fails at once says nothing of how long one may hang", () => {
  const profile = new Profile(25);

  profile.cut(0.3);

  assert.deepEqual([profile.holdS, profile.cutS], [25, null]);
});

test("one accident is forgiven: after some quiet polls longer ones are tried again", () => {
  const profile = new Profile(25);
  profile.cut(7);

  for (let poll = 0; poll < 3; poll += 1) profile.answered(profile.holdS, true);
  assert.equal(profile.holdS, 25);
  profile.answered(25, true);

  assert.deepEqual([profile.holdS, profile.cutS, profile.toRemember], [25, null, null]);
});

test("a cut seen twice is certain, is not tried again, and is remembered", () => {
  const profile = new Profile(25);
  profile.cut(10);
  for (let poll = 0; poll < 3; poll += 1) profile.answered(profile.holdS, true);

  profile.cut(10.2);
  for (let poll = 0; poll < 20; poll += 1) profile.answered(profile.holdS, true);

  assert.equal(profile.holdS, 8);
  assert.deepEqual(profile.toRemember, { cutS: 10.2, replays: 0, buffers: null });
});

test("a poll that something sent again is learnt from the server", () => {
  const profile = new Profile(25);

  profile.answered(25, true, 10);
  profile.answered(8, true);
  profile.answered(8, false);

  assert.deepEqual([profile.holdS, profile.cutS, profile.replays], [8, 10, 1]);
});

test("where no request may hang, polls are short", () => {
  const profile = new Profile(25);

  profile.cut(2.1);

  assert.deepEqual([profile.holdS, profile.mode], [0, "short"]);
});

test("a network that forgets quiet connections without a word is asked for less", () => {
  const profile = new Profile(25);

  profile.silent();
  assert.equal(profile.holdS, 25);
  profile.silent();

  assert.equal(profile.holdS, 12);
});

test("what is remembered holds from the first poll, and another network is known by a longer hold", () => {
  const profile = new Profile(25, { cutS: 10 });
  assert.deepEqual([profile.holdS, profile.certain], [8, true]);

  profile.forget();

  assert.deepEqual([profile.holdS, profile.cutS], [25, null]);
});
