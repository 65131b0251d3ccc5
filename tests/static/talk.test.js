import assert from "node:assert/strict";
import { test } from "node:test";

import { choose, chosenIn } from "../../static/call/choices.js";
import { piecesOf } from "../../static/call/links.js";
import { Talk } from "../../static/call/talk.js";

const person = (id) => ({ id, name: id.toUpperCase(), kind: "person", role: "guest", joined_at_ms: 0 });

/** Somebody in a call; what they tell others is kept in `told`. */
function talker() {
  const told = [];
  const reactions = [];
  let nowMs = 1_000_000;
  const talk = new Talk({
    tell: (to, body) => told.push({ to, body }),
    onLine: () => undefined,
    onReaction: ({ id }, reaction) => reactions.push([id, reaction]),
    now: () => (nowMs += 1000),
    newId: () => `id${nowMs}`,
  });
  return { talk, told, reactions, texts: () => talk.lines.map(({ text }) => text) };
}

test("what one says goes to everyone and stands among one's own lines", () => {
  const { talk, told, texts } = talker();

  talk.say(person("ana"), "Hello");

  assert.equal(told[0].to, "*");
  assert.equal(told[0].body.text, "Hello");
  assert.deepEqual(texts(), ["Hello"]);
});

test("a late joiner asks the one who is longest here, and sees what was said before, once and in order", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const [old, late] = [talker(), talker()];
  for (const text of ["one", "two", "three"]) old.talk.say(person("ana"), text);
  late.talk.arrive([{ ...person("rec"), kind: "recorder" }, person("ana"), person("ben")]);

  late.talk.canAsk("ben");
  late.talk.canAsk("ana");
  late.talk.take(person("ana"), { text: "three", at_ms: old.talk.lines[2].atMs, id: old.talk.lines[2].id });
  old.talk.take(person("late"), late.told[0].body);
  late.talk.take(person("ana"), old.told.at(-1).body);

  assert.deepEqual(late.told, [{ to: "ana", body: { history: "please" } }]);
  assert.deepEqual(late.texts(), ["one", "two", "three"]);
  assert.deepEqual(late.talk.lines.map(({ isOld }) => isOld), [true, true, false]);
});

test("who does not answer is followed by the next, who leaves at once", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { talk, told } = talker();
  talk.arrive([person("ana"), person("ben"), person("cleo")]);

  talk.canAsk("ana");
  context.mock.timers.tick(4000);
  talk.forget("ben");

  assert.deepEqual(told.map(({ to }) => to), ["ana", "ben", "cleo"]);
});

test("where no channel opens the question goes all the same, when patience ends", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { talk, told } = talker();
  talk.arrive([person("ana")]);

  context.mock.timers.tick(4000);

  assert.deepEqual(told, [{ to: "ana", body: { history: "please" } }]);
});

test("a history nobody was asked for is not believed", () => {
  const { talk, texts } = talker();

  talk.take(person("mallory"), { history: [{ id: "x", name: "Ana", text: "I resign", at_ms: 5 }] });

  assert.deepEqual(texts(), []);
});

test("a history holds only as much as one message may", () => {
  const { talk } = talker();
  for (let index = 0; index < 30; index += 1) talk.say(person("ana"), `${index} ${"ö".repeat(1000)}`);

  const history = talk.history();

  assert.ok(JSON.stringify(history).length < 30_000);
  assert.match(history.at(-1).text, /^29 /);
});

test("what makes no sense is passed over", () => {
  const { talk, texts, reactions } = talker();

  for (const body of [{}, { text: 5 }, { reaction: "<img>" }, { history: [null, 7, { text: {} }] }, { history: 3 }]) talk.take(person("ben"), body);
  talk.take(person("ben"), { text: "x".repeat(10_000), at_ms: "soon" });
  talk.take(person("ben"), { reaction: "👏" });

  assert.deepEqual(texts().map((text) => text.length), [4000]);
  assert.deepEqual(reactions, [["ben", "👏"]]);
});

test("a web address becomes a link without the full stop behind it, and nothing else does", () => {
  assert.deepEqual(piecesOf("See https://a.example/x?y=1. Bye"), [{ text: "See " }, { text: "https://a.example/x?y=1", href: "https://a.example/x?y=1" }, { text: ". Bye" }]);
  assert.deepEqual(piecesOf("(http://b.example)"), [{ text: "(" }, { text: "http://b.example", href: "http://b.example/" }, { text: ")" }]);
  for (const text of ["javascript:alert(1)", "<b>x</b>", "https://", "ftp://x.example"]) assert.deepEqual(piecesOf(text), [{ text }]);
});

test("what was chosen is kept, what makes no sense of it is not believed", () => {
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };

  choose(storage, { audio: "mic1" });
  choose(storage, { noiseSuppression: false });
  assert.deepEqual([chosenIn(storage).audio, chosenIn(storage).noiseSuppression, chosenIn(storage).layout], ["mic1", false, "grid"]);

  storage.setItem("letterbox.devices", '{"audio": 5, "blur": "yes"}');
  assert.deepEqual([chosenIn(storage).audio, chosenIn(storage).blur], ["", false]);
  storage.setItem("letterbox.devices", "{");
  assert.equal(chosenIn(storage).data, "full");
});
