/** The client: options to servers, a command to what it prints and its exit code. */

import { parseOptions } from "./lib/cli/parse.ts";
import { run } from "./lib/cli/run.ts";
import { Client } from "./lib/client/client.ts";
import { accessOf } from "./lib/client/commands/access.ts";
import { dropPermissions } from "./lib/client/commands/drop.ts";
import { execute, helpOf } from "./lib/client/commands/execute.ts";
import { clientOptions, type ClientValues } from "./lib/client/commands/options.ts";
import { Exit, ExitError, messageOf } from "./lib/errors.ts";
import { VERSION } from "./lib/version.ts";

if (import.meta.main) await run("kvs-client", main);

async function main(args: readonly string[]): Promise<number> {
  const parsed = parseOptions(clientOptions, args);
  const { options } = parsed;
  if (options.help) {
    console.log(helpOf(parsed.rest[0] === "help" ? parsed.rest[1] : parsed.rest[0]).trimEnd());
    return Exit.ok;
  }
  if (options.version) {
    console.log(`kvs-client ${VERSION}`);
    return Exit.ok;
  }
  return await execute(parsed, (signal) => {
    const client = connect(options, signal);
    // It finds its history in a directory that the environment names, and writes it at its end.
    const [command] = parsed.rest;
    if (command !== "shell") dropPermissions(options.servers, command === "report");
    return client;
  });
}

function connect(options: ClientValues, signal: AbortSignal): Client {
  const { servers, protocol, timeout } = options;
  const access = accessOf(options);
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
