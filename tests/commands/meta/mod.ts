/**
 * The rules of the meta commands, which every store keeps: `tests/commands/meta.test.ts` has the store in
 * memory, and the tests of each other store have the same rules.
 *
 * @module
 */

import type { Rules } from "../rules.ts";
import { arithmeticRules } from "./arithmetic.ts";
import { deleteRules } from "./delete.ts";
import { describeRules, getRules } from "./get.ts";
import { base64Rules, lineRules } from "./lines.ts";
import { setRules } from "./set.ts";
import { staleRules } from "./stale.ts";

/** All rules of the meta commands. */
export const metaRules: Rules = {
  ...getRules,
  ...describeRules,
  ...setRules,
  ...deleteRules,
  ...arithmeticRules,
  ...staleRules,
  ...lineRules,
  ...base64Rules,
};
