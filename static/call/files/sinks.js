// Where a file that comes is put: to a place the person chooses, else into this site's own storage, else, up to a limit, into memory.

import { safeName } from "./names.js";

/** @typedef {import("./receiving.js").Sink} Sink */
/** @typedef {import("./wire.js").Offer} Offer */

/** Where there is no storage to write to. A phone's browser closes a page that takes much more. */
export const MOST_IN_MEMORY = 256 * 1024 * 1024;
const FOLDER = "files";
const LOCK = "letterbox.files.";

/** The person has changed their mind. */
export class Dismissed extends Error {}

/** It does not go in. */
export class NoRoom extends Error {
  /**
   * @param {"disk" | "memory"} where
   * @param {number} bytes  that would
   */
  constructor(where, bytes) {
    super(`no room in ${where}`);
    this.where = where;
    this.bytes = bytes;
  }
}

/**
 * To be called in a click: a browser asks for a place only then.
 *
 * @param {Offer} offer
 * @returns {Promise<Sink>}
 * @throws {Dismissed | NoRoom}
 */
export async function sinkFor(offer) {
  return (await chosenPlace(offer)) ?? (await ownStorage(offer)) ?? inMemory(offer);
}

/**
 * @param {Offer} offer
 * @returns {Promise<Sink | null>} null: not in this browser, or not in a frame of another site
 */
async function chosenPlace({ name }) {
  const { showSaveFilePicker } = /** @type {any} */ (globalThis);
  if (!showSaveFilePicker) return null;
  try {
    const handle = await showSaveFilePicker({ suggestedName: safeName(name) });
    return inPlace(handle, await handle.createWritable());
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw new Dismissed();
    return null;
  }
}

/**
 * What is written stands under another name until it is whole.
 *
 * @param {any} handle
 * @param {any} writable
 * @returns {Sink}
 */
function inPlace(handle, writable) {
  return {
    write: (bytes) => writable.write(bytes),
    restart: async () => {
      await writable.truncate(0);
      await writable.seek(0);
    },
    finish: async () => {
      await writable.close();
      return null;
    },
    discard: async () => {
      await writable.abort();
      await handle.remove?.();
    },
  };
}

// -- this site's own storage -----------------------------------------------------------------------------------------------------

/** One folder a tab, and a lock that says that the tab is still there. @type {Promise<string> | undefined} */
let tab;

async function ourFolder() {
  const name = crypto.randomUUID();
  void navigator.locks.request(LOCK + name, () => new Promise(() => undefined));
  const { held = [] } = await navigator.locks.query();
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle(FOLDER, { create: true });
  // Left behind by tabs that are closed.
  for await (const key of /** @type {any} */ (folder).keys()) {
    if (key !== name && !held.some((lock) => lock.name === LOCK + key)) await folder.removeEntry(key, { recursive: true }).catch(() => undefined);
  }
  return name;
}

/**
 * @param {Offer} offer
 * @returns {Promise<Sink | null>} null: the browser has none, or forbids it here
 */
async function ownStorage({ id, size }) {
  try {
    tab ??= ourFolder();
    const folder = await tab;
    const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
    if (size > quota - usage) throw new NoRoom("disk", Math.max(0, quota - usage));
    const disk = new Disk();
    await disk.ask("open", { folders: [FOLDER, folder], name: id });
    return disk;
  } catch (error) {
    if (error instanceof NoRoom) throw error;
    return null;
  }
}

/** @implements {Sink} */
class Disk {
  constructor() {
    this.worker = new Worker(new URL("./disk.js", import.meta.url), { type: "module" });
    /** @type {{resolve: (result: any) => void, reject: (error: unknown) => void}[]} answered in the order asked */
    this.asked = [];
    this.worker.onmessage = ({ data }) => {
      const { resolve, reject } = /** @type {any} */ (this.asked.shift());
      if ("error" in data) reject(new Error(data.error));
      else resolve(data.result);
    };
    this.worker.onerror = () => this.asked.splice(0).forEach(({ reject }) => reject(new Error("no worker")));
  }

  /**
   * @param {string} deed
   * @param {object} [more]
   * @param {Transferable[]} [given]
   * @returns {Promise<any>}
   */
  ask(deed, more = {}, given = []) {
    return new Promise((resolve, reject) => {
      this.asked.push({ resolve, reject });
      this.worker.postMessage({ deed, ...more }, given);
    });
  }

  /** @param {Uint8Array} bytes */
  write(bytes) {
    return this.ask("write", { bytes }, [bytes.buffer]);
  }

  restart() {
    return this.ask("restart");
  }

  async finish() {
    const file = await this.ask("finish");
    this.worker.terminate();
    return file;
  }

  async discard() {
    await this.ask("discard");
    this.worker.terminate();
  }
}

// -- memory ----------------------------------------------------------------------------------------------------------------------

/**
 * @param {Offer} offer
 * @returns {Sink}
 */
function inMemory({ size }) {
  if (size > MOST_IN_MEMORY) throw new NoRoom("memory", MOST_IN_MEMORY);
  /** @type {BlobPart[]} */
  let parts = [];
  const drop = async () => void (parts = []);
  return {
    write: async (bytes) => void parts.push(/** @type {BlobPart} */ (bytes)),
    restart: drop,
    finish: async () => new Blob(parts),
    discard: drop,
  };
}
