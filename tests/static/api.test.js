import assert from "node:assert/strict";
import { test } from "node:test";

import { Away, Refused, call, useServer } from "../../static/call/api.js";

const answers = (text, status = 200, headers = {}) => async () => new Response(text, { status, headers });
const problem = { type: "/problems/room-full", title: "This room is full", status: 409, detail: "12 of 12 places are taken." };

/** A network that never answers, and lets go when told to. */
const silence = (_url, { signal }) =>
  new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

test("an answer of the server's is what it says", async () => {
  assert.deepEqual(await call("GET", "/rooms/a", { fetch: answers('{"room": "a"}') }), { room: "a" });
});

test("a refusal carries the server's words and its code", async () => {
  const refused = await call("POST", "/rooms/a/participants", { fetch: answers(JSON.stringify(problem), 409) }).catch((error) => error);

  assert.ok(refused instanceof Refused);
  assert.equal(refused.message, "12 of 12 places are taken.");
  assert.deepEqual([refused.status, refused.code, refused.title], [409, "room-full", "This room is full"]);
});

test("who calls is said in a header and never in the address", async () => {
  let seen;
  const fetch = async (url, options) => {
    seen = { url, ...options };
    return new Response("{}");
  };

  await call("POST", "/messages", { token: "pt_secret", body: { messages: [] }, fetch });

  assert.equal(seen.url, "/api/v1/messages");
  assert.deepEqual(seen.headers, { Authorization: "Bearer pt_secret", "Content-Type": "application/json" });
  assert.equal(seen.body, '{"messages":[]}');
  assert.equal(seen.cache, "no-store");
});

for (const status of [429, 503]) {
  test(`a server that answers ${status} is away for as long as it asks for`, async () => {
    const text = JSON.stringify({ type: "/problems/too-often", title: "Too often", status });

    const away = await call("GET", "/mailbox", { fetch: answers(text, status, { "Retry-After": "7" }) }).catch((error) => error);

    assert.ok(away instanceof Away);
    assert.deepEqual([away.status, away.retryAfterS], [status, 7]);
  });
}

test("what a proxy answers in the server's place is no word of the server's", async (t) => {
  const pages = {
    "a page that looks like success": ["<html>Please log in to the Wi-Fi</html>", 200],
    "a page that forbids": ["<html>Access denied</html>", 403],
    "JSON that forbids": ['{"error": "blocked by policy"}', 403],
    "JSON that is no object": ["null", 502],
    "a list that looks like success": ["[]", 200],
    "a status with nothing": ["", 407],
  };
  for (const [name, [text, status]] of Object.entries(pages)) {
    await t.test(name, async () => {
      const away = await call("GET", "/mailbox", { fetch: answers(text, status) }).catch((error) => error);

      assert.ok(away instanceof Away, String(away));
      assert.equal(away.status, status);
    });
  }
});

test("a network that fails is away", async () => {
  const fetch = async () => {
    throw new TypeError("Failed to fetch");
  };

  await assert.rejects(call("GET", "/mailbox", { fetch }), Away);
});

test("a connection that died silently is given up", async () => {
  await assert.rejects(call("GET", "/mailbox", { fetch: silence, timeoutMs: 5 }), Away);
});

test("who stops a request is not told that the network is away", async () => {
  const stopper = new AbortController();
  const asked = call("GET", "/mailbox", { fetch: silence, signal: stopper.signal });

  stopper.abort();

  await assert.rejects(asked, { name: "AbortError" });
});

test("a browser from before AbortSignal.any and timeout gets through", async (t) => {
  const { any, timeout } = AbortSignal;
  t.after(() => Object.assign(AbortSignal, { any, timeout }));
  Object.assign(AbortSignal, { any: undefined, timeout: undefined });

  assert.deepEqual(await call("GET", "/rooms/a", { fetch: answers("{}") }), {});
});

test("a page of another origin names the server it talks to", async () => {
  let seen = "";
  const fetch = async (url) => {
    seen = url;
    return new Response("{}");
  };

  useServer("https://call.example/");
  await call("GET", "/rooms/a", { fetch });
  useServer("");

  assert.equal(seen, "https://call.example/api/v1/rooms/a");
});
