/**
 * The rules of the binary protocol, which every store keeps, as those of the meta commands.
 *
 * @module
 */

import type { Rules } from "../rules.ts";
import { changeRules } from "./change.ts";
import { frameRules } from "./frames.ts";
import { getRules } from "./get.ts";
import { storeRules } from "./store.ts";

/** All rules of the binary protocol. */
export const binaryRules: Rules = { ...getRules, ...storeRules, ...changeRules, ...frameRules };
