/**
 * What a swap finds in the place of its key, and whether that is what it expects.
 *
 * @module
 */

import type { Expected, NewItem, Swapped } from "../../contract.ts";
import type { RecordCache } from "./cache.ts";
import type { Log } from "../log/log.ts";
import type { Placements } from "../index/placements.ts";
import type { Damage } from "./damage.ts";
import { RecordReads } from "./reads.ts";
import { type RecordReader, Word } from "../format/record.ts";

const TWO_32 = 2 ** 32;

/** The attributes that swaps compare, of the record that was looked at last. */
export class Found {
  /** Memory of its own: the value to be stored may be what another read has given. */
  readonly records: RecordReads;

  /** The item's sequence number. */
  sequence = 0;
  private cas = 0n;
  private time = 0;

  constructor(
    private readonly cache: RecordCache,
    private readonly placements: Placements,
    private readonly log: Log,
    damage: Damage,
  ) {
    this.records = new RecordReads(damage);
  }

  /** Looks at what the index's last answer points at; a promise of it if that takes reading. */
  look(key: Uint8Array, a: number, b: number): Promise<RecordReader> | undefined {
    const { cache, placements, log } = this;
    if (cache.find(a, b, key)) {
      const { words, longs } = cache.chunk;
      const w = cache.at >>> 2;
      this.sequence = words[w + Word.sequence] + words[w + Word.sequence + 1] * TWO_32;
      this.time = words[w + Word.time] + words[w + Word.time + 1] * TWO_32;
      this.cas = longs[(cache.at >>> 3) + Word.cas / 2];
      return undefined;
    }
    const { segment, offset, size } = placements;
    const from = offset - segment.length;
    const record = from >= 0
      ? this.records.parse(log.pending.bytes.subarray(from, from + size), segment, offset)
      : this.records.read(segment, offset, size);
    if (record instanceof Promise) return record;
    this.take(record);
    return undefined;
  }

  /** Takes what was read. */
  take(reader: RecordReader): void {
    this.sequence = reader.sequence;
    this.time = reader.time;
    this.cas = reader.cas;
  }

  /** What the swap gives if that is not what it expects, or there is nothing to delete. */
  refusal(expected: Expected, next: NewItem | null, now: number): Swapped | undefined {
    if (this.time !== 0 && this.time <= now) {
      return next === null || typeof expected === "object" ? "absent" : undefined;
    }
    if (expected === "any") return undefined;
    if (expected === "absent") return "exists";
    if (expected.version !== undefined && expected.version !== this.sequence) return "exists";
    return expected.cas === this.cas ? undefined : "exists";
  }
}
