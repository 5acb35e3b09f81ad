/**
 * A server from its command line to its exit code.
 *
 * @module
 */

import { configText } from "../cli/config_text.ts";
import { helpText } from "../cli/help.ts";
import { parseOptions, unknownVariables } from "../cli/parse.ts";
import { Exit, ExitError } from "../errors.ts";
import { LICENSE } from "../version.ts";
import { configure } from "./configuration.ts";
import { isInBackground, startInBackground } from "./daemon.ts";
import { inForce } from "./in_force.ts";
import { checkCommandOptions, checkStoreOptions } from "./option_groups.ts";
import { serverManual, serverOptions } from "./options.ts";
import { serve } from "./serve.ts";
import type { Signals } from "./signals.ts";

/** Answers what only wants an answer, and serves otherwise. Resolves to the exit code. */
export async function main(args: readonly string[], signals: Signals): Promise<number> {
  const { options, rest, ignored, origins } = parseOptions(serverOptions, args);
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
  if (rest[0] === "hash-password") {
    if (rest.length > 1) {
      throw new ExitError("hash-password reads the password from standard input", Exit.usage);
    }
    const { hashFromInput } = await import("./access/hash_password.ts");
    console.log(await hashFromInput());
    return Exit.ok;
  }
  const configuration = configure(options);
  checkStoreOptions(configuration.store, origins);
  checkCommandOptions(rest[0], origins);
  for (const line of unknownVariables(serverOptions, variableNames())) {
    console.error(`kvs-server: warning: ${line}`);
  }
  const optionsInForce = () => {
    const { values, origins: from } = inForce(options, configuration, origins);
    return configText(serverOptions, values, from);
  };
  if (rest[0] === "config") {
    if (rest.length > 1) throw new ExitError(`unknown argument '${rest[1]}'`, Exit.usage);
    console.log(optionsInForce());
    return 0;
  }
  if (rest[0] === "report") {
    if (rest.length > 2) throw new ExitError(`unexpected argument '${rest[2]}'`, Exit.usage);
    signals.release();
    const { report } = await import("./report.ts");
    await report(configuration, optionsInForce(), rest[1]);
    return 0;
  }
  if (options.daemon && rest.length === 0 && !isInBackground()) {
    return await startInBackground(args, options.verbose > 0, signals);
  }
  return await serve(configuration, rest, [...ignored, ...configuration.extended.ignored], signals);
}

/** The names in the environment; none where the process may read only those that it knows. */
function variableNames(): string[] {
  try {
    return Object.keys(Deno.env.toObject());
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return [];
    throw error;
  }
}
