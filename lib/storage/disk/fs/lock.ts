/**
 * One process a data directory: a `flock` on the directory itself, which nobody can remove unnoticed, and
 * one on a file in it that names the process. Both end with their process however that ends.
 *
 * Where the file system has no `flock` of directories (NFS) the file alone is the lock.
 *
 * @module
 */

import { bytesOf } from "../../../bytes.ts";
import { Exit, ExitError, messageOf } from "../../../errors.ts";

/** Something that is held until it is closed. */
export interface Held {
  close(): void;
}

/** A data directory that is this process's alone. */
export interface Lock extends Held {
  /** Why the directory is not this process's any more, in a sentence; nothing as long as it is. */
  loss(): string | undefined;
}

const LOCK = "kvs.lock";
/** The file is its owner's alone. */
const MODE = 0o600;

/**
 * Locks a directory.
 *
 * @throws {ExitError} with code 73 if another process has it, naming that process
 */
export function lockDirectory(directory: string): Lock {
  const path = `${directory}/${LOCK}`;
  let place: Deno.FsFile | undefined;
  let file: Deno.FsFile | undefined;
  let isPlaceLocked: boolean;
  try {
    place = Deno.openSync(directory, { read: true });
    const isFree = tryLock(place, true);
    if (isFree === false) throw lockedBy(directory);
    isPlaceLocked = isFree === true;
    file = Deno.openSync(path, { read: true, write: true, create: true, mode: MODE });
    if (!file.tryLockSync(true)) throw lockedBy(directory);
  } catch (error) {
    file?.close();
    place?.close();
    throw error instanceof ExitError ? error : cannotOpen(directory, messageOf(error));
  }
  try {
    file.truncateSync(0);
    file.writeSync(bytesOf(`${Deno.pid}\n`));
  } catch {
    // On a full disk it is locked all the same, by a process that stays unnamed.
  }
  return {
    loss: () => lossOf(directory, place) ?? (isPlaceLocked ? undefined : lossOf(path, file)),
    close() {
      file.close();
      place.close();
    },
  };
}

/** Whether a process has the directory. Changes nothing in it, and holds nobody up. */
export function isDirectoryLocked(directory: string): boolean {
  return [directory, `${directory}/${LOCK}`].some((path) => {
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(path, { read: true });
    } catch {
      // Nobody who may not be seen has it: the holder's file is there.
      return false;
    }
    const isFree = tryLock(file, false);
    file.close();
    return isFree === false;
  });
}

/** Takes a `flock` if nobody has it; `undefined` where the file system has none for this. */
function tryLock(file: Deno.FsFile, isExclusive: boolean): boolean | undefined {
  try {
    return file.tryLockSync(isExclusive);
  } catch {
    return undefined;
  }
}

function lockedBy(directory: string): ExitError {
  let holder = "another process";
  try {
    const pid = Number.parseInt(Deno.readTextFileSync(`${directory}/${LOCK}`));
    if (!Number.isNaN(pid)) holder = `process ${pid}`;
  } catch {
    // It stays unnamed.
  }
  return cannotOpen(directory, `it is locked by ${holder}`);
}

/** Why a path does not lead to what was opened there any more; nothing where that cannot be told either. */
function lossOf(path: string, opened: Deno.FsFile): string | undefined {
  try {
    const { dev, ino } = Deno.statSync(path);
    const own = opened.statSync();
    return dev === own.dev && ino === own.ino ? undefined : `'${path}' was replaced`;
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? `'${path}' was removed` : undefined;
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
