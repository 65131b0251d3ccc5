import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";

import { Away, Refused } from "../../static/call/api.js";
import { Tabs } from "../../static/call/tabs.js";

// Node 18 has it, but not where a browser has it.
globalThis.crypto ??= webcrypto;

/** Locks and channels as the tabs of one browser have them. */
class Browser {
  constructor() {
    this.queue = [];
    this.holder = null;
    this.channels = [];
  }

  open(server) {
    const tab = {};
    const locks = {
      request: (_name, options, action = options) => {
        if (!this.holder) return this.grant({ tab, action });
        if (options.ifAvailable) return Promise.resolve().then(() => action(null));
        this.queue.push({ tab, action });
        return new Promise(() => undefined);
      },
    };
    const channel = {
      postMessage: (word) => {
        const copy = structuredClone(word);
        for (const other of this.channels) if (other !== channel) setImmediate(() => other.onmessage?.({ data: copy }));
      },
    };
    this.channels.push(channel);
    return Object.assign(tab, { channel, tabs: new Tabs({ locks, channel, fetch: server.fetch }) });
  }

  grant(request) {
    this.holder = request.tab;
    return Promise.resolve().then(() => request.action({}));
  }

  close(tab) {
    this.channels.splice(this.channels.indexOf(tab.channel), 1);
    tab.tabs.round.abort();
    this.holder = null;
    const next = this.queue.shift();
    if (next) this.grant(next);
  }
}

/** Holds every request until the test answers it. */
class Server {
  constructor() {
    this.open = [];
    this.fetch = (url, { method, body, signal, headers }) =>
      new Promise((resolve, reject) => {
        const request = { url, method, body: body && JSON.parse(body), headers, reject };
        request.answer = (value, status = 200) => {
          this.open.splice(this.open.indexOf(request), 1);
          resolve(new Response(JSON.stringify(value), { status }));
        };
        signal.addEventListener("abort", () => {
          if (this.open.includes(request)) this.open.splice(this.open.indexOf(request), 1);
          reject(new DOMException("aborted", "AbortError"));
        });
        this.open.push(request);
      });
  }

  async holds(fact) {
    for (let turn = 0; turn < 3000; turn += 1) {
      if (this.open.length === 1 && fact(this.open[0])) return this.open[0];
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    throw new Error(`never: ${fact}; open: ${JSON.stringify(this.open)}`);
  }
}

const poll = (token, signal = new AbortController().signal) => ({ token, after: 0, waitS: 25, timeoutMs: 30000, signal });
const asksFor = (...tokens) => (request) =>
  request.url.endsWith("/mailboxes") && JSON.stringify(request.body.polls.map(({ token }) => token)) === JSON.stringify(tokens);
const message = { messages: [{ seq: 1, from: "p", kind: "x", body: {} }], wait_s: 25 };

test("one tab alone asks with a plain GET", async () => {
  const server = new Server();
  const { tabs } = new Browser().open(server);

  const answer = tabs.ask(poll("pt_a"));
  const request = await server.holds(({ method }) => method === "GET");
  request.answer(message);

  assert.match(request.url, /\/mailbox\?after=0&wait_s=25&nonce=/);
  assert.deepEqual(await answer, message);
});

test("of two tabs one asks for both, in one request, and each gets its own answer", async () => {
  const server = new Server();
  const browser = new Browser();
  const [first, second] = [browser.open(server), browser.open(server)];

  const answers = [first.tabs.ask(poll("pt_a")), second.tabs.ask(poll("pt_b"))];
  const request = await server.holds(asksFor("pt_a", "pt_b"));
  request.answer({ mailboxes: [null, message] });

  assert.deepEqual(await Promise.all(answers), [{ messages: [], wait_s: 0 }, message]);
});

test("when the tab that asks is closed, another takes over and loses nothing", async (t) => {
  const closing = new AbortController();
  const server = new Server();
  const browser = new Browser();
  const [first, second, third] = [browser.open(server), browser.open(server), browser.open(server)];
  t.after(async () => {
    // A closed tab is gone; this one would ask on.
    closing.abort();
    await new Promise(setImmediate);
    first.tabs.round.abort();
  });
  first.tabs.ask(poll("pt_a", closing.signal)).catch(() => undefined);
  const answers = [second.tabs.ask(poll("pt_b")), third.tabs.ask(poll("pt_c"))];
  await server.holds(asksFor("pt_a", "pt_b", "pt_c"));

  browser.close(first);
  const request = await server.holds(asksFor("pt_b", "pt_c"));
  request.answer({ mailboxes: [message, message] });

  assert.deepEqual(await Promise.all(answers), [message, message]);
});

test("a tab that gives up its poll is asked for no more", async (t) => {
  const closing = new AbortController();
  t.after(() => closing.abort());
  const server = new Server();
  const browser = new Browser();
  const [first, second] = [browser.open(server), browser.open(server)];
  const stopper = new AbortController();
  first.tabs.ask(poll("pt_a", closing.signal)).catch(() => undefined);
  const answer = second.tabs.ask(poll("pt_b", stopper.signal));
  await server.holds(asksFor("pt_a", "pt_b"));

  stopper.abort();

  await assert.rejects(answer);
  await server.holds(({ method, headers }) => method === "GET" && headers.Authorization === "Bearer pt_a");
});

test("who is refused is told so; the other goes on", async () => {
  const server = new Server();
  const browser = new Browser();
  const [first, second] = [browser.open(server), browser.open(server)];
  const answers = [first.tabs.ask(poll("pt_a")), second.tabs.ask(poll("pt_b"))];

  const problem = { type: "/problems/participant-gone", status: 410 };
  (await server.holds(asksFor("pt_a", "pt_b"))).answer({ mailboxes: [message, { problem }] });

  assert.deepEqual(await answers[0], message);
  await assert.rejects(answers[1], (error) => error instanceof Refused && error.code === "participant-gone");
});

test("a network that is away is away for all tabs, with how long it wants to be left alone", async () => {
  const server = new Server();
  const browser = new Browser();
  const [first, second] = [browser.open(server), browser.open(server)];
  const answers = [first.tabs.ask(poll("pt_a")), second.tabs.ask(poll("pt_b"))];

  (await server.holds(asksFor("pt_a", "pt_b"))).answer({ type: "/problems/database-away", status: 503 }, 503);

  for (const answer of answers) await assert.rejects(answer, (error) => error instanceof Away && error.status === 503);
});

test("where the browser refuses locks, who asks is told so and asks alone", async () => {
  const locks = { request: () => Promise.reject(new Error("SecurityError")) };
  const tabs = new Tabs({ locks, channel: { postMessage: () => undefined } });

  await assert.rejects(tabs.known, /SecurityError/);
});
