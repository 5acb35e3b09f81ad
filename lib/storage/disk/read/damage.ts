/**
 * Records that cannot be read: each is said once, counted, and remembered until it is gone.
 *
 * @module
 */

import { StoreError } from "../../../errors.ts";
import type { Placements } from "../index/placements.ts";
import type { Segment } from "../log/segment.ts";
import type { Gap } from "./segment_reader.ts";

/** So many are remembered, and said one by one. */
const MOST = 1000;

/** A record that is damaged, or that the disk does not return. */
export class UnreadableError extends StoreError {
  override name = "UnreadableError";
}

/** The damage that is known. */
export class Damage {
  /** Records that are known to be damaged, and are still in the log. */
  count = 0;

  readonly #say: (line: string) => void;
  readonly #places = new Map<Segment, Set<number>>();

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  /** Notes a damaged record at an offset of a segment. */
  note(segment: Segment, offset: number): void {
    const places = this.#places.get(segment) ?? new Set();
    if (places.has(offset) || this.count >= MOST || segment.removed) return;
    this.#places.set(segment, places.add(offset));
    this.count++;
    this.#say(
      `${sentenceOf(segment, offset)}: its key can be deleted and stored again` +
        (this.count === MOST ? "; further ones are not told of" : ""),
    );
  }

  /**
   * Notes what is alive in gaps of a segment; returns how many records that is.
   *
   * @param displaced offsets of records that somebody still asks for, though no key is at them
   */
  async noteGaps(
    segment: Segment,
    gaps: readonly Gap[],
    placements: Placements,
    displaced: ReadonlySet<number> = new Set(),
  ): Promise<number> {
    if (gaps.length === 0) return 0;
    const lost = new Set<number>();
    const look = (offset: number) => {
      if (gaps.some(({ from, to }) => offset >= from && offset < to)) lost.add(offset);
    };
    for (const offset of displaced) look(offset);
    await placements.within(segment, (offset) => {
      look(offset);
      if (lost.has(offset)) this.note(segment, offset);
    });
    return lost.size;
  }

  /** Notes that a segment is given up. */
  forget(segment: Segment): void {
    const places = this.#places.get(segment);
    if (places === undefined) return;
    this.#places.delete(segment);
    this.count -= places.size;
    if (this.count === 0) this.#say("No damaged record is left that is known of");
  }
}

/** Where a damaged record is, for people. */
export function sentenceOf(segment: Segment, offset: number): string {
  return `The record at offset ${offset} of '${segment.path}' is damaged`;
}
