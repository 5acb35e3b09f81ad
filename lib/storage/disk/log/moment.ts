/**
 * What of the log is on the medium, in one step. FORMAT.md, "A moment".
 *
 * @module
 */

import type { Moment } from "../../moment.ts";
import type { Log } from "./log.ts";
import { FORMAT } from "./segment.ts";
import type { Syncer } from "./sync.ts";

/**
 * The log as far as it is on the medium.
 *
 * A segment that compaction has given up is taken out of the log when what it moved is on the medium:
 * so whatever is left out here is before the place up to which the others count.
 */
export function momentOf(log: Log, syncer: Syncer, items: number): Moment {
  const { reached, reachedAt } = syncer;
  const segments: Array<readonly [id: number, length: number, crc: number | undefined]> = [];
  for (const { id, base, length, sealed, crc } of log.segments) {
    const within = Math.min(length, reached - base);
    if (within <= 0) break;
    segments.push([id, within, sealed && within === length ? crc : undefined]);
  }
  return {
    disk: FORMAT,
    hashKey: log.hashKey,
    // Where nothing was written since, the state is that of now.
    time: log.position === reached ? Date.now() : reachedAt,
    position: Math.min(reached, log.dataEnd),
    sequence: log.sequence,
    items,
    next: log.nextId,
    segments,
  };
}
