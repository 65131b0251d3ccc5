// The page of the connection check.

import { find } from "../call/dom.js";
import { CheckView } from "./view.js";

void new CheckView(find("#check")).run();
