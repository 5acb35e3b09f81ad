/**
 * What is in the frames between workers and owner.
 *
 * A request, in words of 32 bits:
 *
 * | word  | what                                                              |
 * | ----- | ----------------------------------------------------------------- |
 * | 0     | size in bytes                                                     |
 * | 1     | number, which comes back with the answer                          |
 * | 2     | {@linkcode Ask}, key length << 8, {@linkcode Expects} << 16        |
 * | 3     | the batch's time, in seconds since 1970                           |
 * | 4, 5  | the key's hash                                                    |
 * |       | the key of a read; or, for a swap:                                |
 * | 6     | the item's {@linkcode Field}s, with the version that is expected  |
 * | 14    | {@linkcode Mark}s                                                  |
 * | 15    | value length                                                      |
 * | 16    | the expected cas unique, 64 bits                                  |
 * |       | key, value                                                        |
 *
 * An answer:
 *
 * | word  | what                                                              |
 * | ----- | ----------------------------------------------------------------- |
 * | 0, 1  | size, number                                                      |
 * | 2     | {@linkcode Answer}                                                 |
 * | 3     | length of an error's text                                         |
 * | 4     | the cas unique that came of a swap, 64 bits                       |
 * |       | the text of an error; or, for an item:                            |
 * | 6     | its {@linkcode Field}s                                             |
 * | 14    | {@linkcode Mark}s                                                  |
 * | 15    | value length                                                      |
 * |       | value                                                             |
 *
 * @module
 */

import { bytesOf } from "../../bytes.ts";
import { assert, messageOf, OutOfSpaceError, StoreError } from "../../errors.ts";
import type { Attributes, Expected, Item, NewItem, Swapped } from "../contract.ts";
import type { ItemCursor } from "../item_cursor.ts";
import type { Channel } from "./channel.ts";
import { Field, FIELD_WORDS, Mark, marksOf } from "./fields.ts";
import { Lent } from "./lent.ts";
import type { Frame } from "./ring.ts";

/** What is asked. */
export const Ask = {
  read: 1,
  peek: 2,
  put: 3,
  delete: 4,
  /** A put whose value is that of the item that is expected, and is not sent. */
  amend: 5,
} as const;

/** What a swap expects. */
export const Expects = { any: 0, absent: 1, cas: 2, version: 3 } as const;

/** What is answered. */
export const Answer = {
  item: 1,
  nothing: 2,
  swapped: 3,
  exists: 4,
  absent: 5,
  /** A {@linkcode StoreError}, an {@linkcode OutOfSpaceError}, and what is a bug. */
  failed: 6,
  full: 7,
  broken: 8,
} as const;

/** Words of a frame: the first of an item's fields, its marks, and the length of its value. */
const FIELDS = 6;
const MARKS = FIELDS + FIELD_WORDS;
const LENGTH = MARKS + 1;
/** Units of 8 bytes: where an item's fields begin, and the cas uniques that a swap expects and that came of it. */
const UNITS = FIELDS / 2;
const EXPECTED_CAS = 8;
const NEW_CAS = 2;

/** Bytes before the key of a read and of a swap, before an error's text, and before an item's value. */
export const READ_HEADER = 24;
export const SWAP_HEADER = 72;
const TEXT_HEADER = 24;
const ITEM_HEADER = 64;
/** Up to so many bytes a loop copies faster than a call. */
const FEW = 48;
/** A value of so many bytes that stays as it is is not sent: the owner reads it where it has it. */
const LONG = 512;

/** Copies bytes to a place in others. */
export function copy(from: Uint8Array, to: Uint8Array, at: number): void {
  const { length } = from;
  if (length > FEW) to.set(from, at);
  else for (let i = 0; i < length; i++) to[at + i] = from[i];
}

/** Copies `count` bytes that begin at `start`. */
export function copyPart(
  from: Uint8Array,
  start: number,
  count: number,
  to: Uint8Array,
  at: number,
): void {
  if (count > FEW) to.set(from.subarray(start, start + count), at);
  else for (let i = 0; i < count; i++) to[at + i] = from[start + i];
}

/** Asks for an item. `a` and `b` are the key's hash. */
export function askRead(
  channel: Channel,
  number: number,
  key: Uint8Array,
  a: number,
  b: number,
  seconds: number,
  peek: boolean,
): void {
  const frame = channel.frame(READ_HEADER + key.length);
  begin(frame, number, peek ? Ask.peek : Ask.read, key.length, a, b, seconds);
  copy(key, frame.bytes, frame.at + READ_HEADER);
  channel.send(frame);
}

/** Asks for a swap. */
export function askSwap(
  channel: Channel,
  number: number,
  key: Uint8Array,
  a: number,
  b: number,
  seconds: number,
  expected: Expected,
  next: NewItem | null,
): void {
  const kind = next === null ? Ask.delete : amends(expected, next) ? Ask.amend : Ask.put;
  const length = kind === Ask.put ? next!.value.length : 0;
  const frame = channel.frame(SWAP_HEADER + key.length + length);
  begin(frame, number, kind | expects(frame, expected) << 16, key.length, a, b, seconds);
  if (next === null) frame.words[(frame.at >>> 2) + LENGTH] = 0;
  else {
    putAttributes(frame, next, length);
    if (length > 0) copy(next.value, frame.bytes, frame.at + SWAP_HEADER + key.length);
  }
  copy(key, frame.bytes, frame.at + SWAP_HEADER);
  channel.send(frame);
}

/** Whether a swap changes attributes only, of an item with a long value. */
function amends(expected: Expected, next: NewItem): boolean {
  return typeof expected === "object" && expected.version !== undefined &&
    expected.value !== undefined && expected.value.length >= LONG && expected.value === next.value;
}

function begin(
  { words, at }: Frame,
  number: number,
  kind: number,
  keyLength: number,
  a: number,
  b: number,
  seconds: number,
): void {
  const w = at >>> 2;
  words[w + 1] = number;
  words[w + 2] = kind | keyLength << 8;
  words[w + 3] = seconds;
  words[w + 4] = a;
  words[w + 5] = b;
}

function expects(frame: Frame, expected: Expected): number {
  if (expected === "any") return Expects.any;
  if (expected === "absent") return Expects.absent;
  const { cas, version } = expected;
  const d = frame.at >>> 3;
  frame.longs[d + EXPECTED_CAS] = cas;
  if (version === undefined) return Expects.cas;
  assert(typeof version === "number", "stores that are shared count their versions");
  frame.doubles[d + UNITS + Field.version] = version;
  return Expects.version;
}

/** Writes what a frame says of an item before its value, but for its version. */
function putAttributes(frame: Frame, item: Attributes, length: number): void {
  const { words } = frame;
  const w = frame.at >>> 2;
  const d = (frame.at >>> 3) + UNITS;
  words[w + FIELDS + Field.flags] = item.flags;
  words[w + FIELDS + Field.accessed] = item.accessed;
  frame.doubles[d + Field.exptime] = item.exptime;
  frame.longs[d + Field.cas] = item.cas;
  words[w + MARKS] = marksOf(item);
  words[w + LENGTH] = length;
}

/** The length of the value in a frame that has one, in bytes. */
export function lengthOf({ words, at }: Frame): number {
  return words[(at >>> 2) + LENGTH];
}

/** What a swap's frame expects. */
export function expectedOf({ words, longs, doubles, at }: Frame): Expected {
  const d = at >>> 3;
  switch (words[(at >>> 2) + 2] >>> 16) {
    case Expects.any:
      return "any";
    case Expects.absent:
      return "absent";
    case Expects.cas:
      return { cas: longs[d + EXPECTED_CAS] };
    default:
      return { cas: longs[d + EXPECTED_CAS], version: doubles[d + UNITS + Field.version] };
  }
}

/** The item of a frame, with the value given. In a swap's frame the version is the expected one. */
export function itemWith({ words, longs, doubles, at }: Frame, value: Uint8Array): Item {
  const w = (at >>> 2) + FIELDS;
  const d = (at >>> 3) + UNITS;
  const marks = words[(at >>> 2) + MARKS];
  return {
    value,
    flags: words[w + Field.flags],
    exptime: doubles[d + Field.exptime],
    cas: longs[d + Field.cas],
    stale: (marks & Mark.stale) !== 0,
    won: (marks & Mark.won) !== 0,
    fetched: (marks & Mark.fetched) !== 0,
    accessed: words[w + Field.accessed],
    binaryKey: (marks & Mark.binaryKey) !== 0,
    version: doubles[d + Field.version],
  };
}

/** Answers with an item, or that there is none. */
export function answerItem(channel: Channel, number: number, item: Item | undefined): void {
  if (item === undefined) return answer(channel, number, Answer.nothing);
  const { value, version } = item;
  assert(typeof version === "number", "stores that are shared count their versions");
  const frame = channel.frame(ITEM_HEADER + value.length);
  const w = frame.at >>> 2;
  frame.words[w + 1] = number;
  frame.words[w + 2] = Answer.item;
  putAttributes(frame, item, value.length);
  frame.doubles[(frame.at >>> 3) + UNITS + Field.version] = version;
  copy(value, frame.bytes, frame.at + ITEM_HEADER);
  channel.send(frame);
}

/** Answers with what came of a swap. */
export function answerSwap(channel: Channel, number: number, swapped: Swapped): void {
  if (swapped === "exists") return answer(channel, number, Answer.exists);
  if (swapped === "absent") return answer(channel, number, Answer.absent);
  const frame = channel.frame(TEXT_HEADER);
  const w = frame.at >>> 2;
  frame.words[w + 1] = number;
  frame.words[w + 2] = Answer.swapped;
  frame.longs[(frame.at >>> 3) + NEW_CAS] = swapped;
  channel.send(frame);
}

/** Answers with an error. */
export function answerError(channel: Channel, number: number, error: unknown): void {
  const kind = error instanceof OutOfSpaceError
    ? Answer.full
    : error instanceof StoreError
    ? Answer.failed
    : Answer.broken;
  const isBug = kind === Answer.broken && error instanceof Error;
  const text = bytesOf(isBug ? error.stack ?? error.message : messageOf(error));
  const frame = channel.frame(TEXT_HEADER + text.length);
  const w = frame.at >>> 2;
  frame.words[w + 1] = number;
  frame.words[w + 2] = kind;
  frame.words[w + 3] = text.length;
  frame.bytes.set(text, frame.at + TEXT_HEADER);
  channel.send(frame);
}

function answer(channel: Channel, number: number, kind: number): void {
  const frame = channel.frame(16);
  const w = frame.at >>> 2;
  frame.words[w + 1] = number;
  frame.words[w + 2] = kind;
  channel.send(frame);
}

/** The item of an answer, which the caller may keep. */
export function itemOf(frame: Frame): Item {
  const length = lengthOf(frame);
  const from = frame.at + ITEM_HEADER;
  // Nobody writes again to what has come as a message.
  if (!frame.isShared) return itemWith(frame, frame.bytes.subarray(from, from + length));
  const value = new Uint8Array(length);
  copyPart(frame.bytes, from, length, value, 0);
  return itemWith(frame, value);
}

/** Shows the item of an answer, in memory that its value may be sent from. */
export function showItem(frame: Frame, into: ItemCursor): void {
  const { words, longs, doubles, bytes, at } = frame;
  const length = lengthOf(frame);
  const lent = new Lent(length);
  const { roomBefore } = lent;
  copyPart(bytes, at + ITEM_HEADER, length, lent.bytes, roomBefore);
  into.place(lent.bytes, undefined, roomBefore, roomBefore + length);
  into.lender = lent;
  const w = (at >>> 2) + FIELDS;
  const d = (at >>> 3) + UNITS;
  const marks = words[(at >>> 2) + MARKS];
  const cas = longs[d + Field.cas];
  into.flags = words[w + Field.flags];
  into.exptime = doubles[d + Field.exptime];
  into.casLow = Number(cas & 0xffffffffn);
  into.casHigh = Number(cas >> 32n);
  into.stale = (marks & Mark.stale) !== 0;
  into.won = (marks & Mark.won) !== 0;
  into.fetched = (marks & Mark.fetched) !== 0;
  into.accessed = words[w + Field.accessed];
  into.binaryKey = (marks & Mark.binaryKey) !== 0;
  into.version = doubles[d + Field.version];
}

/** What an answer says of a swap. */
export function swappedOf({ words, longs, at }: Frame): Swapped {
  const kind = words[(at >>> 2) + 2];
  if (kind === Answer.exists) return "exists";
  if (kind === Answer.absent) return "absent";
  assert(kind === Answer.swapped, "a swap is answered as one");
  return longs[(at >>> 3) + NEW_CAS];
}

/** The error of an answer. */
export function errorOf({ bytes, words, at }: Frame): Error {
  const w = at >>> 2;
  const from = at + TEXT_HEADER;
  // A decoder takes no shared memory.
  const text = new TextDecoder().decode(bytes.slice(from, from + words[w + 3]));
  switch (words[w + 2]) {
    case Answer.full:
      return new OutOfSpaceError(text);
    case Answer.failed:
      return new StoreError(text);
    default:
      return new Error(text);
  }
}
