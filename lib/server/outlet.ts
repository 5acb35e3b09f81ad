/**
 * The way out of a connection for a reply that does not fit in memory: a listing, or a stream of events.
 *
 * @module
 */

import type { ByteBuffer } from "../bytes.ts";

/** Replies go out when this many bytes of them wait: a slow reader costs no more memory. */
export const HIGH_WATER = 256 * 1024;

/** What a stream may do with its connection. */
export interface Outlet {
  /** Where the client is, for the log. */
  readonly name: string;
  /** Takes what goes out next. */
  readonly out: ByteBuffer;
  /** Makes last all that was run before: only then may what depends on it be shown. */
  commit(): Promise<void>;
  /** Sends what is in `out`, and empties it. */
  write(): Promise<void>;
  /** Counts so many bytes of work; a promise where others must have a turn before it goes on. */
  work(bytes: number): Promise<void> | undefined;
  /** Ends the connection, whatever it does. */
  close(): void;
}
