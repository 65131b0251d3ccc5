// What the recordings page reads and draws.

import assert from "node:assert/strict";
import test from "node:test";

import { linesOf } from "../../static/recordings/chat.js";
import { speedOf, tracksOf } from "../../static/recordings/together.js";
import { millisecondsOf, peopleOf } from "../../static/recordings/versions.js";
import { cueAt, cuesOf, cuesWithin, placeOf } from "../../static/recordings/vtt.js";
import { condensed, pathOfPeaks, pathOfSpans, waveformWithin } from "../../static/recordings/waveform.js";

const CHAPTERS = "WEBVTT\n\n00:00:00.000 --> 00:00:20.000\nBeginning\n\n00:00:20.000 --> 01:02:03.456\na &lt; b &amp; c\n";

test("cues have their times in seconds and their words", () =>
  assert.deepEqual(cuesOf(CHAPTERS), [
    { start: 0, end: 20, text: "Beginning" },
    { start: 20, end: 3723.456, text: "a < b & c" },
  ]));

test("what is no cue is passed over", () => assert.deepEqual(cuesOf("WEBVTT\n\nNOTE nothing\n\n0 --> 1\nbroken"), []));

test("a moment belongs to the cue that began last", () => {
  const cues = cuesOf(CHAPTERS);
  assert.equal(cueAt(cues, 19.9)?.text, "Beginning");
  assert.equal(cueAt(cues, 20)?.text, "a < b & c");
  assert.equal(cueAt(cues, 19.999001)?.text, "a < b & c", "a browser's own rounding is not taken for the time before");
  assert.equal(cueAt([], 5), undefined);
});

test("a thumbnail's place on its sheet", () => {
  assert.deepEqual(placeOf("thumbnails.jpg#xywh=320,90,160,90"), { x: 320, y: 90, width: 160, height: 90 });
  assert.equal(placeOf("Beginning"), null);
});

test("many peaks become few bars, each as high as its loudest", () => {
  assert.deepEqual(condensed([1, 9, 3, 4], 2), [9, 4]);
  assert.deepEqual(condensed([7], 240), [7]);
  assert.deepEqual(condensed([], 240), [0]);
  assert.equal(condensed(Array.from({ length: 36_000 }, () => 5), 240).length, 240);
});

test("bars and blocks are paths", () => {
  assert.equal(pathOfPeaks([255, 0]).split("z").length - 1, 2);
  assert.equal(pathOfSpans([[0, 500]], 1000), "M0.0 0h500.0v10h-500.0z");
});

test("a stretch of a recording has its own time", () => {
  assert.deepEqual(cuesWithin(cuesOf(CHAPTERS), 15, 30), [
    { start: 0, end: 5, text: "Beginning" },
    { start: 5, end: 15, text: "a < b & c" },
  ]);
  const said = [{ at_us: 1e6, participant: "p1", text: "before" }, { at_us: 16e6, participant: "p1", text: "in it" }];
  assert.deepEqual(linesOf(said, new Map([["p1", "Ana"]]), 15, 30), [{ at: 1, name: "Ana", text: "in it" }]);
});

test("a waveform of a stretch: who speaks in it, and of some people no more than that", () => {
  const whole = { version: 1, per_second: 1, peaks: [1, 2, 3, 4], speaking: [
    { participant: "p1", name: "Ana", spans: /** @type {[number, number][]} */ ([[0, 1500], [3500, 4000]]) },
    { participant: "p2", name: "Ben", spans: /** @type {[number, number][]} */ ([[2000, 2500]]) },
  ] };
  const part = waveformWithin(whole, 1, 3, null);
  assert.deepEqual([part.peaks, part.speaking.map(({ spans }) => spans)], [[2, 3], [[[0, 500]], [[1000, 1500]]]]);
  const ben = waveformWithin(whole, 0, 4, ["p2"]);
  assert.deepEqual([ben.peaks, ben.speaking.map(({ name }) => name)], [[0], ["Ben"]]);
});

test("times as people write them", () =>
  assert.deepEqual(["45", "2:03", "1:02:03", " 0:01.5", "0:01,5", "nine", "1:99", ""].map(millisecondsOf), [45000, 123000, 3723000, 1500, 1500, null, null, null]));

test("a person who came twice is one person with two stays", () => {
  const track = (/** @type {string} */ person, /** @type {string} */ participant) => ({ kind: "track", meta: { person, participant } });
  const found = peopleOf(/** @type {any} */ ({ artifacts: [track("Ben", "p3"), track("Ana", "p1"), track("Ana", "p2"), track("Ana", "p1"), { kind: "poster", meta: {} }] }));
  assert.deepEqual([...found], [["Ana", ["p1", "p2"]], ["Ben", ["p3"]]]);
});

test("tracks lie where the manifest says, on the time of the film that is watched", () => {
  const manifest = { participants: [{ id: "p1", name: "Ana" }], tracks: [
    { file: "a.webm", participant: "p1", source: "camera", kind: "video", start_us: 2e6, duration_us: 5e6 },
    { file: "gone.webm", participant: "p1", source: "camera", kind: "video", start_us: 0, duration_us: 9e6 },
    { file: "late.webm", participant: "p1", source: "microphone", kind: "audio", start_us: 8e6, duration_us: 1e6 },
  ] };
  const artifacts = ["a.webm", "late.webm"].map((file) => ({ kind: "track", url: `/${file}`, meta: { file } }));
  const found = tracksOf(manifest, /** @type {any} */ (artifacts), 3, 8);
  assert.deepEqual(found, [{ participant: "p1", name: "Ana", source: "camera", kind: "video", url: "/a.webm", start: -1, end: 4 }]);
});

test("a track that is a little behind is played a little faster, never noticeably", () => {
  assert.equal(speedOf(0, 1.5), 1.5);
  assert.ok(Math.abs(speedOf(0.04, 1) - 1.04) < 1e-9);
  assert.ok(speedOf(0.3, 1) <= 1.08 && speedOf(-0.3, 2) >= 1.84);
});
