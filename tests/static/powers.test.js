// Who is shown which buttons of a recording.

import assert from "node:assert/strict";
import test from "node:test";

import { powersOf } from "../../static/call/powers.js";

/**
 * @param {string} id
 * @param {number} joined_at_ms
 * @returns {import("../../static/call/room.js").Participant}
 */
const guest = (id, joined_at_ms) => ({ id, name: id, kind: "person", role: "guest", joined_at_ms });
/** @param {import("../../static/call/room.js").Participant} one */
const asHost = (one) => ({ ...one, role: "host" });
/** @param {import("../../static/call/room.js").Participant} one @returns {import("../../static/call/room.js").Participant} */
const asRecorder = (one) => ({ ...one, kind: "recorder", role: "recorder" });
/** @type {{who_may_record: "host"}} */
const HOST_ONLY = { who_may_record: "host" };

test("the host may do all", () => assert.equal(powersOf(asHost(guest("a", 5)), [guest("b", 1)], HOST_ONLY), "all"));

test("a guest may do nothing while the host is there", () => assert.equal(powersOf(guest("a", 1), [asHost(guest("b", 5))], HOST_ONLY), "none"));

test("everybody may where the room says so", () =>
  assert.equal(powersOf(guest("a", 9), [asHost(guest("b", 5))], { who_may_record: "everyone" }), "all"));

test("when the host has left, who was there longest may stop it", () => {
  assert.equal(powersOf(guest("a", 3), [guest("b", 4), asRecorder(guest("r", 1))], HOST_ONLY), "running");
  assert.equal(powersOf(guest("b", 4), [guest("a", 3)], HOST_ONLY), "none");
});

test("of two who came at the same moment it is one", () => {
  assert.equal(powersOf(guest("a", 3), [guest("b", 3)], HOST_ONLY), "running");
  assert.equal(powersOf(guest("b", 3), [guest("a", 3)], HOST_ONLY), "none");
});

test("before one has joined there is nothing to press", () => assert.equal(powersOf(null, [], HOST_ONLY), "none"));
