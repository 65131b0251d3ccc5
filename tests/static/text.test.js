import assert from "node:assert/strict";
import { test } from "node:test";

const catalogue = { "notice.joined": "{name} is here", "people.count": "{count} of {most}" };
globalThis.document = { getElementById: () => ({ textContent: JSON.stringify(catalogue) }) };
const { duration, size, t } = await import("../../static/call/text.js");

test("a text has its values put in", () => {
  assert.equal(t("notice.joined", { name: "Alice" }), "Alice is here");
  assert.equal(t("people.count", { count: 0, most: 12 }), "0 of 12");
});

test("a name that looks like a placeholder is put in as it is", () => {
  assert.equal(t("notice.joined", { name: "{name} $& {count}" }), "{name} $& {count} is here");
});

test("a text or a value that is missing shows by its name, not as a broken page", () => {
  assert.equal(t("no.such.text"), "no.such.text");
  assert.equal(t("people.count", { count: 2 }), "2 of {most}");
});

test("a file's size is given in the unit in which it is short", () => {
  const sizes = { 0: "0 KB", 1: "1 KB", 1500: "2 KB", 999_499: "999 KB", 1_500_000: "1.5 MB", 2_345_000_000: "2.35 GB" };
  for (const [bytes, text] of Object.entries(sizes)) assert.equal(size(Number(bytes)), text);
});

test("no size has a thousand of its unit", () => {
  assert.equal(size(999_999), "1.0 MB");
  assert.equal(size(999_999_999), "1.00 GB");
});

test("a length is minutes and seconds, with hours where there are any", () => {
  const lengths = { 0: "0:00", 999: "0:01", 61_000: "1:01", 3_599_600: "1:00:00", 3_661_000: "1:01:01", 36_000_000: "10:00:00" };
  for (const [ms, text] of Object.entries(lengths)) assert.equal(duration(Number(ms)), text);
});

test("a clock that runs backwards shows no negative length", () => {
  assert.equal(duration(-5000), "0:00");
});
