/**
 * Bytes, as every part needs them: a buffer that grows, numbers in ASCII digits, and keys as text.
 *
 * @module
 */

import { Buffer } from "node:buffer";

const encoder = new TextEncoder();

/** The bytes of a text in UTF-8; of an ASCII text, its characters. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/**
 * One character for each byte, U+0000 to U+00FF: the only text that stands for any bytes and back.
 * (`TextDecoder("latin1")` is windows-1252 and is not that.)
 */
export function binaryString(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(
    "latin1",
  );
}

/** The bytes of a {@linkcode binaryString}. */
export function bytesOfBinaryString(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** {@linkcode ByteBuffer.percentEncoded} as text: no byte of it ends a word or a line. */
export function percentText(bytes: Uint8Array): string {
  const out = new ByteBuffer(3 * bytes.length);
  out.percentEncoded(bytes);
  return binaryString(out.view());
}

/** Whether two runs of bytes are the same. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  const length = a.length;
  if (length !== b.length) return false;
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** How many decimal digits an unsigned integer up to 2^53 has. */
export function digitsOf(value: number): number {
  let digits = 1;
  for (let bound = 10; value >= bound; bound *= 10) digits++;
  return digits;
}

const HEX = "0123456789ABCDEF";

/** Letters, digits and `-._~` (RFC 3986, section 2.3). */
function isUnreserved(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x2e || byte === 0x5f ||
    byte === 0x7e;
}

/** Memory of so many bytes is worth giving back by itself. */
const WORTH_FREEING = 32 * 1024;

/**
 * Gives memory back that nobody will read or write again, without waiting for the garbage collector, which
 * does not come while nothing happens. Views of it are empty from then on.
 */
export function free(bytes: Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): void {
  if (bytes.byteLength >= WORTH_FREEING) bytes.buffer.transfer(0);
}

/** Bytes of memory that is kept to be used again, and the pieces that it is in, at most. */
const MOST_SPARE = 32 * 2 ** 20;
const MOST_PIECES = 64;
/** Pieces of at least so many bytes are kept. */
const LEAST_PIECE = 16 * 1024;
/** Memory is taken in pages of so many bytes: one for a value fits the next of about that length. */
const PAGE = 4096;
/** What is taken is at most so much longer than was asked for, as a part of that, and a page. */
const MOST_BEYOND = 1 / 4;
const spare: Uint8Array<ArrayBuffer>[] = [];
let spareBytes = 0;
/** The least that {@linkcode spareBytes} has been since {@linkcode trimMemory} was called. */
let unused = 0;

/**
 * Memory of at least so many bytes, with anything in it. What {@linkcode giveMemory} has got is used
 * again: new memory is filled with zeros first, a page at a time, which costs more than to copy a value.
 *
 * @param slack how much longer it may be, as a part of that
 */
export function takeMemory(bytes: number, slack = MOST_BEYOND): Uint8Array<ArrayBuffer> {
  if (bytes < LEAST_PIECE) return new Uint8Array(bytes);
  return takeSpare(bytes, slack) ?? new Uint8Array(Math.ceil(bytes / PAGE) * PAGE);
}

/** {@linkcode takeMemory} of what {@linkcode giveMemory} has got; nothing where none of that fits. */
export function takeSpare(bytes: number, slack: number): Uint8Array<ArrayBuffer> | undefined {
  const most = bytes + slack * bytes + PAGE;
  for (let i = spare.length - 1; i >= 0; i--) {
    const piece = spare[i];
    if (piece.length < bytes || piece.length > most) continue;
    spare.splice(i, 1);
    spareBytes -= piece.length;
    if (spareBytes < unused) unused = spareBytes;
    return piece;
  }
  return undefined;
}

/** {@linkcode free} of memory that {@linkcode takeMemory} may return: nobody has a view of it any more. */
export function giveMemory(bytes: Uint8Array<ArrayBuffer>): void {
  const { length } = bytes;
  if (length < LEAST_PIECE) return;
  if (length > MOST_SPARE) return free(bytes);
  while (spare.length === MOST_PIECES || spareBytes + length > MOST_SPARE) dropOldest();
  spare.push(bytes);
  spareBytes += length;
}

/** Frees half of what nobody has needed since the last call: to be called once a second. */
export function trimMemory(): void {
  const keep = spareBytes - unused / 2;
  while (spareBytes > keep) dropOldest();
  unused = spareBytes;
}

/** Frees the piece that nobody has taken for the longest time. */
function dropOldest(): void {
  const piece = spare.shift()!;
  spareBytes -= piece.length;
  if (spareBytes < unused) unused = spareBytes;
  free(piece);
}

/**
 * Memory whose owner leaves what it has shown of it as it is, and lets {@linkcode ROOM_BEHIND} bytes behind
 * that be written by who has borrowed it, as long as there are borrowers.
 */
export interface Lender {
  borrowers: number;
  /** Bytes before what it has shown that may be written too; 0 for none. */
  readonly roomBefore: number;
  /** Nobody looks any more at what it has shown, but for those who have borrowed it. */
  release?(): void;
}

/**
 * Who has received a value into memory that {@linkcode takeMemory} has returned, and may give that away: a store
 * keeps it in the place of a copy. The first {@linkcode ROOM_OF_HEADER} bytes of it are free.
 */
export interface Giver {
  /** Whether the memory that a value lies in may be had now. */
  offers(value: Uint8Array): boolean;
  /**
   * Hands over the memory that was offered last, all of it. What its giver has there beside the request that
   * brought the value moves elsewhere. The request may be read there until it is answered.
   */
  give(): Uint8Array<ArrayBuffer>;
}

/**
 * Whether memory that a value has arrived in may be kept with it: it has so much room before the value, some behind
 * it, and is hardly longer than the `size` bytes that would be kept otherwise.
 */
export function isWorthKeeping(
  { byteOffset, length, buffer }: Uint8Array,
  before: number,
  size: number,
): boolean {
  const { byteLength } = buffer;
  return byteOffset >= before && byteOffset + length + ROOM_BEHIND <= byteLength &&
    byteLength <= size + SLACK_OF_GIVEN * size + MOST_MORE;
}

/** Memory that is kept is longer by what its giver allows, and so many bytes for the request's line. */
const MOST_MORE = 8 * 1024;
/** Values of so many bytes and more may be given with their memory. */
export const LEAST_GIVEN = 64 * 1024;
/** Bytes that are free at the beginning of such memory: for a record's header and the longest key. */
export const ROOM_OF_HEADER = 344;
/** Such memory is at most so much longer than its request, as a part of that: it may be kept for long. */
export const SLACK_OF_GIVEN = 1 / 16;
/** Bytes behind what is borrowed. */
export const ROOM_BEHIND = 8;
/** Bytes before what is borrowed, where its owner has room: more than what a reply begins with. */
export const ROOM_BEFORE = 304;
/** So many bytes and more are borrowed: to copy fewer takes less than a second write to a socket does. */
const LEAST_BORROWED = 192 * 1024;
/** The same where one write takes all, as there is room before them. */
const LEAST_JOINED = 32 * 1024;
/** Of what could be borrowed, so much goes with the bytes before it: a write of few bytes is dear. */
const NOT_BORROWED = 8 * 1024;

/** Up to so many bytes {@linkcode copyWords} takes less time than `set` and the view that it needs. */
export const MOST_BY_WORDS = 192;

const views = new WeakMap<Uint8Array, DataView>();
let viewed: Uint8Array = new Uint8Array(0);
let lastView = new DataView(viewed.buffer);

/**
 * A view of some bytes for {@linkcode copyWords}, which is kept as long as they are: for memory that is used
 * again and again, as a connection's. The last one is at hand: the requests of a batch lie in one memory.
 */
export function dataViewOf(bytes: Uint8Array): DataView {
  if (bytes === viewed) return lastView;
  let view = views.get(bytes);
  if (view === undefined) {
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    views.set(bytes, view);
  }
  viewed = bytes;
  return lastView = view;
}

/**
 * Copies a few bytes from one place to another, of which none is in both, or all are. It does so by words of
 * 8 bytes; the last one overlaps the one before.
 */
export function copyWords(
  from: DataView,
  start: number,
  length: number,
  to: DataView,
  at: number,
): void {
  const last = length - 8;
  if (last < 0) {
    for (let i = 0; i < length; i++) to.setUint8(at + i, from.getUint8(start + i));
    return;
  }
  for (let i = 0; i < last; i += 8) {
    to.setBigUint64(at + i, from.getBigUint64(start + i, true), true);
  }
  to.setBigUint64(at + last, from.getBigUint64(start + last, true), true);
}

/** The least memory that is taken for bytes, where there is need of any. */
const LEAST_ROOM = 256;
/** Up to so many bytes a loop copies faster than a call of `set`. */
const FEW = 16;
const NO_BYTES = new Uint8Array(0);

/** Bytes that are written one after another into memory that grows as they come. */
export class ByteBuffer {
  /** The memory; what was written is its first {@linkcode length} bytes. */
  bytes: Uint8Array<ArrayBuffer>;
  /** How many bytes were written since the last {@linkcode clear}. */
  length = 0;
  /** The last view of `bytes`, or nothing: what is written again and again often has one length. */
  #view = NO_BYTES;
  /** `bytes` for {@linkcode copyWords}, once that was called. */
  #words: DataView | undefined = undefined;

  /** Bytes that lie elsewhere and are borrowed, whose they are, and where they belong among those here. */
  #borrowed: Uint8Array = NO_BYTES;
  #lender: Lender | undefined = undefined;
  #borrowedAt = 0;

  readonly #initial: number;
  readonly #frees: boolean;

  /**
   * @param initial the bytes of memory that it begins with
   * @param frees whether memory that it has outgrown is freed, as nobody keeps a view of it
   */
  constructor(initial = 1024, frees = false) {
    this.#initial = initial;
    this.#frees = frees;

    this.bytes = initial === 0 ? NO_BYTES : new Uint8Array(initial);
  }

  /** Makes room for `more` bytes; what was written stays. */
  reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const room = Math.max(needed, this.bytes.length * 2, LEAST_ROOM);
    const grown = this.#frees ? takeMemory(room) : new Uint8Array(room);
    grown.set(this.bytes.subarray(0, this.length));
    if (this.#frees) giveMemory(this.bytes);
    this.bytes = grown;
    this.#view = NO_BYTES;
    this.#words = undefined;
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.reserve(1);
    this.bytes[this.length++] = value;
  }

  append(bytes: Uint8Array): void {
    const { length } = bytes;
    // A word of a reply is copied by a loop for less than what the call of `set` costs.
    if (length <= FEW) return this.appendPart(bytes, 0, length);
    this.reserve(length);
    this.bytes.set(bytes, this.length);
    this.length += length;
  }

  /** {@linkcode append} of the bytes from `start` to `end` of memory that `bytes` and `view` are all of. */
  appendFrom(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const length = end - start;
    if (length > MOST_BY_WORDS) return this.append(bytes.subarray(start, end));
    this.reserve(length);
    this.#words ??= dataViewOf(this.bytes);
    copyWords(view, start, length, this.#words, this.length);
    this.length += length;
  }

  /** Bytes that were written since the last {@linkcode clear}, or borrowed. */
  get total(): number {
    return this.length + this.#borrowed.length;
  }

  /** Whether some of it is borrowed. */
  get isBorrowed(): boolean {
    return this.#lender !== undefined;
  }

  /**
   * {@linkcode append} of many bytes that mostly stay where they are, if they have a lender, and of one at a
   * time. From then on what was written is read by {@linkcode parts}.
   */
  borrow(bytes: Uint8Array, lender: Lender | undefined): void {
    if (lender === undefined || !this.#borrows(bytes.length, lender)) return this.append(bytes);
    const joined = joinedBefore(bytes, this.bytes, this.length, lender);
    if (joined !== undefined) {
      this.#borrowed = joined;
      this.length = 0;
    } else if (bytes.length < LEAST_BORROWED) return this.append(bytes);
    else {
      const own = Math.max(0, NOT_BORROWED - this.length);
      this.append(bytes.subarray(0, own));
      this.#borrowed = bytes.subarray(own);
    }
    this.#borrowedAt = this.length;
    this.#lender = lender;
    lender.borrowers++;
  }

  /** {@linkcode reserve} for a value of so many bytes, which may be borrowed, and for others beside it. */
  reserveWith(length: number, lender: Lender | undefined, others: number): void {
    if (!this.#borrows(length, lender)) this.reserve(others + length);
    else this.reserve(others + (lender!.roomBefore > 0 ? 0 : NOT_BORROWED));
  }

  #borrows(length: number, lender: Lender | undefined): boolean {
    if (lender === undefined || this.#lender !== undefined) return false;
    return length >= (lender.roomBefore > 0 ? LEAST_JOINED : LEAST_BORROWED);
  }

  /** What was written and borrowed, in its order: views that the next write may change. */
  parts(): readonly Uint8Array[] {
    const lender = this.#lender;
    if (lender === undefined) return [this.view()];
    const { bytes, length } = this;
    const rest = bytes.subarray(this.#borrowedAt, length);
    const joined = rest.length > 0 ? joinedBehind(this.#borrowed, rest, lender) : this.#borrowed;
    const last = joined === undefined ? [this.#borrowed, rest] : [joined];
    return this.#borrowedAt === 0 ? last : [bytes.subarray(0, this.#borrowedAt), ...last];
  }

  #giveBack(): void {
    if (this.#lender !== undefined) this.#lender.borrowers--;
    this.#lender = undefined;
    this.#borrowed = NO_BYTES;
  }

  /** Writes the bytes from `start` to `end`: few, for which a loop is the fastest. */
  appendPart(bytes: Uint8Array, start: number, end: number): void {
    this.reserve(end - start);
    const to = this.bytes;
    let at = this.length;
    for (let i = start; i < end; i++) to[at++] = bytes[i];
    this.length = at;
  }

  /** Writes a text of ASCII characters. */
  ascii(text: string): void {
    this.reserve(text.length);
    for (let i = 0; i < text.length; i++) {
      this.bytes[this.length++] = text.charCodeAt(i);
    }
  }

  /** Writes a text of any characters, in UTF-8. */
  text(text: string): void {
    // No character of a string takes more than three bytes.
    this.reserve(3 * text.length);
    this.length += encoder.encodeInto(text, this.bytes.subarray(this.length)).written;
  }

  /** Writes an unsigned integer up to 2^53 in decimal digits. */
  decimal(value: number): void {
    if (value < 10) return this.byte(48 + value);
    const digits = digitsOf(value);
    this.reserve(digits);
    let at = this.length + digits;
    this.length = at;
    while (value > 0xffffffff) {
      this.bytes[--at] = 48 + value % 10;
      value = Math.floor(value / 10);
    }
    let rest = value >>> 0;
    do {
      const next = (rest / 10) >>> 0;
      this.bytes[--at] = 48 + rest - next * 10;
      rest = next;
    } while (rest !== 0);
  }

  /** Writes bytes with all but RFC 3986's unreserved characters as `%` and two digits. */
  percentEncoded(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (isUnreserved(byte)) this.byte(byte);
      else this.ascii(`%${HEX[byte >> 4]}${HEX[byte & 15]}`);
    }
  }

  /** What was written, as a view that the next write may change. */
  view(): Uint8Array<ArrayBuffer> {
    if (this.#view.length !== this.length) this.#view = this.bytes.subarray(0, this.length);
    return this.#view;
  }

  /** Forgets what was written, and gives back all memory beyond what it began with. */
  release(): void {
    this.clear(0);
  }

  /** Forgets what was written and borrowed, and gives back memory beyond `keep` bytes. */
  clear(keep = Infinity): void {
    this.length = 0;
    if (this.#lender !== undefined) this.#giveBack();
    if (this.bytes.length > Math.max(keep, this.#initial)) {
      // Before the connection ends, nobody has what it held in hand any more.
      if (this.#frees && keep > 0) giveMemory(this.bytes);
      else if (this.#frees) free(this.bytes);
      this.bytes = this.#initial === 0 ? NO_BYTES : new Uint8Array(this.#initial);
      this.#view = NO_BYTES;
      this.#words = undefined;
    }
  }
}

/**
 * Bytes that are borrowed with the first `length` of others before them, written there; nothing where there is
 * no room, or others who borrow the same have other bytes there.
 */
function joinedBefore(
  borrowed: Uint8Array,
  others: Uint8Array,
  length: number,
  lender: Lender,
): Uint8Array | undefined {
  if (lender.roomBefore === 0 || length > lender.roomBefore) return undefined;
  const { buffer, byteOffset } = borrowed;
  const joined = new Uint8Array(buffer, byteOffset - length, length + borrowed.length);
  for (let i = 0; i < length; i++) {
    if (joined[i] === others[i]) continue;
    if (lender.borrowers > 0) return undefined;
    joined[i] = others[i];
  }
  return joined;
}

/**
 * Bytes that are borrowed with few others behind them, written there; nothing where there is no room, or
 * others who borrow the same have other bytes there.
 */
function joinedBehind(
  borrowed: Uint8Array,
  rest: Uint8Array,
  lender: Lender,
): Uint8Array | undefined {
  const { buffer, byteOffset, length } = borrowed;
  const whole = length + rest.length;
  if (rest.length > ROOM_BEHIND || byteOffset + whole > buffer.byteLength) return undefined;
  const joined = new Uint8Array(buffer, byteOffset, whole);
  if (equalBytes(joined.subarray(length), rest)) return joined;
  if (lender.borrowers > 1) return undefined;
  joined.set(rest, length);
  return joined;
}
