/**
 * What `stats disk` tells of the parts of a store.
 *
 * @module
 */

import type { StoreInfo } from "../contract.ts";
import type { RecordCache } from "./read/cache.ts";
import type { Commits } from "./log/commits.ts";
import type { Compactor } from "./upkeep/compaction.ts";
import type { Log } from "./log/log.ts";
import type { Placements } from "./index/placements.ts";
import type { Space } from "./upkeep/space.ts";
import type { Images } from "./upkeep/image.ts";
import type { Verifier } from "./upkeep/verify.ts";
import type { Damage } from "./read/damage.ts";
import type { RecordReads } from "./read/reads.ts";

/** The parts that have something to tell. */
export interface Parts {
  readonly log: Log;
  readonly placements: Placements;
  readonly cache: RecordCache;
  readonly commits: Commits;
  readonly compactor: Compactor;
  readonly space: Space;
  readonly damage: Damage;
  readonly verifier: Verifier;
  readonly images: Images;
  /** Everything that reads records. */
  readonly readers: readonly RecordReads[];
  /** Reads so far, and how many of them the cache has answered. */
  readonly reads: number;
  readonly hits: number;
}

/** Their figures, by the names that docs and monitoring know. */
export function figuresOf(parts: Parts): StoreInfo["own"] {
  const { log, placements, cache, compactor, space, readers } = parts;
  const { behind, syncer } = parts.commits;
  const sum = (of: (reads: RecordReads) => number) =>
    readers.reduce((total, one) => total + of(one), 0);
  return [
    ["segments", log.segments.length],
    ["log_bytes", log.total],
    ["live_bytes", placements.live],
    ["held_bytes", log.held],
    ["dead_bytes", Math.max(0, log.total - placements.live)],
    ...space.free === Infinity ? [] : [["free_bytes", space.free] as const],
    ["reserved_bytes", space.reserved],
    ["amended_items", placements.amendments.size],
    ["index_bytes", placements.index.memory() + placements.amendments.memory()],
    ["index_load", placements.index.load().toFixed(3)],
    ["cache_bytes", cache.memory],
    ["cache_hits", parts.hits],
    ["reads", parts.reads],
    ["slow_reads", sum((one) => one.slow)],
    ["verified_bytes", parts.verifier.done],
    ["unverified_bytes", parts.verifier.total - parts.verifier.done],
    ["index_images", parts.images.count],
    ["damaged_records", parts.damage.count],
    ["damaged_reads", sum((one) => one.damaged)],
    ["syncs", syncer.count],
    ["last_sync", Math.floor(syncer.lastEnd / 1000)],
    ["last_sync_ms", syncer.lastMilliseconds.toFixed(3)],
    ["unsynced_bytes", log.written - syncer.synced],
    ["behind", behind ? 1 : 0],
    ["compactions", compactor.count],
    ["compaction_read_bytes", compactor.read],
    ["compaction_moved_bytes", compactor.moved],
    ["compaction_freed_bytes", compactor.freed],
    ["compacting", compactor.busy ? 1 : 0],
    ["compacting_since", Math.floor(compactor.since / 1000)],
    ["sequence", log.sequence],
  ];
}
