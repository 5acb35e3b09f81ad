import { type Arithmetic, replies, type Reply } from "../protocol/message.ts";
import type { Awaitable, Batch, Updated } from "../storage/contract.ts";
import { update } from "../storage/update.ts";
import type { Context } from "./context.ts";

const SPACE = 0x20;
const PLUS = 0x2b;
const ZERO = 0x30;
const MODULUS = 1n << 64n;

type Outcome = bigint | "missing" | "not a number";

/**
 * `incr` and `decr`: unsigned numbers of 64 bits in decimal digits. Up wraps at 2^64, down stops at
 * 0. Where the number gets shorter the value keeps its length, padded with spaces (memcached,
 * `do_add_delta`; `doc/protocol.txt`, "Increment/Decrement").
 */
export function addDelta(
  request: Arithmetic,
  context: Context,
  batch: Batch,
): Awaitable<Reply> {
  const { op, key, delta } = request;
  const answer = ({ result: outcome }: Updated<Outcome>): Reply => {
    count(op, outcome !== "missing", context);
    if (outcome === "missing") return replies.notFound;
    if (outcome === "not a number") return replies.notANumber;
    return { kind: "number", value: outcome };
  };
  const done = update<Outcome>(context.store, context.clock, key, (item) => {
    if (item === undefined) return { next: undefined, result: "missing" };
    const number = numberIn(item.value);
    if (number === undefined) return { next: undefined, result: "not a number" };
    const down = number > delta ? number - delta : 0n;
    const result = op === "incr" ? (number + delta) % MODULUS : down;
    return { next: { ...item, value: digits(result, item.value.length), cas: 0n }, result };
  }, batch);
  return done instanceof Promise ? done.then(answer) : answer(done);
}

function count(op: "incr" | "decr", hit: boolean, { counters }: Context): void {
  if (op === "incr") {
    if (hit) counters.incr_hits++;
    else counters.incr_misses++;
  } else if (hit) counters.decr_hits++;
  else counters.decr_misses++;
}

/**
 * The number that a value begins with, as memcached's `strtoull` finds it: after blanks and a plus,
 * up to the end or to another blank. What stands behind that is no matter, and is lost.
 */
function numberIn(value: Uint8Array): bigint | undefined {
  let i = 0;
  while (isBlank(value[i])) i++;
  if (value[i] === PLUS) i++;
  const start = i;
  let number = 0n;
  for (; i < value.length && !isBlank(value[i]); i++) {
    const digit = value[i] - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    number = number * 10n + BigInt(digit);
    if (number >= MODULUS) return undefined;
  }
  return i === start ? undefined : number;
}

/** What C's `isspace` says: a space, and tab to carriage return. */
function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
}

function digits(number: bigint, length: number): Uint8Array {
  const text = number.toString();
  const value = new Uint8Array(Math.max(text.length, length)).fill(SPACE);
  for (let i = 0; i < text.length; i++) value[i] = text.charCodeAt(i);
  return value;
}
