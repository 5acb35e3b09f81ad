/**
 * Request scripts of the meta commands and of the binary protocol: what the rules in `tests/commands` send,
 * but for those that let time pass.
 *
 * @module
 */

import { binaryRules } from "../commands/binary/mod.ts";
import { metaRules } from "../commands/meta/mod.ts";
import type { Rules } from "../commands/rules.ts";

/** Sends, each on a connection of its own, and what kvs answers to them. */
export interface DialectScript {
  readonly sends: readonly string[];
  readonly answers: readonly string[];
}

/** All scripts by name. */
export const dialectScripts: Readonly<Record<string, DialectScript>> = {
  ...scriptsOf("meta", metaRules),
  ...scriptsOf("binary", binaryRules),
};

function scriptsOf(dialect: string, rules: Rules): Record<string, DialectScript> {
  const scripts: Record<string, DialectScript> = {};
  for (const [rule, steps] of Object.entries(rules)) {
    const exchanges = steps.filter((step) => typeof step !== "number");
    if (exchanges.length < steps.length) continue;
    scripts[`${dialect}: ${rule}`] = {
      sends: exchanges.map(([sent]) => sent),
      answers: exchanges.map(([, received]) => received),
    };
  }
  return scripts;
}

/**
 * A reply in which no second shows that may have passed meanwhile. The times to live in the scripts are whole
 * tens of seconds.
 */
export function steady(reply: string): string {
  return reply.replace(/^(HD|VA \d+|ME)( .*)\r$/gm, (_, code, flags) => {
    const calm = (flags as string).replace(/ t(\d+)/, (_, ttl) => ` t${Math.ceil(ttl / 10) * 10}`)
      .replace(/ la=\d+/, " la=N");
    return `${code}${calm}\r`;
  });
}
