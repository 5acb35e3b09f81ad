/**
 * The index with its accounts: how much of each segment is alive; and the way back, for bytes that
 * the file system did not take.
 *
 * @module
 */

import { othersTurn } from "../../../others_turn.ts";
import { ENDLESS, KeyIndex, offsetOf, placeHigh, placeLow, SHARDS, unitsOf } from "./key_index.ts";
import type { Segment } from "../log/segment.ts";
import { assert } from "../../../errors.ts";

/** Words of a step that can be taken back: hash, the place before it, the size after it, and of what. */
const STEP = 7;
/** Steps of the index, and of the amendments. */
const OF_ITEM = 0;
const OF_AMENDMENT = 1;
const TWO_32 = 2 ** 32;
/** Shards of the index that are looked through in one go. */
const SHARDS_A_TURN = 16;

/** Told of each place that a key leaves for another, while a listing goes on. */
export type Displaced = (segment: Segment, offset: number) => void;

/** Which record is each key's. */
export class Placements {
  index = new KeyIndex();
  /** Where the amendments are, of those items that have one. */
  amendments = new KeyIndex();
  /** What the index was before the last flush, for as long as the flushed segments are there. */
  flushed: KeyIndex | undefined;
  /** Segments by their slots; 0 is never used. */
  readonly slots: Array<Segment | undefined> = [undefined];
  /** Bytes of all records that the index points at. */
  live = 0;
  /** Those that want to know which places are left for others. */
  readonly watchers = new Set<Displaced>();

  /** Whether no slot is given out again. */
  #keepsSlots = false;
  #steps = new Uint32Array(STEP * 256);
  #taken = 0;

  /** Whether slots that become free stay so: somebody copies the index, table by table. */
  set keepSlots(keep: boolean) {
    this.#keepsSlots = keep;
    if (!keep) return;
    while (this.slots.length > 1 && this.slots.at(-1) === undefined) this.slots.pop();
  }

  /** A free slot; 0 if there is none. */
  freeSlot(): number {
    for (let slot = 1; slot < this.slots.length && !this.#keepsSlots; slot++) {
      if (this.slots[slot] === undefined) return slot;
    }
    return this.slots.length > 0xffff ? 0 : this.slots.length;
  }

  /** The segment that the index's last answer points into. */
  get segment(): Segment {
    return this.slots[this.index.high >>> 16]!;
  }

  /** The offset of the index's last answer, in bytes. */
  get offset(): number {
    return offsetOf(this.index.low);
  }

  /** The size of the record that the index's last answer points at, in bytes. */
  get size(): number {
    return this.#sizeAt(this.index.high, this.index.low);
  }

  #sizeAt(high: number, low: number): number {
    const units = unitsOf(high, low);
    if (units !== ENDLESS) return units * 8;
    const size = this.slots[high >>> 16]!.length - offsetOf(low);
    assert(size >= ENDLESS * 8, "a record whose size is its segment's end is written and last");
    return size;
  }

  /**
   * Which amendment a key's item has, for comparison: 0 for none, another number for each place. After
   * that it is the amendments' last answer.
   */
  amendmentOf(a: number, b: number, c: number): number {
    const { amendments } = this;
    if (amendments.size === 0 || !amendments.find(a, b, c)) return 0;
    return (amendments.high >>> 16) * TWO_32 + amendments.low;
  }

  /** Where the amendments' last answer is. */
  get amendment(): { readonly segment: Segment; readonly offset: number; readonly size: number } {
    const { high, low } = this.amendments;
    return {
      segment: this.slots[high >>> 16]!,
      offset: offsetOf(low),
      size: unitsOf(high, low) * 8,
    };
  }

  /** Whether what is there tells a key's attributes: its amendment, or the item that has none. */
  tells(segment: Segment, offset: number, a: number, b: number, c: number): boolean {
    const amended = this.amendmentOf(a, b, c);
    if (amended === 0) return this.isAt(segment, offset, a, b, c);
    const { high, low } = this.amendments;
    return high >>> 16 === segment.slot && offsetOf(low) === offset && this.index.find(a, b, c);
  }

  /** Whether a key's record is there. Afterwards that is the index's last answer. */
  isAt(segment: Segment, offset: number, a: number, b: number, c: number): boolean {
    return this.index.find(a, b, c) && this.segment === segment && this.offset === offset;
  }

  /** Points a key at a record that was appended. */
  set(a: number, b: number, c: number, segment: Segment, offset: number, size: number): void {
    this.#makeRoom();
    const { index, amendments } = this;
    const amended = amendments.size !== 0 && this.#dropAmendment(a, b, c, true);
    const high = placeHigh(segment.slot, size);
    const had = index.set(a, b, c, high, placeLow(offset, size));
    if (had) this.#leave(!amended);
    this.#step(index, OF_ITEM, a, b, c, had, size);
    this.#account(segment, size);
  }

  /** Gives an item an amendment that was appended. */
  amend(a: number, b: number, c: number, segment: Segment, offset: number, size: number): void {
    this.#makeRoom();
    const { index, amendments } = this;
    const there = index.find(a, b, c);
    assert(there, "what is amended is there");
    const had = amendments.set(a, b, c, placeHigh(segment.slot, size), placeLow(offset, size));
    if (had) this.#leaveAmendment(true);
    else for (const watcher of this.watchers) watcher(this.segment, this.offset);
    this.#step(amendments, OF_AMENDMENT, a, b, c, had, size);
    this.#account(segment, size);
  }

  /** Takes a key out, for a tombstone that was appended; returns whether it was there. */
  drop(a: number, b: number, c: number): boolean {
    this.#makeRoom();
    if (this.amendments.size !== 0) this.#dropAmendment(a, b, c, false);
    if (!this.index.remove(a, b, c)) return false;
    this.#leave(false);
    this.#step(this.index, OF_ITEM, a, b, c, true, 0);
    return true;
  }

  /** {@linkcode set} while the log is replayed, with a place as the index has it. */
  replay(a: number, b: number, c: number, high: number, low: number): void {
    const { index } = this;
    this.#forgetAmendment(a, b, c);
    if (index.set(a, b, c, high, low)) this.#leave(false);
    index.high = high;
    index.low = low;
    this.#account(this.segment, this.size);
  }

  /** {@linkcode drop} while the log is replayed. */
  forget(a: number, b: number, c: number): void {
    this.#forgetAmendment(a, b, c);
    if (this.index.remove(a, b, c)) this.#leave(false);
  }

  /** {@linkcode amend} while the log is replayed; of a key that has no item it counts for nothing. */
  replayAmendment(a: number, b: number, c: number, high: number, low: number): void {
    const { amendments } = this;
    if (!this.index.find(a, b, c)) return;
    if (amendments.set(a, b, c, high, low)) this.#leaveAmendment(false);
    this.#account(this.slots[high >>> 16]!, unitsOf(high, low) * 8);
  }

  #forgetAmendment(a: number, b: number, c: number): void {
    if (this.amendments.size !== 0 && this.amendments.remove(a, b, c)) this.#leaveAmendment(false);
  }

  /** Places for keys that {@linkcode each} looks at, in all shards. */
  get places(): number {
    return this.index.places() + this.amendments.places();
  }

  /** Tells which records of a segment keys of a shard are at: items and amendments, in any order. */
  each(segment: Segment, shard: number, told: (offset: number, size: number) => void): void {
    const tell = (high: number, low: number) => told(offsetOf(low), this.#sizeAt(high, low));
    this.index.each(shard, segment.slot, tell);
    this.amendments.each(shard, segment.slot, tell);
  }

  /** {@linkcode each} for all shards. Holds up nobody. */
  async within(segment: Segment, told: (offset: number) => void): Promise<void> {
    const { index } = this;
    for (let shard = 0; shard < SHARDS; shard++) {
      this.each(segment, shard, told);
      if (shard % SHARDS_A_TURN === 0) await othersTurn();
      if (this.index !== index) return;
    }
  }

  /** Drops keys of segments that are gone, and counts what is alive, after the index was replaced. */
  recount(): void {
    const lengths = new Float64Array(1 << 16);
    for (const segment of this.slots) {
      if (segment !== undefined) lengths[segment.slot] = segment.length;
    }
    const bytes = this.index.sum(lengths);
    this.amendments.keep((a, b, c) => this.index.find(a, b, c));
    this.amendments.sum(lengths).forEach((more, slot) => bytes[slot] += more);
    this.live = 0;
    for (const segment of this.slots) {
      if (segment === undefined) continue;
      segment.live = bytes[segment.slot];
      this.live += segment.live;
    }
  }

  /** Makes every item absent. */
  clear(): void {
    // One that is empty is as good as a new one, which costs much where a client flushes on and on.
    if (this.index.size > 0) {
      this.flushed = this.index;
      this.index = new KeyIndex();
    }
    if (this.amendments.size > 0) this.amendments = new KeyIndex();
    for (const segment of this.slots) if (segment !== undefined) segment.live = 0;
    this.live = 0;
    this.#taken = 0;
  }

  /** The steps since the last call are there to stay. */
  settle(): void {
    this.#taken = 0;
  }

  /** Takes back all steps since the last {@linkcode settle}; tells the hash of each key. */
  undo(told: (a: number, b: number) => void): void {
    const steps = this.#steps;
    while (this.#taken > 0) {
      const at = this.#taken -= STEP;
      const a = steps[at];
      const b = steps[at + 1];
      const c = steps[at + 2];
      const high = steps[at + 3];
      const low = steps[at + 4];
      const size = steps[at + 5];
      const index = steps[at + 6] === OF_ITEM ? this.index : this.amendments;
      if (size > 0) {
        index.find(a, b, c);
        this.#account(this.slots[index.high >>> 16]!, -size);
      }
      if (high === 0) {
        index.remove(a, b, c);
      } else {
        index.set(a, b, c, high, low);
        this.#account(this.slots[high >>> 16]!, this.#sizeAt(high, low));
      }
      told(a, b);
    }
  }

  #account(segment: Segment, size: number): void {
    segment.live += size;
    this.live += size;
    assert(segment.live >= 0 && this.live >= 0, "live bytes are not negative");
  }

  #leave(replaced: boolean): void {
    const { segment } = this;
    this.#account(segment, -this.size);
    if (replaced && this.watchers.size > 0) {
      for (const watcher of this.watchers) watcher(segment, this.offset);
    }
  }

  #dropAmendment(a: number, b: number, c: number, replaced: boolean): boolean {
    const { amendments } = this;
    if (!amendments.remove(a, b, c)) return false;
    this.#leaveAmendment(replaced);
    this.#step(amendments, OF_AMENDMENT, a, b, c, true, 0);
    return true;
  }

  #leaveAmendment(replaced: boolean): void {
    const { segment, offset, size } = this.amendment;
    this.#account(segment, -size);
    if (replaced) { for (const watcher of this.watchers) watcher(segment, offset); }
  }

  /** Makes room for the two steps of a change, before any: what has changed can be taken back. */
  #makeRoom(): void {
    if (this.#taken + 2 * STEP <= this.#steps.length) return;
    const grown = new Uint32Array(this.#steps.length * 2);
    grown.set(this.#steps);
    this.#steps = grown;
  }

  #step(
    index: KeyIndex,
    of: number,
    a: number,
    b: number,
    c: number,
    had: boolean,
    size: number,
  ): void {
    const steps = this.#steps;
    const taken = this.#taken;
    steps[taken] = a;
    steps[taken + 1] = b;
    steps[taken + 2] = c;
    steps[taken + 3] = had ? index.high : 0;
    steps[taken + 4] = index.low;
    steps[taken + 5] = size;
    steps[taken + 6] = of;
    this.#taken = taken + STEP;
  }
}
