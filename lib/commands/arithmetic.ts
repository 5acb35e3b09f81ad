/**
 * Numbers: `incr`, `decr`, `ma`, and binary's.
 *
 * @module
 */

import { unsignedOfC } from "../c_number.ts";
import { Kind } from "../observe/watch.ts";
import { failures, type Outcome } from "../protocol/outcome.ts";
import type { Request } from "../protocol/request.ts";
import { type Changed, type Item, plain } from "../storage/contract.ts";
import { update } from "../storage/update.ts";
import type { Context } from "./context.ts";
import { expiryOf } from "../exptime.ts";
import { tellLookup, tellTimes } from "./get.ts";
import type { Session } from "./session.ts";

const SPACE = 0x20;
const MODULUS = 1n << 64n;

/** What came of the arithmetic. */
interface Result {
  readonly code: "number" | "notFound" | "exists" | "notNumeric";
  readonly number: bigint;
  readonly created: boolean;
  readonly exptimeBefore: number;
  readonly exptime: number;
}

const notFound = nothing("notFound");
const exists = nothing("exists");
const notNumeric = nothing("notNumeric");

function nothing(code: Result["code"]): Changed<Result> {
  const result = { code, number: 0n, created: false, exptimeBefore: 0, exptime: 0 };
  return { next: undefined, result };
}

/**
 * Unsigned numbers of 64 bits in decimal digits. Up wraps at 2^64, down stops at 0. Where the number
 * gets shorter the value keeps its length, padded with spaces (memcached, `do_add_delta`;
 * `doc/protocol.txt`, "Increment/Decrement").
 */
export function arithmetic(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): Promise<void> | void {
  const telling = tellLookup(request, session, context);
  return telling instanceof Promise
    ? telling.then(() => change(request, outcome, session, context))
    : change(request, outcome, session, context);
}

function change(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): Promise<void> | void {
  const { store, clock } = context;
  const change = (item: Item | undefined) => changeOf(request, context, item);
  const done = update(store, clock, request.key, change, session.batch);
  return done instanceof Promise
    ? done.then(({ cas, result }) => tell(request, outcome, session, context, cas, result))
    : tell(request, outcome, session, context, done.cas, done.result);
}

function changeOf(request: Request, context: Context, item: Item | undefined): Changed<Result> {
  const now = context.clock.now();
  if (item === undefined) return request.vivifies ? vivified(request, now) : notFound;
  if (item.value.length === 0) return notNumeric;
  if (request.compares && (!context.usesCas || item.cas !== request.cas)) return exists;
  // What stands behind the number is no matter, and is lost.
  const before = unsignedOfC(item.value, 0, item.value.length);
  if (before === undefined) return notNumeric;
  const { delta } = request;
  const number = request.decrements
    ? before > delta ? before - delta : 0n
    : (before + delta) % MODULUS;
  const exptime = request.touches ? expiryOf(request.exptime, now) : item.exptime;
  return {
    next: { ...item, value: digits(number, item.value.length), cas: request.newCas, exptime },
    result: { code: "number", number, created: false, exptimeBefore: item.exptime, exptime },
  };
}

function vivified(request: Request, now: number): Changed<Result> {
  const exptime = expiryOf(request.touchesVivified ? request.exptime : request.vivifyExptime, now);
  const number = request.initial;
  return {
    next: {
      ...plain,
      value: digits(number, 0),
      exptime,
      cas: request.newCas,
      binaryKey: request.binaryKey,
      accessed: Math.floor(now / 1000),
    },
    result: { code: "number", number, created: true, exptimeBefore: 0, exptime },
  };
}

function tell(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
  cas: bigint,
  result: Result,
): void {
  const { code, created } = result;
  if (code === "notNumeric") return outcome.fail(failures.notNumeric);
  outcome.code = code;
  if (code === "exists") return;
  if (created) tellCreated(request, session, context, result.number);
  else count(request.decrements, code === "number", context);
  outcome.created = created;
  outcome.number = result.number;
  outcome.cas = context.usesCas ? cas : 0n;
  if (!request.wantsTimes) return;
  tellTimes(request, outcome, context.clock.now(), result.exptimeBefore, result.exptime);
}

/** Counts an item that was made, and tells those who watch: memcached adds it. */
function tellCreated(
  request: Request,
  session: Session,
  { counters, watchers }: Context,
  number: bigint,
): void {
  counters.total_items++;
  if ((watchers.kinds & Kind.mutations) === 0) return;
  const ttl = Math.max(0, request.vivifyExptime);
  watchers.store(request.key, "stored", "add", ttl, session.id, number.toString().length);
}

function count(decrements: boolean, hit: boolean, { counters }: Context): void {
  if (decrements) {
    if (hit) counters.decr_hits++;
    else counters.decr_misses++;
  } else if (hit) counters.incr_hits++;
  else counters.incr_misses++;
}

function digits(number: bigint, length: number): Uint8Array {
  const text = number.toString();
  const value = new Uint8Array(Math.max(text.length, length)).fill(SPACE);
  for (let i = 0; i < text.length; i++) value[i] = text.charCodeAt(i);
  return value;
}
