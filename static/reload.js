// A page and its scripts that are not of one version, in the middle of a deployment, do not start: load both again, a few times.
// No module: it must run where modules do not.

(() => {
  const KEY = "letterbox.reloads";
  const MOST = 4;
  let hasFailed = false;

  /** @param {Event} event */
  const again = ({ target }) => {
    const isScript = target === window || target instanceof HTMLScriptElement;
    if (!isScript || hasFailed) return;
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
