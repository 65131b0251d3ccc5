// What the steps mean together: one line for the person, one text for whoever runs the network. Pure.

/** @typedef {import("./steps.js").Step} Step */
/** @typedef {import("./steps.js").StepId} StepId */

/**
 * @typedef {"good" | "relay-tcp" | "relay-443" | "no-relay-set-up" | "no-media" | "credentials" | "no-server" | "insecure"} Verdict
 */

/**
 * @param {Step[]} steps  all of them, ended
 * @returns {{verdict: Verdict, state: "ok" | "warning" | "failed"}}
 */
export function verdictOf(steps) {
  const of = (/** @type {StepId} */ id) => steps.find((step) => step.id === id)?.state;
  const turns = /** @type {const} */ (["turn-udp", "turn-tcp", "turn-443"]);
  if (of("signaling") === "failed") return { verdict: "no-server", state: "failed" };
  if (of("secure") === "failed") return { verdict: "insecure", state: "failed" };
  if (turns.every((id) => of(id) === "skipped")) return { verdict: "no-relay-set-up", state: "warning" };
  if (of("media") !== "ok") {
    const refused = steps.some(({ says, state }) => state === "failed" && says === "credentials");
    return { verdict: refused ? "credentials" : "no-media", state: "failed" };
  }
  if (of("turn-udp") === "ok") return { verdict: "good", state: "ok" };
  return { verdict: of("turn-tcp") === "ok" ? "relay-tcp" : "relay-443", state: "ok" };
}

/**
 * What to ask the administrator for: to be sent as it is.
 *
 * @param {Step[]} steps
 * @param {{t: (key: string, values?: Record<string, string | number>) => string, address: string, browser: string, when: string}} about
 * @returns {string}
 */
export function forAdministrator(steps, { t, address, browser, when }) {
  const tried = steps.flatMap((step) => step.tried);
  const lines = [t("check.admin.title", { address, when }), "", t("check.admin.steps")];
  for (const step of steps) lines.push(`  ${t(`check.state.${step.state}`)}  ${t(`check.${step.id}.title`)}${step.ms === null ? "" : ` (${step.ms} ms)`}`);
  if (tried.length > 0) lines.push("", t("check.admin.tried"));
  for (const { url, ok, code } of tried) lines.push(`  ${url}  ${ok ? t("check.admin.reached") : code ? t("check.admin.code", { code }) : t("check.admin.silent")}`);
  lines.push("", t("check.admin.ask"), `  ${t("check.admin.web", { address })}`);
  for (const host of hostsOf(tried)) lines.push(...wishes(host, tried, t));
  lines.push("", t("check.admin.why"), "", t("check.admin.browser", { browser }));
  return lines.join("\n");
}

/** @param {import("./steps.js").Tried[]} tried */
function hostsOf(tried) {
  return [...new Set(tried.map(({ url }) => hostAndPort(url).host))];
}

/**
 * @param {string} url  RFC 7064, RFC 7065
 * @returns {{host: string, port: string}}
 */
export function hostAndPort(url) {
  const [, scheme = "", host = "", port = ""] = /^(\w+):(\[[^\]]+\]|[^:?]+)(?::(\d+))?/.exec(url) ?? [];
  return { host, port: port || (scheme.endsWith("s") ? "5349" : "3478") };
}

/**
 * @param {string} host
 * @param {import("./steps.js").Tried[]} tried
 * @param {(key: string, values?: Record<string, string | number>) => string} t
 */
function wishes(host, tried, t) {
  const ports = new Map();
  for (const { url } of tried) {
    const found = hostAndPort(url);
    if (found.host !== host) continue;
    const isStream = url.startsWith("turns:") || url.includes("transport=tcp");
    ports.set(`${found.port}/${isStream ? "TCP" : "UDP"}`, found.port === "443");
  }
  return [...ports].map(([port, isBest]) => `  ${t(isBest ? "check.admin.relay-443" : "check.admin.relay", { host, port })}`);
}
