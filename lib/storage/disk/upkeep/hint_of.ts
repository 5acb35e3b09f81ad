/**
 * A hint from a segment's records, for one that has none.
 *
 * @module
 */

import type { KeyHash } from "../../../key_hash.ts";
import type { HintBuilder, Summary } from "../format/hint.ts";
import { Kind, RECORD_HEADER, type RecordReader } from "../format/record.ts";
import type { ExpiryTimes } from "../log/segment.ts";

/** What of a record its segment's hint and figures need: its key and what stands before it. */
export type Outlined =
  & Pick<
    RecordReader,
    "kind" | "size" | "sequence" | "followed" | "time" | "segment" | "at" | "keyLength"
  >
  & { readonly bytes: Uint8Array };

/** Adds the next record of a segment, which is at `offset`, to its hint and its figures. */
export function noteRecord(
  record: Outlined,
  offset: number,
  hint: HintBuilder,
  summary: Omit<Summary, "expiry"> & { readonly expiry: ExpiryTimes },
  hash: KeyHash,
): void {
  const { kind, size, sequence } = record;
  if (sequence > summary.sequence) summary.sequence = sequence;
  if (kind !== Kind.item && kind !== Kind.tombstone && kind !== Kind.amendment) {
    return hint.add(kind, 0, 0, 0, offset, size);
  }
  hash.of(record.bytes, record.at + RECORD_HEADER, record.keyLength);
  hint.add(kind, hash.a, hash.b, hash.c, offset, size);
  if (kind === Kind.tombstone) {
    summary.tombstones += size;
    summary.tombstoneSegment = Math.max(summary.tombstoneSegment, record.segment);
    return;
  }
  if (kind === Kind.item && record.time !== 0) summary.expiry.add(record.time, size);
  const { followed } = record;
  if (followed > summary.sequence) summary.sequence = followed;
}
