/** The generator of workload files: options in, files out. */

import { helpText } from "./lib/cli/help.ts";
import { parseOptions } from "./lib/cli/parse.ts";
import { run } from "./lib/cli/run.ts";
import { Exit } from "./lib/errors.ts";
import { generate, generateManual, generateOptions } from "./lib/load/generate.ts";
import { VERSION } from "./lib/version.ts";

if (import.meta.main) await run("generate", main);

async function main(args: readonly string[]): Promise<number> {
  const { options, rest } = parseOptions(generateOptions, args);
  if (options.help) {
    console.log(helpText(generateManual, generateOptions).trimEnd());
    return Exit.ok;
  }
  if (options.version) {
    console.log(`generate ${VERSION}`);
    return Exit.ok;
  }
  return await generate(options, rest);
}
