// One request to the server, and what can come of it. Knows nothing of rooms or messages.

/**
 * Where the server is: "" for this page's own. To a page of another origin these modules came from the server they talk to.
 *
 * @type {string}
 */
export let server = serverOf(import.meta.url);

/**
 * @param {string} address  of this module
 * @returns {string} the server it came from, "" where that is the page's own
 */
function serverOf(address) {
  const { origin, protocol } = new URL(address);
  return protocol.startsWith("http") && origin !== globalThis.location?.origin ? origin : "";
}

/**
 * Talk to another server than the one these modules came from.
 *
 * @param {string} address  for instance https://call.example
 */
export function useServer(address) {
  server = address.replace(/\/+$/, "");
}

/**
 * Say something that arrives even while the page is being closed; the answer is not seen.
 *
 * @param {string} path
 * @param {object} body
 */
export function farewell(path, body) {
  // To another origin as plain text: JSON would need its leave first, and there is no time for that.
  const type = server ? "text/plain" : "application/json";
  navigator.sendBeacon(`${server}/api/v1${path}`, new Blob([JSON.stringify(body)], { type }));
}

/** @typedef {{type?: string, title?: string, detail?: string, [member: string]: unknown}} Problem */

/** The server said no, in its own words (RFC 9457). */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {Problem} problem
   */
  constructor(status, problem) {
    super(problem.detail || problem.title || `HTTP ${status}`);
    this.name = "Refused";
    this.status = status;
    this.code = (problem.type || "").replace("/problems/", "");
    this.title = problem.title || "";
    this.problem = problem;
  }
}

/** No answer of the server's: the network failed, or something in between answered in its place. */
export class Away extends Error {
  /**
   * @param {string} message
   * @param {number} [status]       of whatever answered
   * @param {number} [retryAfterS]  when it asked to be left alone for so long
   */
  constructor(message, status = 0, retryAfterS = 0) {
    super(message);
    this.name = "Away";
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

/** A proxy may ask for an hour: nobody in a call can wait so long. */
const MOST_RETRY_AFTER_S = 60;

/**
 * @param {string} method  GET or POST: nothing else passes every proxy
 * @param {string} path    below /api/v1
 * @param {{token?: string, body?: object, signal?: AbortSignal, timeoutMs?: number, fetch?: typeof fetch}} [options]
 * @returns {Promise<any>}
 * @throws {Refused | Away}
 */
export async function call(method, path, { token, body, ...how } = {}) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  const { response, content } = await ask(path, { method, headers, body: body && JSON.stringify(body) }, (answer) => answer.text(), how);
  return read(response, content);
}

/**
 * Bytes, and bytes back.
 *
 * @param {string} path  below /api/v1
 * @param {{token: string, body: Uint8Array<ArrayBuffer>, signal?: AbortSignal, timeoutMs?: number, fetch?: typeof fetch}} options
 * @returns {Promise<Uint8Array>}
 * @throws {Refused | Away}
 */
export async function post(path, { token, body, ...how }) {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/octet-stream" };
  const { response, content } = await ask(path, { method: "POST", headers, body }, (answer) => answer.arrayBuffer(), how);
  const isBytes = response.headers.get("Content-Type")?.startsWith("application/octet-stream");
  // Whatever else it is, it is a refusal, or not the server's.
  return response.ok && isBytes ? new Uint8Array(content) : read(response, new TextDecoder().decode(content));
}

/**
 * One request and its whole answer, or Away.
 *
 * @template T
 * @param {string} path
 * @param {RequestInit} request
 * @param {(response: Response) => Promise<T>} contentOf
 * @param {{signal?: AbortSignal, timeoutMs?: number, fetch?: typeof fetch}} how
 * @returns {Promise<{response: Response, content: T}>}
 */
async function ask(path, request, contentOf, { signal, timeoutMs = 15000, fetch = globalThis.fetch }) {
  // A connection that died silently would hang for a minute: we decide when to give up.
  const giver = new AbortController();
  const giveUp = () => giver.abort();
  const timer = setTimeout(giveUp, timeoutMs);
  signal?.addEventListener("abort", giveUp);
  if (signal?.aborted) giveUp();
  try {
    const response = await fetch(`${server}/api/v1${path}`, { ...request, cache: "no-store", credentials: "same-origin", signal: giver.signal });
    return { response, content: await contentOf(response) };
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Away(String(error));
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
  }
}

/**
 * @param {Response} response
 * @param {string} text
 * @returns {any}
 */
function read(response, text) {
  const { status, ok } = response;
  const retryAfterS = Math.min(Number(response.headers.get("Retry-After")) || 0, MOST_RETRY_AFTER_S);
  const value = objectIn(text);
  // The server answers with an object, and refuses with a problem of its own; a proxy that blocks may well speak JSON too.
  const isOurs = ok ? value !== null : String(value?.type).startsWith("/problems/");
  if (value === null || !isOurs) {
    throw new Away("the answer is not the server's: something between it and this page answered", status, retryAfterS);
  }
  if (status === 429 || status >= 500) throw new Away(value.detail || "try again", status, retryAfterS);
  if (!ok) throw new Refused(status, value);
  return value;
}

/**
 * @param {string} text
 * @returns {Problem | null}  null: no object
 */
function objectIn(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
