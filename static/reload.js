// A page and its scripts that are not of one version, in the middle of a deployment, do not start: load both again, a few times.
// No module: it must run where modules do not.

(() => {
  const KEY = "letterbox.reloads";
  const MOST = 4;
  let hasFailed = false;

  /** @param {Event | ErrorEvent} event  a script that did not come; or one that has not what another wants of it */
  const again = (event) => {
    const isApart = event.target instanceof HTMLScriptElement || /** @type {any} */ (event).error instanceof SyntaxError;
    if (!isApart || hasFailed) return;
    hasFailed = true;
    const count = Number(sessionStorage.getItem(KEY) ?? 0);
    sessionStorage.setItem(KEY, String(count + 1));
    if (count < MOST) setTimeout(() => location.reload(), 500 * 2 ** count);
  };

  // What fails later is no matter of versions.
  addEventListener("error", again, true);
  addEventListener("load", () => {
    removeEventListener("error", again, true);
    if (!hasFailed) sessionStorage.removeItem(KEY);
  });
})();
