// What the recordings page reads and draws.

import assert from "node:assert/strict";
import test from "node:test";

import { cueAt, cuesOf, placeOf } from "../../static/recordings/vtt.js";
import { condensed, pathOfPeaks, pathOfSpans } from "../../static/recordings/waveform.js";

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
