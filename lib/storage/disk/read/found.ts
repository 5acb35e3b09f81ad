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
import { CurrentRecords } from "./current.ts";
import { type RecordReader, Word } from "../format/record.ts";

const TWO_32 = 2 ** 32;

/** The attributes that swaps compare, of the record that was looked at last. */
export class Found {
  /** Memory of its own: the value to be stored may be what another read has given. */
  readonly records: CurrentRecords;

  /** The item's sequence number, and that of the record which has its value. */
  sequence = 0;
  base = 0;
  #cas = 0n;
  #time = 0;

  readonly #cache: RecordCache;
  readonly #placements: Placements;

  constructor(
    cache: RecordCache,
    placements: Placements,
    log: Log,
    damage: Damage,
  ) {
    this.#cache = cache;
    this.#placements = placements;

    this.records = new CurrentRecords(placements, log, damage);
  }

  /** Looks at what the index's last answer points at; a promise of it if that takes reading. */
  look(key: Uint8Array, a: number, b: number, c: number): Promise<RecordReader> | undefined {
    const cache = this.#cache;
    const placements = this.#placements;
    const amended = placements.amendmentOf(a, b, c);
    if (cache.find(a, b, key)) {
      const { words, longs } = cache.chunk;
      const w = cache.at >>> 2;
      this.sequence = words[w + Word.sequence] + words[w + Word.sequence + 1] * TWO_32;
      this.#time = words[w + Word.time] + words[w + Word.time + 1] * TWO_32;
      this.#cas = longs[(cache.at >>> 3) + Word.cas / 2];
      this.base = amended === 0 ? this.sequence : cache.base;
      return undefined;
    }
    const record = this.records.read(amended);
    if (record instanceof Promise) return record;
    this.take(record);
    return undefined;
  }

  /** Takes what was read. */
  take(reader: RecordReader): void {
    this.sequence = reader.sequence;
    this.base = reader.base;
    this.#time = reader.time;
    this.#cas = reader.cas;
  }

  /** What the swap returns if that is not what it expects, or there is nothing to delete. */
  refusal(expected: Expected, next: NewItem | null, now: number): Swapped | undefined {
    if (this.#time !== 0 && this.#time <= now) {
      return next === null || typeof expected === "object" ? "absent" : undefined;
    }
    if (expected === "any") return undefined;
    if (expected === "absent") return "exists";
    if (expected.version !== undefined && expected.version !== this.sequence) return "exists";
    return expected.cas === this.#cas ? undefined : "exists";
  }
}
