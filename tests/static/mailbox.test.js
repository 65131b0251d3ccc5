import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";

import { Mailbox } from "../../static/call/mailbox.js";

// Node 18 has it, but not where a browser has it.
globalThis.crypto ??= webcrypto;

/** A server that behaves: numbers, acknowledges, holds nothing; each answer can be lost on its way. */
class FakeServer {
  constructor() {
    this.mailbox = [];
    this.sent = [];
    this.requests = [];
    this.losses = [];
    this.answers = [];
    this.waiting = null;
    this.fetch = (url, options) => this.answer(url, options);
  }

  deliver(kind, body = {}) {
    this.mailbox.push({ seq: this.mailbox.length + 1, from: "pother", kind, body });
    this.waiting?.();
  }

  async answer(url, { method, body, signal }) {
    this.requests.push({ method, url, body: body && JSON.parse(body) });
    const prepared = this.answers.shift();
    if (prepared) return typeof prepared === "function" ? prepared() : prepared;
    return method === "POST" ? this.take(JSON.parse(body)) : this.poll(new URL(url, "http://x"), signal);
  }

  take({ messages }) {
    const expected = this.sent.length + 1;
    if (messages[0].n > expected) return json({ type: "/problems/number-skipped", status: 409, expected }, 409);
    if (messages.some(({ to, n }) => to === this.refuses && n > this.sent.length)) {
      return json({ type: "/problems/no-such-recipient", status: 404 }, 404);
    }
    for (const message of messages) if (message.n === this.sent.length + 1) this.sent.push(message);
    if (this.losses.shift()) throw new TypeError("the answer was lost");
    return json({ n: messages.at(-1).n });
  }

  async poll(url, signal) {
    const after = Number(url.searchParams.get("after"));
    while (this.mailbox.length <= after) {
      await new Promise((resolve, reject) => {
        this.waiting = resolve;
        signal.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
      });
    }
    const messages = this.mailbox.slice(after);
    if (this.losses.shift()) throw new TypeError("the answer was lost");
    return json({ messages, wait_s: 25 });
  }
}

const json = (value, status = 200, headers = {}) => new Response(JSON.stringify(value), { status, headers });

function open(server, options = {}) {
  const messages = [];
  const states = [];
  const arrivals = [];
  const mailbox = new Mailbox({
    token: "pt_x",
    waitS: 25,
    onMessage: (message) => {
      messages.push(message);
      arrivals.forEach((arrival) => arrival());
    },
    onState: (state) => {
      states.push(state);
      arrivals.forEach((arrival) => arrival());
    },
    fetch: server.fetch,
    pause: () => new Promise((resolve) => setImmediate(resolve)),
    ...options,
  });
  /** Waits for a fact, looked at whenever something arrives. */
  const until = (fact) =>
    new Promise((resolve, reject) => {
      const timer = setInterval(look, 1);
      const limit = setTimeout(() => done(() => reject(new Error(`never: ${fact}`))), 5000);
      function look() {
        if (fact()) done(resolve);
      }
      function done(end) {
        clearInterval(timer);
        clearTimeout(limit);
        end();
      }
      arrivals.push(look);
      look();
    });
  return { mailbox, messages, states, until };
}

test("messages arrive once and in order although answers are lost", async (t) => {
  const server = new FakeServer();
  server.losses = [true, false, true, true];
  const { mailbox, messages, until } = open(server);
  t.after(() => mailbox.stop());

  mailbox.start();
  for (const kind of ["a", "b", "c"]) server.deliver(kind);

  await until(() => messages.length === 3);
  assert.deepEqual(messages.map(({ seq }) => seq), [1, 2, 3]);
});

test("what is sent arrives once and in order although answers are lost", async (t) => {
  const server = new FakeServer();
  server.losses = [true, true, false];
  const { mailbox, until } = open(server);
  t.after(() => mailbox.stop());

  mailbox.send("pother", "offer", { sdp: "1" });
  mailbox.send("pother", "candidate", { sdp: "2" });

  await until(() => server.sent.length === 2 && mailbox.outgoing.length === 0);
  assert.deepEqual(server.sent.map(({ n, kind }) => [n, kind]), [[1, "offer"], [2, "candidate"]]);
  assert.ok(server.requests.every(({ body }) => body.messages[0].n === 1), "a repeated POST keeps its numbers");
});

test("what was sent is known by the number the server names, though another message before it was refused", async (t) => {
  const server = new FakeServer();
  server.refuses = "pgone";
  const { mailbox, until } = open(server);
  t.after(() => mailbox.stop());

  mailbox.send("pgone", "chat", { id: "one" });
  mailbox.send("pother", "chat", { id: "two" });
  mailbox.send("*", "state", {});

  await until(() => server.sent.length === 2);
  assert.equal(mailbox.sentAs(1, "pother")?.body.id, "two");
  assert.equal(mailbox.sentAs(2, "pother")?.kind, "state");
  assert.equal(mailbox.sentAs(1, "pgone"), undefined);
  assert.equal(mailbox.sentAs(9, "pother"), undefined);
});

test("everything said in one turn goes in one request", async (t) => {
  const server = new FakeServer();
  const { mailbox, until } = open(server);
  t.after(() => mailbox.stop());

  for (let i = 0; i < 5; i += 1) mailbox.send("pother", "candidate", {});

  await until(() => server.sent.length === 5);
  assert.equal(server.requests.length, 1);
});

test("each poll has a nonce of its own and acknowledges what was taken", async (t) => {
  const server = new FakeServer();
  const { mailbox, messages, until } = open(server);
  t.after(() => mailbox.stop());
  mailbox.start();
  server.deliver("a");
  await until(() => messages.length === 1);
  server.deliver("b");
  await until(() => messages.length === 2);

  const polls = server.requests.filter(({ method }) => method === "GET").map(({ url }) => new URL(url, "http://x").searchParams);

  assert.deepEqual(polls.slice(0, 2).map((query) => query.get("after")), ["0", "1"]);
  assert.equal(new Set(polls.map((query) => query.get("nonce"))).size, polls.length);
});

test("a newer poll in another tab ends this one", async () => {
  const server = new FakeServer();
  server.answers = [json({ type: "/problems/replaced", status: 409 }, 409)];
  const { mailbox, states, until } = open(server);

  mailbox.start();

  await until(() => states.includes("replaced"));
  await mailbox.polling;
  assert.equal(server.requests.length, 1);
});

test("who was forgotten by the server is told so", async () => {
  const server = new FakeServer();
  server.answers = [json({ type: "/problems/participant-gone", status: 410 }, 410)];
  const { mailbox, states, until } = open(server);

  mailbox.start();

  await until(() => states.includes("gone"));
});

test("a page of the proxy's in place of an answer is a network that is away, and is tried again", async (t) => {
  const server = new FakeServer();
  server.answers = [new Response("<html>Access denied</html>", { status: 200 }), new Response("Bad gateway", { status: 502 })];
  const { mailbox, messages, states, until } = open(server);
  t.after(() => mailbox.stop());
  server.deliver("a");

  mailbox.start();

  await until(() => messages.length === 1);
  assert.deepEqual(states, ["reconnecting", "connected"]);
});

test("a server that restarts is asked again", async (t) => {
  const server = new FakeServer();
  server.answers = [json({ messages: [], wait_s: 25, reconnect: true })];
  const { mailbox, messages, until } = open(server);
  t.after(() => mailbox.stop());
  server.deliver("a");

  mailbox.start();

  await until(() => messages.length === 1);
});

test("what the server has seen of this network shortens the next poll", async (t) => {
  const server = new FakeServer();
  server.answers = [json({ messages: [], wait_s: 8, cut_s: 10 })];
  const { mailbox, messages, until } = open(server);
  t.after(() => mailbox.stop());
  server.deliver("a");

  mailbox.start();
  await until(() => messages.length === 1);

  assert.match(server.requests[1].url, /wait_s=8/);
});

test("where no request may hang, polls are short and pause in between", async (t) => {
  const server = new FakeServer();
  server.answers = Array.from({ length: 3 }, () => json({ messages: [], wait_s: 25 }));
  const { asked, pause } = pauses();
  const { mailbox, messages, until } = open(server, { pause, remembered: { cutS: 2 } });
  t.after(() => mailbox.stop());
  server.deliver("a");

  mailbox.start();

  await until(() => messages.length === 1);
  assert.ok(server.requests.every(({ url }) => url.includes("wait_s=0&")));
  assert.deepEqual(asked, [700, 700, 700]);
});

test("on another network what was learnt of the old one is forgotten", async (t) => {
  const server = new FakeServer();
  const { mailbox, until } = open(server, { remembered: { cutS: 10 } });
  t.after(() => mailbox.stop());
  mailbox.start();
  await until(() => server.requests.length === 1);

  mailbox.profile.forget();
  mailbox.askAgain();

  await until(() => server.requests.length === 2);
  assert.deepEqual(server.requests.map(({ url }) => new URL(url, "http://x").searchParams.get("wait_s")), ["8", "25"]);
});

test("a message the server refuses is left out, and only that one", async (t) => {
  const server = new FakeServer();
  server.refuses = "pgone";
  const { mailbox, until } = open(server);
  t.after(() => mailbox.stop());

  for (const to of ["pa", "pb", "pgone", "pc"]) mailbox.send(to, "offer", {});

  await until(() => server.sent.length === 3);
  assert.deepEqual(server.sent.map(({ n, to }) => [n, to]), [[1, "pa"], [2, "pb"], [3, "pc"]]);
});

test("a refusal after a lost answer drops nothing that was accepted", async (t) => {
  const server = new FakeServer();
  server.refuses = "pgone";
  server.losses = [true];
  const { mailbox, until } = open(server);
  t.after(() => mailbox.stop());

  mailbox.send("pa", "offer", {});
  await Promise.resolve();
  for (const to of ["pgone", "pb"]) mailbox.send(to, "offer", {});

  await until(() => server.sent.length === 2 && mailbox.outgoing.length === 0);
  assert.deepEqual(server.sent.map(({ n, to }) => [n, to]), [[1, "pa"], [2, "pb"]]);
});

/** A pause that says how long it would have been. */
function pauses() {
  const asked = [];
  const pause = (ms) => {
    asked.push(ms);
    return new Promise((resolve) => setImmediate(resolve));
  };
  return { asked, pause };
}

test("an answer a proxy repeats shows nobody a message twice", async (t) => {
  const server = new FakeServer();
  const first = { seq: 1, from: "pother", kind: "a", body: {} };
  server.answers = [json({ messages: [first] }), json({ messages: [first, { ...first, seq: 2, kind: "b" }] })];
  const { mailbox, messages, until } = open(server);
  t.after(() => mailbox.stop());

  mailbox.start();

  await until(() => messages.length >= 2);
  assert.deepEqual(messages.map(({ kind }) => kind), ["a", "b"]);
});

test("a message that cannot be taken in does not keep back the next", async (t) => {
  t.mock.method(console, "error", () => undefined);
  const server = new FakeServer();
  const taken = [];
  const { mailbox, until } = open(server, {
    onMessage: ({ kind }) => {
      if (kind === "bad") throw new Error("cannot be taken in");
      taken.push(kind);
    },
  });
  t.after(() => mailbox.stop());
  for (const kind of ["bad", "good"]) server.deliver(kind);

  mailbox.start();

  await until(() => taken.length === 1);
  assert.equal(mailbox.after, 2);
});

for (const status of [429, 503]) {
  test(`a poll that is answered ${status} is not repeated sooner than it asks for`, async (t) => {
    const server = new FakeServer();
    server.answers = [json({ type: "/problems/too-often", status }, status, { "Retry-After": "7" })];
    const { asked, pause } = pauses();
    const { mailbox, messages, until } = open(server, { pause });
    t.after(() => mailbox.stop());
    server.deliver("a");

    mailbox.start();

    await until(() => messages.length === 1);
    assert.deepEqual(asked, [7000]);
  });

  test(`what is answered ${status} is sent again under its number, when the server asked for it`, async (t) => {
    const server = new FakeServer();
    server.answers = [json({ type: "/problems/mailbox-full", status }, status, { "Retry-After": "7" })];
    const { asked, pause } = pauses();
    const { mailbox, until } = open(server, { pause });
    t.after(() => mailbox.stop());

    mailbox.send("pother", "offer", {});

    await until(() => server.sent.length === 1);
    assert.deepEqual(asked, [7000]);
    assert.deepEqual(server.requests.map(({ body }) => body.messages[0].n), [1, 1]);
  });
}

test("a server that restarts is not met by everybody at once", async (t) => {
  const server = new FakeServer();
  server.answers = Array.from({ length: 20 }, () => json({ messages: [], reconnect: true }));
  const { asked, pause } = pauses();
  const { mailbox, states, until } = open(server, { pause });
  t.after(() => mailbox.stop());

  mailbox.start();

  await until(() => server.requests.length === 21);
  assert.ok(asked.every((ms) => ms >= 0 && ms <= 1000));
  assert.ok(new Set(asked).size > 10, "each waits a time of its own");
  assert.deepEqual(states, ["connected"]);
});

test("who sends under a number the server does not expect goes on with the one it does", async (t) => {
  const server = new FakeServer();
  const { mailbox, until } = open(server);
  t.after(() => mailbox.stop());
  mailbox.sentN = 4;

  for (const kind of ["offer", "candidate"]) mailbox.send("pother", kind, {});
  await until(() => server.sent.length === 2 && mailbox.outgoing.length === 0);
  mailbox.send("pother", "state", {});
  await until(() => server.sent.length === 3);

  assert.deepEqual(server.sent.map(({ n, kind }) => [n, kind]), [[1, "offer"], [2, "candidate"], [3, "state"]]);
});

test("more than one request holds arrives in order", async (t) => {
  const server = new FakeServer();
  const { mailbox, until } = open(server);
  t.after(() => mailbox.stop());

  for (let i = 0; i < 100; i += 1) mailbox.send("pother", "candidate", { i });

  await until(() => server.sent.length === 100);
  assert.deepEqual(server.sent.map(({ body }) => body.i), Array.from({ length: 100 }, (_, i) => i));
});

test("a mailbox that is stopped asks nothing and sends nothing more", async () => {
  const server = new FakeServer();
  const { mailbox, states, until } = open(server);
  mailbox.start();
  await until(() => server.requests.length === 1);

  mailbox.stop();
  await mailbox.polling;
  mailbox.send("pother", "offer", {});
  server.deliver("a");
  await new Promise((resolve) => setImmediate(resolve));

  assert.equal(server.requests.length, 1);
  assert.deepEqual(states, []);
});

test("a poll that hangs on a network that is gone is dropped for a new one", async (t) => {
  const server = new FakeServer();
  server.answers = [() => new Promise(() => undefined)];
  const hanging = server.fetch;
  server.fetch = (url, options) =>
    Promise.race([hanging(url, options), new Promise((_, reject) => options.signal.addEventListener("abort", () => reject(options.signal.reason)))]);
  const { mailbox, messages, states, until } = open(server);
  t.after(() => mailbox.stop());
  server.deliver("a");
  mailbox.start();
  await until(() => server.requests.length === 1);

  mailbox.askAgain();

  await until(() => messages.length === 1);
  assert.deepEqual(states, ["connected"]);
});
