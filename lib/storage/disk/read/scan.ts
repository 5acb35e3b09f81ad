/**
 * Lists what is alive by reading the log from its beginning to where it ended when the list began.
 *
 * A record that is damaged is left out, and the list goes on behind it; when it is over it ends with an
 * error that says how many those were.
 *
 * An item that is replaced or moved before its record's turn comes is listed as it was: those places
 * are remembered until they have been passed.
 *
 * @module
 */

import { othersTurn } from "../../../others_turn.ts";
import { counted } from "../../../counted.ts";
import { StoreError } from "../../../errors.ts";
import { type Awaitable, isExpired, type Listed } from "../../contract.ts";
import type { Access, RecordCache } from "./cache.ts";
import type { Damage } from "./damage.ts";
import type { KeyHash } from "../../../key_hash.ts";
import type { Log } from "../log/log.ts";
import type { Placements } from "../index/placements.ts";
import { Kind, RECORD_HEADER, type RecordReader, State } from "../format/record.ts";
import type { Segment } from "../log/segment.ts";
import { SegmentReader, Step } from "./segment_reader.ts";

/** Bytes that are read and looked through in one go. */
const BLOCK = 1 << 17;
/** Items of a group, at most: so many are looked through and written in about a millisecond. */
const GROUP = 256;
/** Places that are tried for a record in one go, where one is damaged. */
const SKIPS_A_TURN = 1 << 14;

/** What a listing works on. */
export interface ScanOptions {
  readonly log: Log;
  readonly placements: Placements;
  /** Knows of accesses that the log does not tell. */
  readonly cache: RecordCache;
  readonly damage: Damage;
  readonly hash: KeyHash;
  /** The time in milliseconds since 1970. */
  readonly now: () => number;
  /** Waits until the log may be shown up to a position. */
  readonly until: (position: number) => Awaitable<void>;
}

/** Lists items in groups. */
export async function* scanLog(
  { log, placements, cache, damage, hash, now, until }: ScanOptions,
): AsyncGenerator<readonly Listed[]> {
  try {
    log.writeOut();
  } catch {
    // Those whose writes are lost are told; a reader needs no room.
  }
  const { index } = placements;
  const left = new Map<Segment, { end: number; displaced: Set<number> }>();
  for (const segment of log.segments) {
    segment.hold();
    left.set(segment, { end: segment.length, displaced: new Set() });
  }
  const watcher = (segment: Segment, offset: number) => {
    left.get(segment)?.displaced.add(offset);
  };
  placements.watchers.add(watcher);
  let unreadable = 0;
  try {
    await until(log.written);
    for (const [segment, { end, displaced }] of left) {
      if (segment.live > 0 || displaced.size > 0) {
        const reader = new SegmentReader(segment.file, segment.seed, end, BLOCK);
        let group: Listed[] = [];
        let skipped = 0;
        for (;;) {
          const step = reader.step();
          if (step === Step.more || step === Step.end) {
            if (group.length > 0) yield group;
            group = [];
            if (step === Step.end) {
              unreadable += await damage.noteGaps(segment, reader.gaps, placements, displaced);
              break;
            }
            await reader.fillLater().catch(() => reader.giveUp());
            // After a flush nothing that was there at the beginning is there any more.
            if (placements.index !== index) return;
          } else if (step === Step.bad) {
            reader.skip();
            if (++skipped % SKIPS_A_TURN === 0) await othersTurn();
          } else {
            const { record, offset } = reader;
            if (record.kind !== Kind.item && record.kind !== Kind.amendment) continue;
            hash.of(record.bytes, record.at + RECORD_HEADER, record.keyLength);
            const alive = displaced.has(offset) ||
              placements.tells(segment, offset, hash.a, hash.b, hash.c);
            if (!alive || isExpired({ exptime: record.time }, now())) continue;
            group.push(listedOf(record, cache.accessOf(hash.a, hash.b, record.sequence)));
            if (group.length < GROUP) continue;
            yield group;
            group = [];
            if (placements.index !== index) return;
          }
        }
      }
      left.delete(segment);
      segment.unhold();
    }
    if (unreadable > 0) {
      const verb = unreadable === 1 ? "is" : "are";
      throw new StoreError(
        `${counted(unreadable, "damaged record")} ${verb} missing from the list`,
      );
    }
  } finally {
    placements.watchers.delete(watcher);
    for (const segment of left.keys()) segment.unhold();
  }
}

/** A record's item without its value, with what is known of accesses beyond what it tells. */
export function listedOf(record: RecordReader, access?: Access): Listed {
  const { state } = record;
  return {
    key: record.key().slice(),
    size: record.itemLength,
    flags: record.flags,
    exptime: record.time,
    cas: record.cas,
    stale: (state & State.stale) !== 0,
    won: (state & State.won) !== 0,
    fetched: access?.fetched ?? (state & State.fetched) !== 0,
    accessed: access?.accessed ?? record.accessed,
    binaryKey: (state & State.binaryKey) !== 0,
  };
}
