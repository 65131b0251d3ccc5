// What went wrong, for people.

import { Refused } from "./api.js";
import { t } from "./text.js";

/** @param {unknown} error  of the server's; what went wrong on the way to it says nothing to a person */
export const wordsOf = (error) => (error instanceof Refused ? error.message : t("server.away.help"));
