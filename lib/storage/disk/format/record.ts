/**
 * One record of the log: FORMAT.md, "Record".
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { copyWords } from "../../../bytes.ts";
import { assert } from "../../../errors.ts";
import { type Attributes, type NewItem, valueLengthOf } from "../../contract.ts";

/** Bytes before the key. */
export const RECORD_HEADER = 48;

/** Bytes of the checksum, the first thing in a record. */
export const CHECKSUM = 4;

/** Where the fields of a record stand in it, in words of 4 bytes; numbers of 8 bytes take two. */
export const Word = {
  /** CRC-32 of all that follows. */
  checksum: 0,
  /** Length of the key, {@linkcode Kind} << 8, {@linkcode State} << 16. */
  kinds: 1,
  valueLength: 2,
  flags: 3,
  sequence: 4,
  cas: 6,
  time: 8,
  accessed: 10,
  segment: 11,
} as const;

/** What a record says. */
export const Kind = {
  item: 1,
  tombstone: 2,
  flush: 3,
  flushToCome: 4,
  marker: 5,
  amendment: 6,
} as const;

/** Bits of an item's state. */
export const State = { stale: 1, won: 2, fetched: 4, binaryKey: 8 } as const;

/** Bytes in the place of an amendment's value. */
export const AMENDMENT_BYTES = 16;

/** Uniques below this that a client sets move the sequence behind them. */
export const FOLLOWED_CAS = 1n << 52n;

/**
 * A record of so many bytes and more has memory of its own where it is cached, and its value is written to the log
 * from there, by a call of its own: to copy it would take longer than that.
 */
export const LONG = 1 << 16;

/** The greatest time that is kept, in milliseconds; far enough, and exact in a double. */
const LAST_TIME = 2 ** 48 - 1;

/** Memory for records that is kept while there are none, in bytes. */
const MOST_KEPT = 2 << 20;
const TWO_32 = 2 ** 32;
const NO_BYTES = new Uint8Array(0);
/**
 * A record of up to so many bytes is made where there are views of it, and copied to what is pending: a view, which
 * its checksum needs, costs more than to copy so little.
 */
const SHORT = 256;

/** What a record says beside key and value. FORMAT.md, "Record", tells which kind means what by it. */
export interface RecordFields {
  readonly kind: number;
  readonly state: number;
  readonly flags: number;
  readonly sequence: number;
  /** 0 stands for the sequence number. */
  readonly cas: bigint;
  /** Milliseconds since 1970, or an offset. */
  readonly time: number;
  /** Seconds since 1970. */
  readonly accessed: number;
  readonly segment: number;
}

/** What an amendment changes. */
export type Amended = Omit<RecordFields, "kind" | "segment"> & {
  /** The sequence number of the item's record whose value stays. */
  readonly base: number;
};

/** The state bits of an item. */
export function stateOf(item: Attributes): number {
  return (item.stale ? State.stale : 0) | (item.won ? State.won : 0) |
    (item.fetched ? State.fetched : 0) | (item.binaryKey ? State.binaryKey : 0);
}

/** The bytes that a record takes in the log. */
export function recordSize(keyLength: number, valueLength: number): number {
  return (RECORD_HEADER + 7 + keyLength + valueLength) & ~7;
}

/** Whether a record may have these lengths; whether it is one, its checksum tells. */
export function isPlausible(kinds: number, valueLength: number): boolean {
  const kind = kinds >>> 8 & 0xff;
  if (kind === 0 || kind > Kind.amendment || kinds > 0xffffff || (kinds & 0xff) > 250) return false;
  return kind === Kind.amendment ? valueLength === AMENDMENT_BYTES : valueLength <= 0x7ffffe00;
}

/** What stands in the place of an amendment's value. */
export function encodeAmendment(base: number, itemLength: number, into: DataView): void {
  into.setUint32(0, base >>> 0, true);
  into.setUint32(4, base / TWO_32, true);
  into.setUint32(8, itemLength, true);
}

/** What the seeds of all places in a segment have in common. */
export function segmentSeed(hashKey: Uint8Array, segment: number): number {
  return crc32(hashKey) ^ Math.imul(segment, 0x9e3779b1);
}

/** The checksum of a record whose bytes after the first four are `rest`. */
function checksum(rest: Uint8Array, seed: number, offset: number): number {
  return crc32(rest, (seed ^ Math.imul(offset, 0x85ebca6b)) >>> 0);
}

/** Some memory, seen in the ways that a record is written. */
class Memory {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly longs: BigUint64Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;

  constructor(readonly bytes: Uint8Array<ArrayBuffer>) {
    this.words = new Uint32Array(bytes.buffer);
    this.longs = new BigUint64Array(bytes.buffer);
    this.view = new DataView(bytes.buffer);
  }
}

/** Where short records are made; and the views behind their checksums, by their sizes in units of 8 bytes. */
const short = new Memory(new Uint8Array(SHORT));
const shortRests = Array.from(
  { length: SHORT / 8 + 1 },
  (_, units) => units === 0 ? NO_BYTES : short.bytes.subarray(CHECKSUM, units * 8),
);

/** Memory that records are written into, each at a multiple of 8. */
export class RecordBuffer {
  length = 0;
  /** The bytes behind its checksum of the record that was appended last, none where all is forgotten. */
  rest: Uint8Array = NO_BYTES;
  #memory: Memory;

  readonly #initial: number;

  /** @param initial bytes of memory at the beginning */
  constructor(initial: number) {
    this.#initial = (initial + 7) & ~7;
    this.#memory = new Memory(new Uint8Array(this.#initial));
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#memory.bytes;
  }

  get words(): Uint32Array<ArrayBuffer> {
    return this.#memory.words;
  }

  #reserve(more: number): void {
    const needed = this.length + more;
    const { bytes } = this;
    if (needed <= bytes.length) return;
    const grown = new Uint8Array(Math.max((needed + 7) & ~7, bytes.length * 2));
    grown.set(bytes.subarray(0, this.length));
    this.#memory = new Memory(grown);
  }

  /**
   * Appends a record.
   *
   * @param seed of the segment that the record will be in
   * @param offset of the record in that segment
   */
  put(
    fields: RecordFields,
    key: Uint8Array,
    value: Uint8Array,
    seed: number,
    offset: number,
  ): void {
    const keyLength = key.length;
    const valueLength = value.length;
    const size = recordSize(keyLength, valueLength);
    const memory = this.#begin(size);
    const at = memory === short ? 0 : this.length;
    if (valueLength !== 0) memory.bytes.set(value, at + RECORD_HEADER + keyLength);
    putKey(memory, at, key, 0, keyLength);
    putFields(memory, at, fields, keyLength, valueLength);
    this.#seal(memory, at, size, seed, offset);
  }

  /**
   * {@linkcode put} of an item, of whose value no view is made where it can do without.
   *
   * @param keyStart where the key begins in `key`
   */
  putItem(
    fields: RecordFields,
    key: Uint8Array,
    item: NewItem,
    seed: number,
    offset: number,
    keyStart: number,
    keyLength: number,
  ): void {
    const valueLength = valueLengthOf(item);
    const size = recordSize(keyLength, valueLength);
    const memory = this.#begin(size);
    const at = memory === short ? 0 : this.length;
    const from = at + RECORD_HEADER + keyLength;
    if (item.copyTo !== undefined) item.copyTo(memory.bytes, memory.view, from);
    else if (valueLength !== 0) memory.bytes.set(item.value, from);
    putKey(memory, at, key, keyStart, keyLength);
    putFields(memory, at, fields, keyLength, valueLength);
    this.#seal(memory, at, size, seed, offset);
  }

  /**
   * Appends what stands before the value of a record that ends elsewhere. Nothing may be appended behind it.
   *
   * @param keyStart where the key begins in `key`
   * @param tail the value and the padding at the record's end
   */
  putHead(
    fields: RecordFields,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    valueLength: number,
    tail: Uint8Array,
    seed: number,
    offset: number,
  ): void {
    const at = this.length;
    const size = RECORD_HEADER + keyLength;
    if (at + size > this.bytes.length) this.#reserve(size);
    putKey(this.#memory, at, key, keyStart, keyLength);
    putFields(this.#memory, at, fields, keyLength, valueLength);
    const head = checksum(this.bytes.subarray(at + CHECKSUM, at + size), seed, offset);
    this.words[(at >>> 2) + Word.checksum] = crc32(tail, head);
    this.rest = NO_BYTES;
    this.length = at + size;
  }

  /**
   * Where a record is to be made, with the padding at its end: that comes before the value, which may be a view of
   * memory that the rest goes over.
   */
  #begin(size: number): Memory {
    if (this.length + size > this.bytes.length) this.#reserve(size);
    const memory = size <= SHORT ? short : this.#memory;
    const end = (memory === short ? 0 : this.length) + size >>> 2;
    memory.words[end - 1] = 0;
    memory.words[end - 2] = 0;
    return memory;
  }

  /** Appends what was made at `at`, with its checksum. */
  #seal(memory: Memory, at: number, size: number, seed: number, offset: number): void {
    const isShort = memory === short;
    const rest = isShort ? shortRests[size >>> 3] : memory.bytes.subarray(at + CHECKSUM, at + size);
    memory.words[(at >>> 2) + Word.checksum] = checksum(rest, seed, offset);
    if (isShort) copyWords(memory.view, 0, size, this.#memory.view, this.length);
    this.rest = rest;
    this.length += size;
  }

  /** Forgets everything, and frees memory beyond two mebibytes. */
  clear(): void {
    this.length = 0;
    this.rest = NO_BYTES;
    if (this.bytes.length > Math.max(MOST_KEPT, this.#initial)) {
      this.#memory = new Memory(new Uint8Array(this.#initial));
    }
  }
}

function putKey(
  { bytes }: Memory,
  at: number,
  key: Uint8Array,
  start: number,
  length: number,
): void {
  const from = at + RECORD_HEADER;
  for (let i = 0; i < length; i++) bytes[from + i] = key[start + i];
}

/** Writes the header of the record at `at`, but for the checksum. */
function putFields(
  { words, longs }: Memory,
  at: number,
  fields: RecordFields,
  keyLength: number,
  valueLength: number,
): void {
  const { sequence, cas, time } = fields;
  const w = at >>> 2;
  words[w + Word.kinds] = keyLength | fields.kind << 8 | fields.state << 16;
  words[w + Word.valueLength] = valueLength;
  words[w + Word.flags] = fields.flags;
  words[w + Word.sequence] = sequence;
  words[w + Word.sequence + 1] = sequence / TWO_32;
  if (cas === 0n) {
    words[w + Word.cas] = sequence;
    words[w + Word.cas + 1] = sequence / TWO_32;
  } else {
    longs[(at >>> 3) + Word.cas / 2] = cas;
  }
  const kept = time <= 0 ? (time === 0 ? 0 : 1) : time > LAST_TIME ? LAST_TIME : time;
  words[w + Word.time] = kept;
  words[w + Word.time + 1] = kept / TWO_32;
  words[w + Word.accessed] = fields.accessed;
  words[w + Word.segment] = fields.segment;
}

/** A record as it is read: the fields of the last one that {@linkcode parse} found whole. */
export class RecordReader implements RecordFields, Amended {
  kind = 0;
  state = 0;
  keyLength = 0;
  valueLength = 0;
  flags = 0;
  sequence = 0;
  cas = 0n;
  time = 0;
  accessed = 0;
  segment = 0;
  /** The sequence number of the record that has the item's value: its own, unless that is amended. */
  base = 0;
  /** The length of the item's value, in bytes; {@linkcode valueLength} is that of the record's own. */
  itemLength = 0;
  /** The bytes that it takes in the log. */
  size = 0;
  /** Where it begins in {@linkcode bytes}. */
  at = 0;
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** Chooses the memory that is read from. */
  over(bytes: Uint8Array<ArrayBuffer>): void {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * Reads the record at `at` of the memory, which is at `offset` of its segment.
   *
   * @param end where the memory's content ends
   * @returns whether there is a whole record. If not, {@linkcode size} is how many bytes it would
   *   take if its lengths were true and end after `end`, and 0 if more bytes would not help.
   */
  parse(at: number, end: number, seed: number, offset: number): boolean {
    const view = this.#view;
    this.size = 0;
    if (at + RECORD_HEADER > end) {
      this.size = RECORD_HEADER;
      return false;
    }
    const kinds = view.getUint32(at + 4 * Word.kinds, true);
    const valueLength = view.getUint32(at + 4 * Word.valueLength, true);
    if (!isPlausible(kinds, valueLength)) return false;
    const kind = kinds >>> 8 & 0xff;
    const keyLength = kinds & 0xff;
    const size = recordSize(keyLength, valueLength);
    if (at + size > end) {
      this.size = size;
      return false;
    }
    const sum = checksum(this.bytes.subarray(at + CHECKSUM, at + size), seed, offset);
    if (sum !== view.getUint32(at, true)) return false;
    this.kind = kind;
    this.state = kinds >>> 16;
    this.keyLength = keyLength;
    this.valueLength = valueLength;
    this.flags = view.getUint32(at + 4 * Word.flags, true);
    this.sequence = this.base = this.#uint64(at + 4 * Word.sequence);
    this.itemLength = valueLength;
    if (kind === Kind.amendment) {
      const behind = at + RECORD_HEADER + keyLength;
      this.base = this.#uint64(behind);
      this.itemLength = view.getUint32(behind + 8, true);
    }
    this.cas = view.getBigUint64(at + 4 * Word.cas, true);
    this.time = this.#uint64(at + 4 * Word.time);
    this.accessed = view.getUint32(at + 4 * Word.accessed, true);
    this.segment = view.getUint32(at + 4 * Word.segment, true);
    this.size = size;
    this.at = at;
    return true;
  }

  /** The unique that a client has set and the sequence follows, 0 for none. */
  get followed(): number {
    return this.cas < FOLLOWED_CAS ? Number(this.cas) : 0;
  }

  /** Takes over what an amendment of this item has changed. */
  amend(amended: Amended): void {
    assert(amended.base === this.base, "an amendment is of the item that it stands behind");
    this.state = amended.state;
    this.flags = amended.flags;
    this.sequence = amended.sequence;
    this.cas = amended.cas;
    this.time = amended.time;
    this.accessed = amended.accessed;
  }

  #uint64(at: number): number {
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * TWO_32;
  }

  /** Whether the record is of this key. */
  isOf(key: Uint8Array): boolean {
    const length = key.length;
    if (length !== this.keyLength) return false;
    const { bytes } = this;
    const at = this.at + RECORD_HEADER;
    for (let i = 0; i < length; i++) if (bytes[at + i] !== key[i]) return false;
    return true;
  }

  /** The bytes behind the checksum, as a view. */
  rest(): Uint8Array {
    return this.bytes.subarray(this.at + CHECKSUM, this.at + this.size);
  }

  /** The key's bytes, as a view. */
  key(): Uint8Array {
    const at = this.at + RECORD_HEADER;
    return this.bytes.subarray(at, at + this.keyLength);
  }

  /** The value's bytes, as a view. */
  value(): Uint8Array {
    const at = this.at + RECORD_HEADER + this.keyLength;
    return this.bytes.subarray(at, at + this.valueLength);
  }
}
