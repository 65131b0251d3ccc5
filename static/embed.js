// For the page that shows a Letterbox room: makes the frame, hears its events, gives it commands. Needs nothing else, from
// whatever origin: `import { embed } from "https://call.example/static/embed.js"`. docs/embed.md has a whole page.

/**
 * @typedef {object} Options
 * @property {string} [name]              of the person, in the field before joining
 * @property {"now"} [join]               go in without the look at camera and microphone; needs a name
 * @property {"off"} [camera]             begin without
 * @property {"off"} [microphone]
 * @property {"off"} [chat]               no button, no panel
 * @property {"off"} [recording]          no button to record
 * @property {"grid" | "speaker" | "side-by-side"} [layout]
 * @property {"light" | "dark"} [theme]   else as the browser wants it
 * @property {string} [lang]              else as the browser wants it
 * @property {string} [title]             of the frame, for screen readers
 */

/**
 * @typedef {"ready" | "joined" | "left" | "participant-joined" | "participant-left" | "recording" | "muted" | "camera" | "error"} EventName
 */

/** What a frame may use only if the page that shows it says so (W3C Permissions Policy). */
const ALLOW = "camera; microphone; display-capture; autoplay; fullscreen; picture-in-picture; clipboard-write; screen-wake-lock";

/**
 * Show a room in an element of this page.
 *
 * @param {Element} element
 * @param {string} url        the room's link
 * @param {Options} [options]
 */
export function embed(element, url, { title = "Letterbox", ...options } = {}) {
  const address = new URL(url, document.baseURI);
  address.searchParams.set("embed", "1");
  for (const [name, value] of Object.entries(options)) if (value !== undefined) address.searchParams.set(name, value);
  /** @type {Map<string, Set<(detail: any) => void>>} */
  const listeners = new Map();
  const frame = document.createElement("iframe");
  frame.allow = ALLOW;
  frame.title = title;
  // By it the room knows in every browser who shows it, whatever this page's own policy is.
  frame.referrerPolicy = "origin";
  frame.style.cssText = "display: block; width: 100%; height: 100%; border: 0";
  frame.src = address.href;

  /** @param {MessageEvent} event */
  const hear = ({ source, origin, data }) => {
    if (source !== frame.contentWindow || origin !== address.origin || data?.source !== "letterbox") return;
    for (const listener of listeners.get(data.event) ?? []) listener(data.detail);
  };
  /** @param {string} command */
  const say = (command) => frame.contentWindow?.postMessage({ target: "letterbox", command }, address.origin);
  addEventListener("message", hear);
  element.append(frame);

  return {
    frame,
    /**
     * @param {EventName} event
     * @param {(detail: any) => void} listener  detail: see docs/embed.md
     * @returns {() => void} hear no more
     */
    on(event, listener) {
      const heard = listeners.get(event) ?? new Set();
      listeners.set(event, heard.add(listener));
      return () => void heard.delete(listener);
    },
    mute: () => say("mute"),
    unmute: () => say("unmute"),
    cameraOn: () => say("camera-on"),
    cameraOff: () => say("camera-off"),
    leave: () => say("leave"),
    /** Open the chat, or close it. */
    chat: () => say("chat"),
    /** Take the frame away; whoever is in the call leaves it. */
    remove() {
      removeEventListener("message", hear);
      frame.remove();
    },
  };
}
