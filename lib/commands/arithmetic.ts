import { type Arithmetic, replies, type Reply } from "../protocol/message.ts";
import type { Awaitable } from "../storage/store.ts";
import { update } from "../storage/update.ts";
import type { Context } from "./context.ts";

const SPACE = 0x20;
const ZERO = 0x30;
const MODULUS = 1n << 64n;
/** Digits of the greatest number, 2^64 - 1. */
const MAX_DIGITS = 20;

/**
 * `incr` and `decr`: unsigned numbers of 64 bits in decimal digits. Up wraps at 2^64, down stops at
 * 0. Where the number gets shorter the value keeps its length, padded with spaces (memcached,
 * `do_add_delta`; `doc/protocol.txt`, "Increment/Decrement").
 */
export function addDelta(request: Arithmetic, context: Context): Awaitable<Reply> {
  const { op, key, delta } = request;
  let outcome: bigint | "missing" | "not a number" = "missing";
  const answer = (): Reply => {
    count(op, outcome !== "missing", context);
    if (outcome === "missing") return replies.notFound;
    if (outcome === "not a number") return replies.notANumber;
    return { kind: "number", value: outcome };
  };
  const done = update(context.store, context.clock, key, (item) => {
    outcome = item === undefined ? "missing" : numberIn(item.value) ?? "not a number";
    if (item === undefined || typeof outcome === "string") return undefined;
    if (op === "incr") outcome = (outcome + delta) % MODULUS;
    else outcome = outcome > delta ? outcome - delta : 0n;
    return { ...item, value: digits(outcome, item.value.length), cas: 0n };
  });
  return done instanceof Promise ? done.then(answer) : answer();
}

function count(op: "incr" | "decr", hit: boolean, { counters }: Context): void {
  if (op === "incr") {
    if (hit) counters.incr_hits++;
    else counters.incr_misses++;
  } else if (hit) counters.decr_hits++;
  else counters.decr_misses++;
}

/** The number that a value is, with spaces around it and leading zeros as memcached takes them. */
function numberIn(value: Uint8Array): bigint | undefined {
  let start = 0;
  let end = value.length;
  while (start < end && value[start] === SPACE) start++;
  while (end > start && value[end - 1] === SPACE) end--;
  while (end - start > MAX_DIGITS && value[start] === ZERO) start++;
  if (start === end || end - start > MAX_DIGITS) return undefined;
  let number = 0n;
  for (let i = start; i < end; i++) {
    const digit = value[i] - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    number = number * 10n + BigInt(digit);
  }
  return number < MODULUS ? number : undefined;
}

function digits(number: bigint, length: number): Uint8Array {
  const text = number.toString();
  const value = new Uint8Array(Math.max(text.length, length)).fill(SPACE);
  for (let i = 0; i < text.length; i++) value[i] = text.charCodeAt(i);
  return value;
}
