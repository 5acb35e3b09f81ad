/** The load generator: options to clients, their answers to a report. */

import { helpText } from "./lib/cli/help.ts";
import { parseOptions } from "./lib/cli/parse.ts";
import { run } from "./lib/cli/run.ts";
import { Exit } from "./lib/errors.ts";
import { VERSION } from "./lib/version.ts";
import { multiclient, multiclientManual, multiclientOptions } from "./lib/load/multiclient.ts";

if (import.meta.main) await run("kvs-bench", main);

async function main(args: readonly string[]): Promise<number> {
  const parsed = parseOptions(multiclientOptions, args);
  if (parsed.options.help) {
    console.log(helpText(multiclientManual, multiclientOptions).trimEnd());
    return Exit.ok;
  }
  if (parsed.options.version) {
    console.log(`kvs-bench ${VERSION}`);
    return Exit.ok;
  }
  return await multiclient(parsed);
}
