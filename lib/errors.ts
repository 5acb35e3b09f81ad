/**
 * The few kinds of error that cross a border between parts of kvs.
 *
 * Everything else that is thrown is a bug, and is answered as one.
 *
 * @module
 */

/**
 * A store could not do what it was asked. The client gets `SERVER_ERROR <message>` for that request
 * alone, so the message is one sentence, without a line end, that says what could not be done.
 */
export class StoreError extends Error {
  override name = "StoreError";
}

/**
 * The store has no room for an item (memory, `--max-disk`, a full file system, Redis `OOM`). The
 * client gets memcached's `SERVER_ERROR out of memory storing object`; the message is for the log.
 */
export class OutOfSpaceError extends StoreError {
  override name = "OutOfSpaceError";
}

/**
 * The program cannot start or go on as it was called. The message is one line for standard error,
 * {@linkcode code} the exit code, in the words of `sysexits.h`.
 */
export class ExitError extends Error {
  override name = "ExitError";

  constructor(message: string, readonly code: number) {
    super(message);
  }
}

/** The exit codes of `sysexits.h` that kvs uses, and the client's 1 for "not found, not stored". */
export const Exit = {
  ok: 0,
  /** The key was not found, or the item was not stored. */
  no: 1,
  /** `EX_USAGE`: an option or argument is wrong. */
  usage: 64,
  /** `EX_DATAERR`: the data directory or input cannot be trusted. */
  data: 65,
  /** `EX_UNAVAILABLE`: the server cannot be reached. */
  unavailable: 69,
  /** `EX_SOFTWARE`: the server answered with an error. */
  software: 70,
  /** `EX_OSERR`: the address cannot be listened on. */
  os: 71,
  /** `EX_IOERR`: the system could not read or write. */
  io: 74,
  /** As a shell reports a program that the user interrupted. */
  interrupted: 130,
  /** `EX_NOPERM`: another server has taken over the copies of the data directory. */
  fenced: 77,
  /** `EX_CANTCREAT`: the data directory cannot be made, written or locked. */
  cannotCreate: 73,
} as const;

/** Ends what is under way where something does not hold that always must: that is a bug. */
export function assert(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`broken invariant: ${what}`);
}

/** What to tell a person about anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
