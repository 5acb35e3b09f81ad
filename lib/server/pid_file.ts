/**
 * `-P FILE`: the process id, for whoever stops the server.
 *
 * @module
 */

import { Exit, ExitError, messageOf } from "../errors.ts";

/**
 * Writes the process id. The file appears whole or not at all, as memcached's does.
 *
 * @throws {ExitError} 73 if it cannot be written.
 */
export function writePidFile(path: string): void {
  try {
    Deno.writeTextFileSync(`${path}.tmp`, `${Deno.pid}\n`);
    Deno.renameSync(`${path}.tmp`, path);
  } catch (error) {
    throw new ExitError(`cannot write --pidfile '${path}': ${messageOf(error)}`, Exit.cannotCreate);
  }
}

/** Removes the file. That it cannot be removed is said, and no reason to fail at the end. */
export function removePidFile(path: string, log: (line: string) => void): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    log(`cannot remove --pidfile '${path}': ${messageOf(error)}`);
  }
}
