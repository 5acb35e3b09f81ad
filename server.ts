/** The server: options to a store, a store to commands, commands to listeners. */

import { helpText } from "./lib/cli/help.ts";
import { parseOptions } from "./lib/cli/parse.ts";
import { run } from "./lib/cli/run.ts";
import { serve } from "./lib/server/serve.ts";
import { serverManual, serverOptions } from "./lib/server/options.ts";
import { VERSION } from "./lib/version.ts";

if (import.meta.main) await run("kvs-server", main);

async function main(args: readonly string[]): Promise<number> {
  const { options, rest, ignored } = parseOptions(serverOptions, args);
  if (options.help) {
    console.log(helpText(serverManual, serverOptions).trimEnd());
    return 0;
  }
  if (options.version) {
    console.log(`kvs ${VERSION}`);
    return 0;
  }
  return await serve(options, rest, ignored);
}
