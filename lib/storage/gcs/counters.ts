/**
 * What the store counts for `stats gcs`.
 *
 * @module
 */

import { ResultCounts } from "../exchanges.ts";

/** Counts since the store was opened. */
export class Counters {
  /** Requests by how they ended. */
  readonly results = new ResultCounts();
  /** Requests sent, with retries. */
  requests = 0;
  /** Objects written. */
  uploads = 0;
  /** Objects deleted for commands. */
  deletes = 0;
  /** Changes that went out in an upload together with others, all but one of each upload. */
  coalesced = 0;
  /** Preconditions that did not hold, because of others' writes or old hints. */
  conflicts = 0;
  /** Writes whose answer was lost and that the token showed to be done. */
  resolved = 0;
  /** Reads answered from memory within `--cache-ttl`. */
  cached = 0;
  /** Reads that found a flushed item. */
  flushedReads = 0;
  /** Expired objects that were cleared. */
  reclaimed = 0;
  /** Flushed objects that were cleared. */
  cleared = 0;
  /** Retries because of the service's limits (429). */
  limited = 0;
  /** Retries because of the service's errors (408, 5xx). */
  failed = 0;
  /** Retries because a connection was refused, reset, closed or cut off. */
  broken = 0;
  /** Retries because no answer came in time. */
  silent = 0;
  /** Contents that did not have their checksum, read or written; they were sent again. */
  damaged = 0;
  /** Whole answers that were not what the service sends; they were asked for again. */
  unreadable = 0;
}
