/** The client: options to servers, a command to what it prints and its exit code. */

import { parseOptions } from "./lib/cli/parse.ts";
import { run } from "./lib/cli/run.ts";
import { Client } from "./lib/client/client.ts";
import { accessOf } from "./lib/client/commands/access.ts";
import { dropPermissions } from "./lib/client/commands/drop.ts";
import type { Command } from "./lib/client/commands/command.ts";
import { execute } from "./lib/client/commands/execute.ts";
import { clientOptions, type ClientValues } from "./lib/client/commands/options.ts";
import { commands } from "./lib/client/commands/table.ts";
import { Exit, ExitError, messageOf } from "./lib/errors.ts";
import { VERSION } from "./lib/version.ts";

if (import.meta.main) await run("kvs-client", main);

async function main(args: readonly string[]): Promise<number> {
  // So Deno hands over what is not UTF-8, of which nothing must be stored as what it is not.
  if (args.some((arg) => arg.includes("\ufffd"))) {
    throw new ExitError(
      "an argument is not UTF-8: a VALUE of - is read from standard input, --base64 takes any key",
      Exit.usage,
    );
  }
  const parsed = parseOptions(clientOptions, args);
  const { options } = parsed;
  if (options.version) {
    console.log(`kvs-client ${VERSION}`);
    return Exit.ok;
  }
  return await execute(parsed, (signal, command) => {
    const client = connect(options, signal, command);
    // It finds its history in a directory that the environment names, and writes it at its end.
    if (command !== commands.shell) dropPermissions(options.servers, command === commands.report);
    return client;
  });
}

function connect(options: ClientValues, signal: AbortSignal, { asksNobody }: Command): Client {
  const { servers, protocol, timeout } = options;
  const access = accessOf(options, !asksNobody);
  try {
    return new Client({
      servers,
      protocol,
      timeout,
      signal,
      anyKeys: true,
      ...access,
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ExitError(`--servers: ${messageOf(error)}`, Exit.usage);
  }
}
