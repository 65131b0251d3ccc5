import assert from "node:assert/strict";
import { test } from "node:test";

import { safeName } from "../../static/call/files/names.js";
import { Rate } from "../../static/call/files/rate.js";

for (const [given, name] of [
  ["Plan 2027.pdf", "Plan 2027.pdf"],
  ["日本語 🎉.txt", "日本語 🎉.txt"],
  ["../../etc/passwd", "passwd"],
  ["C:\\Windows\\system32\\evil.exe", "evil.exe"],
  ["photo\u202egpj.exe", "photogpj.exe"],
  ["a\u0000b\nc\t.txt", "abc.txt"],
  ["lone \ud800 half.txt", "lone  half.txt"],
  ["what? <b>:*|\".txt", "what b.txt"],
  [".bashrc", "bashrc"],
  ["ends with dots...", "ends with dots"],
  ["CON", "_CON"],
  ["nul.tar.gz", "_nul.tar.gz"],
  ["console.log", "console.log"],
  ["u\u0308ber.txt", "über.txt"],
  ["", "file"],
  ["/", "file"],
  ["..", "file"],
]) {
  test(`a file called ${JSON.stringify(given)} is saved as ${JSON.stringify(name)}`, () => assert.equal(safeName(given), name));
}

test("a very long name is cut to what file systems take, between letters, and keeps its end", () => {
  for (const letter of ["a", "ü", "語", "🎉"]) {
    const name = safeName(`${letter.repeat(2000)}.tar.gz`);

    assert.ok(Buffer.byteLength(name) <= 240 && Buffer.byteLength(name) > 230, `${Buffer.byteLength(name)}`);
    assert.equal(name, `${letter.repeat([...name].length - 7)}.tar.gz`);
  }
});

test("how fast it comes is told by the last seconds, and how long it takes by that", () => {
  const rate = new Rate();
  rate.add(0, 0);
  assert.equal(rate.perSecond(), null);
  for (let second = 1; second <= 10; second += 1) rate.add(second * 1000, second * 1000);
  assert.equal(rate.perSecond(), 1000);

  for (let second = 11; second <= 20; second += 1) rate.add(10_000 + (second - 10) * 3000, second * 1000);

  assert.equal(rate.perSecond(), 3000);
  assert.equal(rate.leftS(70_000), 10);
});

test("what stands still takes for ever, and what begins anew is measured anew", () => {
  const rate = new Rate();
  rate.add(5000, 0);
  rate.add(5000, 10_000);
  assert.equal(rate.perSecond(), 0);
  assert.equal(rate.leftS(9000), null);

  rate.add(0, 11_000);
  rate.add(2000, 12_000);

  assert.equal(rate.perSecond(), 2000);
});
