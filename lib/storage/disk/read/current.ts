/**
 * Reads an item as it is now: its record, with what an amendment has changed since.
 *
 * @module
 */

import { AMENDMENT_BYTES, type RecordReader, recordSize } from "../format/record.ts";
import type { Placements } from "../index/placements.ts";
import type { Log } from "../log/log.ts";
import type { Segment } from "../log/segment.ts";
import type { Damage } from "./damage.ts";
import { RecordReads } from "./reads.ts";

/** With a key of 255 bytes. */
const LONGEST_AMENDMENT = recordSize(0xff, AMENDMENT_BYTES);

/** Reads items; what it returns plain is valid until its next read. */
export class CurrentRecords {
  readonly items: RecordReads;
  readonly amendments: RecordReads;

  readonly #placements: Placements;
  readonly #log: Log;

  constructor(placements: Placements, log: Log, damage: Damage) {
    this.#placements = placements;
    this.#log = log;
    this.items = new RecordReads(damage);
    this.amendments = new RecordReads(damage, LONGEST_AMENDMENT);
  }

  /**
   * The item that the index's last answer points at; a promise of it if others would be held up. A
   * caller that has waited looks whether the item and its amendment are still the same.
   *
   * @param amended what {@linkcode Placements.amendmentOf} has just said of its key
   * @throws {StoreError} if it cannot be read or is damaged
   */
  read(amended: number): RecordReader | Promise<RecordReader> {
    const { segment, offset, size } = this.#placements;
    const record = this.#at(this.items, segment, offset, size);
    if (amended === 0) return record;
    const amendedIn = this.#placements.amendment;
    let amendment: RecordReader | Promise<RecordReader>;
    try {
      amendment = this.amendment();
    } catch (error) {
      if (record instanceof Promise) record.catch(() => {});
      throw error;
    }
    if (!(record instanceof Promise) && !(amendment instanceof Promise)) {
      record.amend(amendment);
      return record;
    }
    // The next read takes the memory of what is here already.
    return amendedLater(
      record instanceof Promise ? record : this.items.parse(bytesOf(record), segment, offset),
      amendment instanceof Promise
        ? amendment
        : this.amendments.parse(bytesOf(amendment), amendedIn.segment, amendedIn.offset),
    );
  }

  /** The amendment that the placements' last answer points at; a promise as {@linkcode read}. */
  amendment(): RecordReader | Promise<RecordReader> {
    const { segment, offset, size } = this.#placements.amendment;
    return this.#at(this.amendments, segment, offset, size);
  }

  #at(
    reads: RecordReads,
    segment: Segment,
    offset: number,
    size: number,
  ): RecordReader | Promise<RecordReader> {
    const from = offset - segment.length;
    if (from < 0) return reads.read(segment, offset, size);
    const { bytes } = this.#log.pending;
    return reads.parse(bytes.slice(from, from + size), segment, offset);
  }
}

async function amendedLater(
  item: RecordReader | Promise<RecordReader>,
  amendment: RecordReader | Promise<RecordReader>,
): Promise<RecordReader> {
  const [record, amended] = await Promise.all([item, amendment]);
  record.amend(amended);
  return record;
}

function bytesOf({ bytes, at, size }: RecordReader): Uint8Array<ArrayBuffer> {
  return bytes.slice(at, at + size);
}
