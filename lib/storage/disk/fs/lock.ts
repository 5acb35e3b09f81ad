/**
 * One process a data directory: a `flock`, which ends with its process however that ends.
 *
 * @module
 */

import { bytesOf } from "../../../bytes.ts";
import { Exit, ExitError, messageOf } from "../../../errors.ts";

/**
 * Locks a directory.
 *
 * @throws {ExitError} with code 73 if another process has it, naming that process
 */
export function lockDirectory(directory: string): { close(): void } {
  const file = openLock(directory);
  let held: boolean;
  try {
    held = file.tryLockSync(true);
  } catch (error) {
    file.close();
    throw cannotOpen(directory, messageOf(error));
  }
  if (!held) {
    const bytes = new Uint8Array(32);
    const count = file.readSync(bytes) ?? 0;
    const pid = Number.parseInt(new TextDecoder().decode(bytes.subarray(0, count)));
    file.close();
    const holder = Number.isNaN(pid) ? "another process" : `process ${pid}`;
    throw cannotOpen(directory, `it is locked by ${holder}`);
  }
  file.truncateSync(0);
  file.writeSync(bytesOf(`${Deno.pid}\n`));
  return { close: () => file.close() };
}

/** The error that ends a start. */
export function cannotOpen(
  directory: string,
  reason: string,
  code: number = Exit.cannotCreate,
): ExitError {
  return new ExitError(`Cannot open data directory '${directory}': ${reason}`, code);
}

function openLock(directory: string): Deno.FsFile {
  try {
    return Deno.openSync(`${directory}/kvs.lock`, { read: true, write: true, create: true });
  } catch (error) {
    throw cannotOpen(directory, messageOf(error));
  }
}
