/**
 * Records in memory, newest first out last: what is read again gets a second round.
 *
 * Records lie in chunks of one ring, outside the JavaScript heap. The chunk that is written next is
 * the oldest: what was read in it since it was written slides to its front, the rest is forgotten. A record
 * that is as long as the key's last one takes its place, and so a second round too.
 * A table ({@linkcode Buckets}) leads from a key's hash to its record.
 *
 * A record of more than half a chunk, or of 64 KiB, has memory of its own ({@linkcode LargeRecords}). Three
 * quarters of the room are due to the ring and one to those; each takes more while the other does not need it.
 * Everything together stays within the bytes that the cache was given.
 *
 * @module
 */

import {
  giveMemory,
  ifThereIsMemory,
  ROOM_BEFORE,
  ROOM_BEHIND,
  takeMemory,
} from "../../../bytes.ts";
import { type Amended, CHECKSUM, LONG, RECORD_HEADER, State, Word } from "../format/record.ts";
import { type Chunk, chunkOf } from "./chunk.ts";
import { Buckets } from "./buckets.ts";
import { type Large, LargeRecords } from "./large_records.ts";

/** Before each record: the hash's first word, and the record's size in units of 8 bytes. */
const PREFIX = 8;
/** Set in the prefix's second word when the record was read. */
const READ = 0x80000000;
const TWO_32 = 2 ** 32;
/** Bytes of the longest header and key. */
const LONGEST_HEAD = RECORD_HEADER + 256;
/** The part of the room that is due to records with memory of their own. */
const LARGE_SHARE = 1 / 4;

/** What is known of accesses to an item. */
export interface Access {
  readonly fetched: boolean;
  /** Seconds since 1970. */
  readonly accessed: number;
}

/** The cache. A found record stays where it is until the next {@linkcode insert}. */
export class RecordCache {
  /** Where {@linkcode find} found a record: its chunk, and the record's first byte in that. */
  chunk: Chunk = chunkOf(0);
  at = 0;
  /** The record that was found, if its value has memory of its own: behind the key there is nothing then. */
  lender: Large | undefined = undefined;

  #chunkBytes = 0;
  /** The power of two that a chunk's units of 8 bytes are. */
  #chunkShift = 0;
  #chunkCount = 0;
  /** By their numbers; a number without a chunk is one that there was no room for, or that was given up. */
  #chunks: Array<Chunk | undefined> = [];
  /** Chunks that there are, and those that are due to the ring whatever else there is. */
  #allocated = 0;
  #leastChunks = 0;
  /** Bytes for chunks and large records together. */
  #room = 0;
  readonly #large = new LargeRecords();
  #current = -1;
  /** Its places are chunk * units + offset in units + 1. */
  #buckets = new Buckets(0, () => 0);
  #isOff = true;

  /** @param limit bytes for everything; too few for a chunk or two is no cache */
  constructor(limit: number) {
    this.resize(limit);
  }

  /**
   * Forgets everything, and keeps within another limit from here on.
   *
   * @throws {RangeError} where there is no memory for that; nothing has changed then
   */
  resize(limit: number): void {
    const buckets = new Buckets(limit / 16, (place) => this.#hashAt(place));
    this.#buckets = buckets;
    const room = this.#room = limit - buckets.words.byteLength;
    const { shift, count } = chunksFor(room);
    this.#chunkShift = shift;
    this.#chunkBytes = 8 << shift;
    this.#chunkCount = count;
    this.#leastChunks = Math.max(2, Math.floor(this.#chunkCount * (1 - LARGE_SHARE)));
    this.#chunks = [];
    this.#allocated = 0;
    this.#large.clear();
    this.#current = -1;
    this.#isOff = buckets.isNone || this.#chunkCount < 2;
  }

  /** The longest record that is kept, in bytes. */
  get longest(): number {
    return this.#isOff ? 0 : this.#room - this.#leastChunks * this.#chunkBytes;
  }

  /** Bytes in use. */
  get memory(): number {
    return this.#buckets.words.byteLength + this.#allocated * this.#chunkBytes + this.#large.bytes;
  }

  /**
   * Whether the record of the key is here that lies in `key` from `start` on; unless that is a peek, it gets
   * a second round.
   */
  find(
    a: number,
    b: number,
    key: Uint8Array,
    peek = false,
    start = 0,
    length = key.length,
  ): boolean {
    if (this.#isOff) return false;
    const table = this.#buckets.words;
    const first = this.#buckets.first(a);
    const end = this.#buckets.end(first);
    for (let way = first; way < end; way += 2) {
      if (table[way] !== b || table[way + 1] === 0) continue;
      const place = table[way + 1] - 1;
      const chunk = this.#chunks[place >>> this.#chunkShift]!;
      const at = (place & (1 << this.#chunkShift) - 1) * 8;
      const { words, bytes } = chunk;
      if (words[at >>> 2] !== a) continue;
      if ((words[(at + PREFIX >>> 2) + Word.kinds] & 0xff) !== length) continue;
      const from = at + PREFIX + RECORD_HEADER;
      let i = 0;
      while (i < length && bytes[from + i] === key[start + i]) i++;
      if (i !== length) continue;
      if (!peek && (words[(at >>> 2) + 1] & READ) === 0) words[(at >>> 2) + 1] |= READ;
      this.chunk = chunk;
      this.at = at + PREFIX;
      this.lender = undefined;
      return true;
    }
    return this.#large.size !== 0 && this.#findLarge(a, b, key, peek, start, length);
  }

  #findLarge(
    a: number,
    b: number,
    key: Uint8Array,
    peek: boolean,
    start: number,
    length: number,
  ): boolean {
    const found = this.#large.find(a, b, key, peek, start, length);
    if (found === undefined) return false;
    this.lender = found;
    this.chunk = found.head;
    this.at = 0;
    return true;
  }

  /** Notes an access in the record that was found or taken in last, for as long as it is here. */
  access(seconds: number): void {
    const { words } = this.chunk;
    const w = this.at >>> 2;
    // A line of memory that is read only stays as it is: nothing is written where nothing changes.
    if ((words[w + Word.kinds] & State.fetched << 16) === 0) {
      words[w + Word.kinds] |= State.fetched << 16;
    }
    if (words[w + Word.accessed] !== seconds) words[w + Word.accessed] = seconds;
  }

  /**
   * Gives a record other attributes.
   *
   * @param sequence the one that the record has had until then; another record stays as it is
   * @param from words of a record with the new attributes, from `at` on
   * @param base the sequence number of the record that has the item's value
   */
  amend(
    a: number,
    b: number,
    sequence: number,
    from: Uint32Array,
    at: number,
    base: number,
  ): void {
    const w = this.#locate(a, b, sequence);
    if (w < 0) return;
    const { words } = this.chunk;
    words[w + Word.kinds] = words[w + Word.kinds] & 0xff | from[at + Word.kinds] & ~0xff;
    for (let i = Word.flags; i <= Word.accessed; i++) words[w + i] = from[at + i];
    this.#setBase(w, base);
  }

  /** Gives the record that was taken in last what an amendment has changed. */
  amendLast({ state, flags, sequence, cas, time, accessed, base }: Amended): void {
    const { words, longs } = this.chunk;
    const w = this.at >>> 2;
    words[w + Word.kinds] = words[w + Word.kinds] & 0xffff | state << 16;
    words[w + Word.flags] = flags;
    words[w + Word.sequence] = sequence;
    words[w + Word.sequence + 1] = sequence / TWO_32;
    longs[w + Word.cas >>> 1] = cas;
    words[w + Word.time] = time;
    words[w + Word.time + 1] = time / TWO_32;
    words[w + Word.accessed] = accessed;
    this.#setBase(w, base);
  }

  /** The sequence number of the record that has the value of the amended item that was found last. */
  get base(): number {
    const { words } = this.chunk;
    const w = this.at >>> 2;
    return words[w + Word.checksum] + words[w + Word.segment] * TWO_32;
  }

  /** It stands where an item's record has what nobody asks for here. */
  #setBase(w: number, base: number): void {
    const { words } = this.chunk;
    words[w + Word.checksum] = base;
    words[w + Word.segment] = base / TWO_32;
  }

  /** What is known of accesses to the record with that sequence number, where it is here. */
  accessOf(a: number, b: number, sequence: number): Access | undefined {
    const w = this.#locate(a, b, sequence);
    if (w < 0) return undefined;
    const { words } = this.chunk;
    const fetched = (words[w + Word.kinds] >>> 16 & State.fetched) !== 0;
    return { fetched, accessed: words[w + Word.accessed] };
  }

  /** The first word of the record with that sequence number in {@linkcode chunk}; -1 if it is not here. */
  #locate(a: number, b: number, sequence: number): number {
    if (this.#isOff) return -1;
    const table = this.#buckets.words;
    const first = this.#buckets.first(a);
    const end = this.#buckets.end(first);
    for (let way = first; way < end; way += 2) {
      if (table[way] !== b || table[way + 1] === 0) continue;
      const place = table[way + 1] - 1;
      const chunk = this.#chunks[place >>> this.#chunkShift]!;
      const { words } = chunk;
      const w = (place & (1 << this.#chunkShift) - 1) * 2 + PREFIX / 4;
      const found = words[w + Word.sequence] + words[w + Word.sequence + 1] * TWO_32;
      if (words[w - PREFIX / 4] !== a || found !== sequence) continue;
      this.chunk = chunk;
      this.at = w * 4;
      return w;
    }
    const large = this.#large.size === 0 ? undefined : this.#large.of(a, b);
    if (large === undefined) return -1;
    const { words } = large.head;
    if (words[Word.sequence] + words[Word.sequence + 1] * TWO_32 !== sequence) return -1;
    this.chunk = large.head;
    return this.at = 0;
  }

  /**
   * Takes in a record, in the place of the key's last one; returns whether it is kept.
   *
   * @param rest the record's bytes behind its checksum, which nobody asks for here
   */
  insert(a: number, b: number, rest: Uint8Array): boolean {
    const size = CHECKSUM + rest.length;
    if (size >= LONG || size > (this.#chunkBytes >>> 1) - PREFIX || this.#isOff) {
      return this.#insertLarge(a, b, rest);
    }
    if (this.#large.size !== 0) this.#large.forget(a, b);
    const table = this.#buckets.words;
    const way = this.#buckets.take(a, b);
    if (table[way] === b && this.#overwrite(a, table[way + 1], rest, size)) return true;
    const needed = size + PREFIX;
    let chunk = this.#chunks[this.#current];
    if (chunk === undefined || chunk.used + needed > this.#chunkBytes) {
      chunk = this.#nextChunk(needed);
      if (chunk === undefined) {
        this.#buckets.forget(a, b);
        return false;
      }
    }
    const to = chunk.used;
    chunk.used = to + needed;
    chunk.words[to >>> 2] = a;
    chunk.words[(to >>> 2) + 1] = size >>> 3;
    chunk.bytes.set(rest, to + PREFIX + CHECKSUM);
    // That it is another key whose hash looks the same from here is so rare, and costs that key's record only.
    table[way] = b;
    table[way + 1] = this.#placeOf(this.#current, to);
    this.chunk = chunk;
    this.at = to + PREFIX;
    return true;
  }

  /**
   * Puts a record where the key's last one is, if that is as long: keys that are set again and again stay
   * on the same lines of the processor's caches.
   */
  #overwrite(a: number, place: number, rest: Uint8Array, size: number): boolean {
    if (place === 0) return false;
    const chunk = this.#chunks[place - 1 >>> this.#chunkShift]!;
    const at = (place - 1 & (1 << this.#chunkShift) - 1) * 8;
    const { words, bytes } = chunk;
    if (words[at >>> 2] !== a || (words[(at >>> 2) + 1] & ~READ) !== size >>> 3) return false;
    words[(at >>> 2) + 1] = size >>> 3 | READ;
    bytes.set(rest, at + PREFIX + CHECKSUM);
    this.chunk = chunk;
    this.at = at + PREFIX;
    return true;
  }

  #insertLarge(a: number, b: number, rest: Uint8Array): boolean {
    const head = RECORD_HEADER - CHECKSUM + rest[0];
    const memory = this.#memoryOf(rest.subarray(head));
    if (memory === undefined) {
      this.forget(a, b);
      return false;
    }
    this.keep(a, b, rest.subarray(0, head), memory, ROOM_BEFORE);
    return true;
  }

  /** Memory that is kept and has a value from {@linkcode ROOM_BEFORE} on; nothing where there is none for it. */
  #memoryOf(value: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    const needed = ROOM_BEFORE + value.length + ROOM_BEHIND;
    if (needed > this.longest) return undefined;
    const memory = ifThereIsMemory(() => takeMemory(needed));
    if (memory === undefined) return undefined;
    memory.set(value, ROOM_BEFORE);
    if (this.makeRoom(memory.length)) return memory;
    giveMemory(memory);
    return undefined;
  }

  /**
   * Lets others go until there is room for a {@linkcode LONG} record whose value has memory of so many bytes;
   * returns whether there is, for {@linkcode keep}.
   */
  makeRoom(memory: number): boolean {
    const bytes = memory + LONGEST_HEAD;
    if (bytes > this.longest) return false;
    const large = this.#large;
    const chunkBytes = this.#chunkBytes;
    const room = this.#room - bytes;
    const isOver = () => this.#allocated * chunkBytes + large.bytes > room;
    while (isOver() && this.#allocated > this.#leastChunks) this.#giveUpChunk();
    large.shrink(Math.max(0, room - this.#allocated * chunkBytes));
    return !isOver();
  }

  /**
   * Takes in a record, in the place of the key's last, with the memory that its value lies in.
   *
   * @param rest header and key, without the checksum
   * @param start where the value begins in `memory`
   */
  keep(
    a: number,
    b: number,
    rest: Uint8Array,
    memory: Uint8Array<ArrayBuffer>,
    start: number,
  ): void {
    this.forget(a, b);
    this.chunk = this.#large.insert(a, b, rest, memory, start);
    this.at = 0;
  }

  /** Drops the key's record, if it is here. */
  forget(a: number, b: number): void {
    if (this.#isOff) return;
    if (this.#large.size !== 0) this.#large.forget(a, b);
    this.#buckets.forget(a, b);
  }

  /** What the table says of a record at a byte of a chunk. */
  #placeOf(index: number, at: number): number {
    return ((index << this.#chunkShift | at >>> 3) >>> 0) + 1;
  }

  /** The first word of the hash of the record at a place. */
  #hashAt(place: number): number {
    const at = (place - 1 & (1 << this.#chunkShift) - 1) * 2;
    return this.#chunks[place - 1 >>> this.#chunkShift]!.words[at];
  }

  /** Makes the oldest chunk the current one, with room for `needed` bytes; nothing where there is none. */
  #nextChunk(needed: number): Chunk | undefined {
    let index = this.#nextIndex();
    let chunk = this.#chunks[index] ?? this.#newChunk(index);
    if (chunk === undefined) {
      // A machine without memory has those that there are, or serves from the disk.
      if (this.#allocated === 0) return undefined;
      index = this.#oldest();
      chunk = this.#chunks[index]!;
    }
    this.#current = index;
    const { bytes, words, used } = chunk;
    const room = this.#chunkBytes - Math.max(needed, this.#chunkBytes >>> 2);
    let kept = 0;
    for (let at = 0; at < used;) {
      const a = words[at >>> 2];
      const second = words[(at >>> 2) + 1];
      const size = (second & ~READ) * 8 + PREFIX;
      const way = this.#buckets.wayOf(a, this.#placeOf(index, at));
      if (way >= 0) {
        if ((second & READ) !== 0 && kept + size <= room) {
          if (kept !== at) bytes.copyWithin(kept, at, at + size);
          words[(kept >>> 2) + 1] = size - PREFIX >>> 3;
          this.#buckets.words[way + 1] = this.#placeOf(index, kept);
          kept += size;
        } else {
          this.#buckets.words[way + 1] = 0;
        }
      }
      at += size;
    }
    chunk.used = kept;
    return chunk;
  }

  /** Adds the chunk of a number, if there is memory for it. */
  #newChunk(index: number): Chunk | undefined {
    const chunk = ifThereIsMemory(() => chunkOf(this.#chunkBytes));
    if (chunk === undefined) return undefined;
    this.#chunks[index] = chunk;
    this.#allocated++;
    return chunk;
  }

  /** The number of the chunk that is written next: the oldest, or one more where there is room. */
  #nextIndex(): number {
    for (let index = this.#current;;) {
      index = (index + 1) % this.#chunkCount;
      if (this.#chunks[index] !== undefined) return index;
      const bytes = (this.#allocated + 1) * this.#chunkBytes;
      if (this.#allocated < this.#leastChunks) this.#large.shrink(this.#room - bytes);
      if (bytes + this.#large.bytes <= this.#room) return index;
    }
  }

  /** The number of the oldest chunk that there is: the current one only where there is no other. */
  #oldest(): number {
    let index = this.#current;
    do index = (index + 1) % this.#chunkCount; while (this.#chunks[index] === undefined);
    return index;
  }

  /** Forgets the oldest chunk that is not written to, and gives its memory back. */
  #giveUpChunk(): void {
    const index = this.#oldest();
    const { words, used } = this.#chunks[index]!;
    for (let at = 0; at < used;) {
      const way = this.#buckets.wayOf(words[at >>> 2], this.#placeOf(index, at));
      if (way >= 0) this.#buckets.words[way + 1] = 0;
      at += (words[(at >>> 2) + 1] & ~READ) * 8 + PREFIX;
    }
    this.#chunks[index] = undefined;
    this.#allocated--;
  }
}

/**
 * How many chunks a ring of so many bytes has at most, and the power of two that the units of 8 bytes of each are.
 * Places are told apart by shifts, which a read has more of than of anything else, and have 32 bits: a ring has
 * less than 32 GiB, and what remains is for records with memory of their own.
 */
export function chunksFor(room: number): { shift: number; count: number } {
  const asked = Math.min(1 << 20, Math.max(1 << 14, Math.floor(room / 32)));
  const shift = 31 - Math.clz32(asked) - 3;
  const count = Math.min(Math.floor(room / (8 << shift)), 2 ** (32 - shift) - 1);
  return { shift, count };
}
