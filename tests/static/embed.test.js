import assert from "node:assert/strict";
import { test } from "node:test";

import { Embedding, isAllowed, optionsIn, originOfParent } from "../../static/call/embed.js";
import { secure } from "../../static/call/storage.js";

const OWN = "https://call.example";
const PARENT = "https://intranet.example";
const ana = { id: "pa", name: "Ana", kind: "person", role: "host", joined_at_ms: 1, consent: null };
const ben = { id: "pb", name: "Ben", kind: "person", role: "guest", joined_at_ms: 2, consent: null };

/** A room page in a frame: what it posts to its parent, and a way to say something to it. */
function framed({ search = "?embed=1", allowed = PARENT, ancestors = [PARENT], referrer = "" } = {}) {
  const posted = [];
  let hear = () => undefined;
  const parent = { postMessage: (message, origin) => posted.push([message.event, message.detail, origin]) };
  const page = {
    parent,
    location: { search, origin: OWN, ancestorOrigins: ancestors },
    document: { body: { dataset: { embedOrigins: allowed, roomTitle: "Board" } }, referrer },
    addEventListener: (_name, listener) => (hear = listener),
  };
  const room = {
    id: "room",
    token: "pt_x",
    me: ana,
    participants: new Map(),
    mediaState: { microphone: true, camera: true, screen: false },
    on: { joined: () => undefined, left: () => undefined, recording: () => undefined },
  };
  const done = [];
  const controls = Object.fromEntries(["microphone", "camera", "leave", "chat"].map((name) => [name, () => done.push(name)]));
  const embedding = new Embedding(room, page);
  const say = (command, { origin = PARENT, source = parent } = {}) => hear({ source, origin, data: { target: "letterbox", command } });
  return { embedding, room, posted, done, say, controls, listen: () => embedding.listen(controls) };
}

test("options count only where the address says that the room is embedded", () => {
  assert.equal(optionsIn("?name=Ana&join=now&camera=off").isEmbedded, false);
  assert.deepEqual(
    [optionsIn("?name=Ana&join=now&camera=off").name, optionsIn("?name=Ana&join=now&camera=off").joinsNow],
    ["", false],
  );
  assert.deepEqual(optionsIn("?embed=1&name=%20Ana%20&join=now&camera=off&chat=off&layout=speaker"), {
    isEmbedded: true, name: "Ana", microphone: true, camera: false, chat: false, recording: true, joinsNow: true, layout: "speaker",
  });
});

test("only origins that the server names are spoken to, and our own", () => {
  assert.ok(isAllowed(PARENT, `https://a.example ${PARENT}`, OWN));
  assert.ok(isAllowed(OWN, "", OWN));
  assert.ok(isAllowed("https://anybody.example", "*", OWN));
  assert.ok(!isAllowed("https://evil.example", PARENT, OWN));
  assert.ok(!isAllowed("null", "*", OWN));
  assert.ok(!isAllowed("", "", OWN));
});

test("who holds the frame is said by the browser, else by the referrer", () => {
  assert.equal(originOfParent({ ancestorOrigins: [PARENT, "https://top.example"] }, "https://x.example/"), PARENT);
  assert.equal(originOfParent({}, `${PARENT}/page?x=1`), PARENT);
  assert.equal(originOfParent({}, ""), "");
});

test("the page that holds the frame is told that we are in, who comes, who goes, and what is on", () => {
  const { embedding, room, posted, listen } = framed();
  listen();
  room.on.joined(ben);
  room.participants.set("pb", ben);
  embedding.joined();
  room.on.left(ben, "left");
  room.mediaState = { ...room.mediaState, microphone: false };
  embedding.showed();
  embedding.showed();
  room.on.recording({ state: "recording", by: "Ana", id: "r" });
  embedding.left("closed");

  const person = (one) => ({ id: one.id, name: one.name, kind: "person", role: one.role });
  assert.deepEqual(posted, [
    ["ready", { room: "room", title: "Board" }, PARENT],
    ["joined", { participant: person(ana), participants: [person(ben)] }, PARENT],
    ["muted", { muted: false }, PARENT],
    ["camera", { on: true }, PARENT],
    ["recording", { state: null, by: "" }, PARENT],
    ["participant-left", { participant: person(ben), reason: "left" }, PARENT],
    ["muted", { muted: true }, PARENT],
    ["recording", { state: "recording", by: "Ana" }, PARENT],
    ["left", { reason: "closed" }, PARENT],
  ]);
});

test("a page that is not allowed is told nothing and commands nothing", () => {
  const { embedding, posted, done, say, listen } = framed({ ancestors: ["https://evil.example"] });
  listen();
  embedding.joined();
  say("mute", { origin: "https://evil.example" });

  assert.deepEqual([posted, done], [[], []]);
});

test("commands come from the page that holds the frame, not from another window of its origin", () => {
  const { embedding, done, say, listen } = framed();
  listen();
  embedding.joined();
  say("mute", { source: {} });
  say("mute", { origin: OWN });
  say("no-such-command");
  assert.deepEqual(done, []);

  for (const command of ["mute", "unmute", "camera-off", "camera-on", "chat", "leave"]) say(command);
  // What is so already needs nothing done.
  assert.deepEqual(done, ["microphone", "camera", "chat", "leave"]);
});

test("where the browser does not say who holds the frame, the first allowed word does, and hears what it missed", () => {
  const { embedding, posted, say, listen } = framed({ ancestors: [] });
  listen();
  embedding.joined();
  assert.deepEqual(posted, []);

  say("hello", { origin: "https://evil.example" });
  say("hello");

  assert.deepEqual(posted.map(([event]) => event), ["ready", "joined", "muted", "camera", "recording", "ready"]);
  assert.ok(posted.every(([, , origin]) => origin === PARENT));
});

test("nobody is put into a call by an address alone", () => {
  const search = "?embed=1&name=Ana&join=now";
  assert.equal(framed({ search }).embedding.wish()?.now, true);
  assert.equal(framed({ search, ancestors: ["https://evil.example"] }).embedding.wish()?.now, false);
  assert.equal(framed({ search: "?embed=1&join=now" }).embedding.wish()?.now, false);
  assert.equal(framed({ search: "?name=Ana&join=now" }).embedding.wish(), null);
});

test("where storage is forbidden things are kept for as long as the page is open", () => {
  const page = {};
  Object.defineProperty(page, "localStorage", {
    configurable: true,
    get() {
      throw new DOMException("no", "SecurityError");
    },
  });

  secure("localStorage", page);

  page.localStorage.setItem("name", "Ana");
  assert.equal(page.localStorage.getItem("name"), "Ana");
  page.localStorage.removeItem("name");
  assert.equal(page.localStorage.getItem("name"), null);
});
