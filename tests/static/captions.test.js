import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { Captions } from "../../static/call/captions.js";
import { Dictation } from "../../static/call/dictation.js";

const ana = { id: "pana", name: "Ana", kind: "person" };
const ben = { id: "pben", name: "Ben", kind: "person" };
const writer = { id: "pwriter", name: "Writer", kind: "person" };

/** Somebody who reads captions; what is told to others is kept in `told`. */
function reader() {
  const one = { told: [], shown: [], wanted: [], nowMs: 1_000_000 };
  one.captions = new Captions({
    tell: (to, body, how) => one.told.push({ to, body, how }),
    nameOf: (id) => [ana, ben].find((person) => person.id === id)?.name,
    onChange: (captions) => (one.shown = captions.map(({ name, by, text }) => [by ? `${name}/${by}` : name, text])),
    onWanted: ({ name }) => one.wanted.push(name),
    now: () => one.nowMs,
  });
  return one;
}

test("what somebody says so far stands in one place until it is final, and the next thing stands below", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { captions, ...one } = reader();
  const shown = () => captions.captions.map(({ name, text }) => [name, text]);

  captions.take(ben, { caption: "Good", final: false });
  captions.take(ben, { caption: "Good mor", final: false });
  captions.take(ana, { caption: "Yes?", final: true });
  captions.take(ben, { caption: "Good morning.", final: true });
  captions.take(ben, { caption: "How", final: false });

  assert.deepEqual(shown(), [["Ana", "Yes?"], ["Ben", "Good morning."], ["Ben", "How"]]);
  assert.deepEqual(one.told, []);
});

test("a caption goes when it has stood its time", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const one = reader();
  one.captions.take(ben, { caption: "Good morning.", final: true });

  one.nowMs += 8000;
  context.mock.timers.tick(8000);

  assert.deepEqual(one.shown, []);
});

test("one's own words are shown at once; unfinished ones are told now and then and never by the server", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const one = reader();

  one.captions.say(ana, "I", false);
  one.captions.say(ana, "I am", false);
  one.captions.say(ana, "I am here.", true);
  one.captions.say(ana, "And", false);

  assert.deepEqual(one.shown, [["Ana", "I am here."], ["Ana", "And"]]);
  assert.deepEqual(one.told.map(({ body, how }) => [body.caption, how.onlyDirect]), [["I", true], ["I am here.", false], ["And", true]]);
});

test("a program may write for somebody who is here, and it is said that it did", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const one = reader();

  one.captions.take(writer, { caption: "Hello", final: true, of: "pben" });
  one.captions.take(writer, { caption: "Boo", final: true, of: "pnobody" });
  one.captions.take(writer, { caption: "Boo", final: true, of: { toString: 1 } });

  assert.deepEqual(one.shown, [["Ben/Writer", "Hello"]]);
});

test("what is no caption is left to others, and a very long one is cut", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const one = reader();

  assert.equal(one.captions.take(ben, { text: "a line of chat" }), false);
  assert.equal(one.captions.take(ben, { caption: 7 }), false);
  assert.equal(one.captions.take(ben, { captions: "please" }), true);
  one.captions.take(ben, { captions: "please" });
  one.captions.take(ben, { caption: "x".repeat(10_000), final: true });

  assert.deepEqual(one.wanted, ["Ben"]);
  assert.equal(one.shown[0][1].length, 500);
});

/** A browser's own, in the hands of the test. */
class FakeRecognition {
  static last = null;
  constructor() {
    FakeRecognition.last = this;
    this.calls = [];
  }
  start(track) {
    this.calls.push(track);
  }
  abort() {
    this.calls.push("abort");
  }
  hear(...results) {
    this.onresult({ resultIndex: 0, results: results.map(([transcript, isFinal]) => Object.assign([{ transcript }], { isFinal })) });
  }
}

afterEach(() => delete globalThis.SpeechRecognition);

/** @returns what was heard, and a way to let promises settle */
async function dictating(recognition = FakeRecognition) {
  globalThis.SpeechRecognition = recognition;
  const one = { heard: [], refusals: 0 };
  one.dictation = new Dictation({
    language: "en", onText: (...said) => one.heard.push(said), onRefused: () => (one.refusals += 1),
  });
  one.dictation.follow("microphone");
  await new Promise(setImmediate);
  return one;
}

test("a browser that can writes what the chosen microphone hears, and begins again when it ends by itself", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { heard } = await dictating();
  const { last } = FakeRecognition;

  last.hear(["Good morning.", true], [" How", false], [" are", false]);
  last.onend();
  context.mock.timers.tick(1000);

  assert.deepEqual(heard, [["Good morning.", true], [" How are", false]]);
  assert.deepEqual(last.calls, ["microphone", "microphone"]);
});

test("it stays on the device where the browser can do that", async () => {
  await dictating(class extends FakeRecognition {
    static available = ({ processLocally }) => Promise.resolve(processLocally ? "available" : "unavailable");
  });

  assert.equal(FakeRecognition.last.processLocally, true);
});

test("who is muted is not written down, and a browser that may not is not asked for ever", async () => {
  const one = await dictating();
  const first = FakeRecognition.last;
  one.dictation.follow(undefined);
  assert.deepEqual(first.calls, ["microphone", "abort"]);

  one.dictation.follow("microphone");
  await new Promise(setImmediate);
  FakeRecognition.last.onerror({ error: "no-speech" });
  FakeRecognition.last.onerror({ error: "not-allowed" });
  FakeRecognition.last.onend();

  assert.equal(one.refusals, 1);
  assert.deepEqual(FakeRecognition.last.calls, ["microphone", "abort"]);
});
