/**
 * A server from its command line to its exit code.
 *
 * @module
 */

import { helpText } from "../cli/help.ts";
import { parseOptions } from "../cli/parse.ts";
import { LICENSE } from "../version.ts";
import { configure } from "./configuration.ts";
import { isInBackground, startInBackground } from "./daemon.ts";
import { serverManual, serverOptions } from "./options.ts";
import { serve } from "./serve.ts";
import type { Signals } from "./signals.ts";

/** Answers what only wants an answer, and serves otherwise. Resolves to the exit code. */
export async function main(args: readonly string[], signals: Signals): Promise<number> {
  const { options, rest, ignored } = parseOptions(serverOptions, args);
  if (options.help) {
    console.log(helpText(serverManual, serverOptions).trimEnd());
    return 0;
  }
  if (options.version) {
    console.log(serverManual.title);
    return 0;
  }
  if (options.license) {
    console.log(`${serverManual.title}\n\n${LICENSE.trimEnd()}`);
    return 0;
  }
  const configuration = configure(options);
  if (options.daemon && rest.length === 0 && !isInBackground()) {
    return await startInBackground(args, options.verbose > 0, signals);
  }
  return await serve(configuration, rest, [...ignored, ...configuration.extended.ignored], signals);
}
