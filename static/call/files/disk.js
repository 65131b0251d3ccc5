// A worker: one file in this site's own storage (OPFS), written as it comes. The only handles that every browser writes with
// are to be had in workers alone.

/** What this worker writes. @type {{file: FileSystemFileHandle, access: any, at: number, folder: FileSystemDirectoryHandle, name: string}} */
const current = /** @type {any} */ ({});

/** @type {Record<string, (message: any) => Promise<unknown> | unknown>} */
const DEEDS = {
  async open({ folders, name }) {
    current.folder = await navigator.storage.getDirectory();
    for (const folder of folders) current.folder = await current.folder.getDirectoryHandle(folder, { create: true });
    current.name = name;
    current.file = await current.folder.getFileHandle(name, { create: true });
    current.access = await /** @type {any} */ (current.file).createSyncAccessHandle();
    current.access.truncate(0);
    current.at = 0;
  },
  write({ bytes }) {
    const wrote = current.access.write(bytes, { at: current.at });
    if (wrote !== bytes.byteLength) throw new Error("the disk took less than it was given");
    current.at += wrote;
  },
  restart() {
    current.access.truncate(0);
    current.at = 0;
  },
  finish() {
    current.access.flush();
    current.access.close();
    return current.file.getFile();
  },
  async discard() {
    current.access.close();
    await current.folder.removeEntry(current.name);
  },
};

onmessage = async ({ data }) => {
  try {
    postMessage({ result: await DEEDS[data.deed](data) });
  } catch (error) {
    postMessage({ error: String(error) });
  }
};

export {};
