/**
 * Looks through the log for items that have expired and are still counted.
 *
 * @module
 */

import { isExpired } from "../../contract.ts";
import type { KeyHash } from "../../../key_hash.ts";
import { Kind, RECORD_HEADER } from "../format/record.ts";
import type { Placements } from "../index/placements.ts";
import type { Log } from "../log/log.ts";
import type { Segment } from "../log/segment.ts";
import { SegmentReader, Step } from "../read/segment_reader.ts";

/** Bytes that are read and looked through in one go. */
const BLOCK = 1 << 17;

/** What the search works on. */
export interface ExpiredOptions {
  readonly log: Log;
  readonly placements: Placements;
  /** For its own use. */
  readonly hash: KeyHash;
  /** The time in milliseconds since 1970. */
  readonly now: () => number;
}

/** An item that has expired, and where its record is. */
export interface Expired {
  readonly key: Uint8Array;
  readonly segment: Segment;
  readonly offset: number;
}

/**
 * Finds expired items in groups, as of the log's end when it begins. What a group names may have changed
 * when its turn comes. Damaged records are passed over: whoever reads them is told.
 */
export async function* expiredItems(
  { log, placements, hash, now }: ExpiredOptions,
): AsyncGenerator<readonly Expired[]> {
  log.writeOut();
  const segments = log.segments.map((segment) => ({ segment, end: segment.length }));
  for (const { segment } of segments) segment.pin();
  try {
    for (const { segment, end } of segments) {
      if (segment.live === 0) continue;
      const reader = new SegmentReader(segment.file, segment.seed, end, BLOCK);
      let group: Expired[] = [];
      for (let step = reader.step(); step !== Step.end; step = reader.step()) {
        if (step === Step.more) {
          yield group;
          group = [];
          await reader.fillLater().catch(() => reader.giveUp());
        } else if (step === Step.bad) reader.skip();
        else {
          const { record, offset } = reader;
          if (record.kind !== Kind.item && record.kind !== Kind.amendment) continue;
          if (!isExpired({ exptime: record.time }, now())) continue;
          hash.of(record.bytes, record.at + RECORD_HEADER, record.keyLength);
          const isItsOwn = placements.tells(segment, offset, hash.a, hash.b, hash.c);
          if (isItsOwn) group.push({ key: record.key().slice(), segment, offset });
        }
      }
      yield group;
    }
  } finally {
    for (const { segment } of segments) segment.unpin();
  }
}
