/**
 * One process a data directory: a `flock`, which ends with its process however that ends.
 *
 * @module
 */

import { bytesOf } from "../../../bytes.ts";
import { Exit, ExitError, messageOf } from "../../../errors.ts";

/** Something that is held until it is closed. */
export interface Held {
  close(): void;
}

const LOCK = "kvs.lock";

/**
 * Locks a directory.
 *
 * @throws {ExitError} with code 73 if another process has it, naming that process
 */
export function lockDirectory(directory: string): Held {
  let file: Deno.FsFile | undefined;
  try {
    file = Deno.openSync(`${directory}/${LOCK}`, { read: true, write: true, create: true });
    if (!file.tryLockSync(true)) {
      const bytes = new Uint8Array(32);
      const count = file.readSync(bytes) ?? 0;
      const pid = Number.parseInt(new TextDecoder().decode(bytes.subarray(0, count)));
      const holder = Number.isNaN(pid) ? "another process" : `process ${pid}`;
      throw cannotOpen(directory, `it is locked by ${holder}`);
    }
  } catch (error) {
    file?.close();
    throw error instanceof ExitError ? error : cannotOpen(directory, messageOf(error));
  }
  try {
    file.truncateSync(0);
    file.writeSync(bytesOf(`${Deno.pid}\n`));
  } catch {
    // On a full disk it is locked all the same, by a process that stays unnamed.
  }
  return file;
}

/** Whether a process has the directory. Changes nothing in it, and holds nobody up. */
export function isDirectoryLocked(directory: string): boolean {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(`${directory}/${LOCK}`, { read: true });
  } catch {
    // Nobody who may not be seen has it: the holder's file is there.
    return false;
  }
  try {
    return !file.tryLockSync(false);
  } catch {
    return false;
  } finally {
    file.close();
  }
}

/**
 * Makes a write beyond the greatest file size (`ulimit -f`) an error, `EFBIG`, which it is besides a
 * signal that ends the process. Returns what ends that.
 */
export function outliveFileSizeLimit(): () => void {
  const ignore = () => {};
  try {
    Deno.addSignalListener("SIGXFSZ", ignore);
  } catch {
    // A system without the signal needs nothing.
    return ignore;
  }
  return () => Deno.removeSignalListener("SIGXFSZ", ignore);
}

/** The error that ends a start. */
export function cannotOpen(
  directory: string,
  reason: string,
  code: number = Exit.cannotCreate,
): ExitError {
  return new ExitError(`Cannot open data directory '${directory}': ${reason}`, code);
}
