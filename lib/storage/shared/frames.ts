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
 * | 6, 7  | flags, accessed                                                   |
 * | 8     | exptime, a double                                                 |
 * | 10    | cas unique, 64 bits                                               |
 * | 12    | the expected cas unique, 64 bits                                  |
 * | 14    | the expected version, a double                                    |
 * | 16    | value length                                                      |
 * | 17    | {@linkcode Mark}s                                                  |
 * |       | key, value                                                        |
 *
 * An answer:
 *
 * | word  | what                                                              |
 * | ----- | ----------------------------------------------------------------- |
 * | 0, 1  | size, number                                                      |
 * | 2     | {@linkcode Answer}, {@linkcode Mark}s << 8                         |
 * | 3     | length of value or text                                           |
 * | 4     | cas unique, 64 bits                                               |
 * |       | the text of an error; or, for an item:                            |
 * | 6, 7  | flags, accessed                                                   |
 * | 8     | exptime, a double                                                 |
 * | 10    | version, a double                                                 |
 * |       | value                                                             |
 *
 * @module
 */

import { bytesOf } from "../../bytes.ts";
import { assert, messageOf, OutOfSpaceError, StoreError } from "../../errors.ts";
import type { Attributes, Expected, Item, NewItem, Swapped } from "../contract.ts";
import type { Channel } from "./channel.ts";
import type { Frame } from "./ring.ts";

/** What is asked. */
export const Ask = { read: 1, peek: 2, put: 3, delete: 4 } as const;

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

/** The attributes of an item that are yes or no. */
export const Mark = { stale: 1, won: 2, fetched: 4, binaryKey: 8 } as const;

/** Bytes before the key of a read and of a swap, before an error's text, and before an item's value. */
export const READ_HEADER = 24;
export const SWAP_HEADER = 72;
const TEXT_HEADER = 24;
const ITEM_HEADER = 48;
/** Up to so many bytes a loop copies faster than a call. */
const FEW = 48;

/** The marks of an item as bits. */
export function marksOf(item: Attributes): number {
  return (item.stale ? Mark.stale : 0) | (item.won ? Mark.won : 0) |
    (item.fetched ? Mark.fetched : 0) | (item.binaryKey ? Mark.binaryKey : 0);
}

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
  const length = next === null ? 0 : next.value.length;
  const frame = channel.frame(SWAP_HEADER + key.length + length);
  const kind = next === null ? Ask.delete : Ask.put;
  begin(frame, number, kind | expects(frame, expected) << 16, key.length, a, b, seconds);
  const w = frame.at >>> 2;
  const d = frame.at >>> 3;
  const { words } = frame;
  words[w + 16] = length;
  if (next !== null) {
    words[w + 6] = next.flags;
    words[w + 7] = next.accessed;
    frame.doubles[d + 4] = next.exptime;
    frame.longs[d + 5] = next.cas;
    words[w + 17] = marksOf(next);
    copy(next.value, frame.bytes, frame.at + SWAP_HEADER + key.length);
  }
  copy(key, frame.bytes, frame.at + SWAP_HEADER);
  channel.send(frame);
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
  frame.longs[d + 6] = cas;
  if (version === undefined) return Expects.cas;
  assert(typeof version === "number", "stores that are shared count their versions");
  frame.doubles[d + 7] = version;
  return Expects.version;
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
      return { cas: longs[d + 6] };
    default:
      return { cas: longs[d + 6], version: doubles[d + 7] };
  }
}

/** The item of a swap's frame, with the value given. */
export function newItemOf({ words, longs, doubles, at }: Frame, value: Uint8Array): NewItem {
  const w = at >>> 2;
  const d = at >>> 3;
  const marks = words[w + 17];
  return {
    value,
    flags: words[w + 6],
    exptime: doubles[d + 4],
    cas: longs[d + 5],
    stale: (marks & Mark.stale) !== 0,
    won: (marks & Mark.won) !== 0,
    fetched: (marks & Mark.fetched) !== 0,
    accessed: words[w + 7],
    binaryKey: (marks & Mark.binaryKey) !== 0,
  };
}

/** Answers with an item, or that there is none. */
export function answerItem(channel: Channel, number: number, item: Item | undefined): void {
  if (item === undefined) return answer(channel, number, Answer.nothing);
  const { value, version } = item;
  assert(typeof version === "number", "stores that are shared count their versions");
  const frame = channel.frame(ITEM_HEADER + value.length);
  const w = frame.at >>> 2;
  const d = frame.at >>> 3;
  const { words } = frame;
  words[w + 1] = number;
  words[w + 2] = Answer.item | marksOf(item) << 8;
  words[w + 3] = value.length;
  frame.longs[d + 2] = item.cas;
  words[w + 6] = item.flags;
  words[w + 7] = item.accessed;
  frame.doubles[d + 4] = item.exptime;
  frame.doubles[d + 5] = version;
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
  frame.longs[(frame.at >>> 3) + 2] = swapped;
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
export function itemOf({ bytes, words, longs, doubles, at }: Frame): Item {
  const w = at >>> 2;
  const d = at >>> 3;
  const marks = words[w + 2] >>> 8;
  const length = words[w + 3];
  const value = new Uint8Array(length);
  copyPart(bytes, at + ITEM_HEADER, length, value, 0);
  return {
    value,
    flags: words[w + 6],
    exptime: doubles[d + 4],
    cas: longs[d + 2],
    stale: (marks & Mark.stale) !== 0,
    won: (marks & Mark.won) !== 0,
    fetched: (marks & Mark.fetched) !== 0,
    accessed: words[w + 7],
    binaryKey: (marks & Mark.binaryKey) !== 0,
    version: doubles[d + 5],
  };
}

/** What an answer says of a swap. */
export function swappedOf({ words, longs, at }: Frame): Swapped {
  const kind = words[(at >>> 2) + 2];
  if (kind === Answer.exists) return "exists";
  if (kind === Answer.absent) return "absent";
  assert(kind === Answer.swapped, "a swap is answered as one");
  return longs[(at >>> 3) + 2];
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
