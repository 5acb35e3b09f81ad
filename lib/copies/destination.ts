/**
 * Where copies are kept. What lies there says FORMAT.md.
 *
 * @module
 */

/**
 * Where copies are kept: names under one prefix. `generation` is opaque text that changes with every
 * write of a name. Everything here throws {@linkcode DestinationError}; retries, backoff and
 * deadlines are inside.
 */
export interface Destination {
  readonly url: string;
  /**
   * Milliseconds since 1970 as it was by its own clock when it answered last; nothing before that, and where it has
   * none.
   */
  readonly time?: number | undefined;
  /** The whole object, checked against its checksum; `undefined` if it is not there. */
  read(name: string): Promise<{ bytes: Uint8Array; generation: string } | undefined>;
  /**
   * A piece by blocks, in order, from a place on, for a restore. A block stays as it is until the next is
   * asked for. Whole or not, right or not: the reader compares length and checksum. Ends with a {@linkcode MissingError} if the name is not there.
   */
  stream(name: string, from?: number): AsyncIterable<Uint8Array>;
  /**
   * Writes a name that must not be there; `"exists"` if it is. With the same bytes that is a lost
   * answer of our own: the caller compares. An error of `source` ends it, and is thrown as it is.
   */
  create(name: string, source: Source): Promise<{ generation: string } | "exists">;
  /**
   * Replaces a name if it is at this generation (`""`: is not there); `"changed"` if it is not. A
   * lost answer is resolved by reading.
   */
  replace(
    name: string,
    bytes: Uint8Array,
    generation: string,
  ): Promise<{ generation: string } | "changed">;
  /**
   * Removes a name at this generation; `"kept"` where a retention policy or hold forbids it. A name
   * that is gone already is `"removed"`.
   */
  remove(name: string, generation: string): Promise<"removed" | "kept" | "changed">;
  /** Names that begin with `prefix`, and stand behind `after`, in order of their bytes. */
  list(prefix: string, after?: string): AsyncIterable<Entry>;
  close(): Promise<void>;
}

/** What a listing tells of a name. */
export interface Entry {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly generation: string;
  readonly crc32c?: number;
}

/** Bytes to upload that can be read again from any place (a resumable upload needs that). */
export interface Source {
  readonly length: number;
  readonly crc32c: number;
  /** Reads from a place; returns how many bytes were read, 0 at the end. */
  read(from: number, into: Uint8Array): Promise<number>;
}

/** How a destination is opened. */
export interface DestinationOptions {
  /** Ends everything that is under way. */
  readonly signal?: AbortSignal | undefined;
  /** Bytes a second that are uploaded, at most; no limit unless given. */
  readonly bandwidth?: number | undefined;
  /** Nothing is written there: a directory that is missing is not made. */
  readonly isOnlyRead?: boolean | undefined;
  /** Another endpoint of Cloud Storage than Google's, such as an emulator. */
  readonly endpoint?: string | undefined;
  /** Says one line to the operator. */
  readonly log?: ((line: string) => void) | undefined;
}

/** What a destination could not do: one bounded sentence. */
export class DestinationError extends Error {
  override readonly name = "DestinationError";

  /** @param retry whether it may succeed later as it is: the destination is away or too busy */
  constructor(message: string, readonly retry: boolean) {
    super(message);
  }
}

/** A name is not there. */
export class MissingError extends DestinationError {
  constructor(readonly missing: string, url: string) {
    super(`'${missing}' is not in ${url}`, false);
  }
}
