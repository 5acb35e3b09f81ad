/**
 * Everything that stores a value: `set`, `add`, `replace`, `append`, `prepend`, `cas`, `ms`, and binary's.
 *
 * @module
 */

import { OutOfSpaceError } from "../errors.ts";
import { Kind } from "../observe/watch.ts";
import { fits } from "../protocol/limits.ts";
import { failures, type Outcome } from "../protocol/outcome.ts";
import type { Request } from "../protocol/request.ts";
import type { Changed, Item, NewItem, Swapped } from "../storage/contract.ts";
import { ArrivedItem } from "../storage/arrived_item.ts";
import { update } from "../storage/update.ts";
import type { Context } from "./context.ts";
import { expiryOf } from "../exptime.ts";
import { tellLookup } from "./get.ts";
import type { Session } from "./session.ts";
import { promised, type Running, Waiting } from "./waiting.ts";

/** What may come of a store. */
type Stored = "stored" | "notStored" | "exists" | "notFound";

/** Stores a value, in the mode and under the conditions of the request. */
export function store(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): Running | void {
  const { counters, prefixes } = context;
  counters.cmd_set++;
  if (prefixes.enabled) prefixes.set(request.key);
  const telling = tellLookup(request, session, context);
  return telling === undefined
    ? storeOrDrop(request, outcome, session, context)
    : storeWhenTold(request, outcome, session, context, telling);
}

// What has closures stands apart from what most sets pass through: a function that has one makes room for
// it in each call.

function storeWhenTold(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
  telling: Promise<void>,
): Promise<void> {
  return telling.then(() => {
    const running = storeOrDrop(request, outcome, session, context);
    if (running !== undefined) return promised(running);
  });
}

function storeOrDrop(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): Running | void {
  if (!request.dropsOld) return storeAs(request, outcome, session, context);
  try {
    const done = storeAs(request, outcome, session, context);
    if (!(done instanceof Promise)) return done;
    return orDrop(request, outcome, session, context, done);
  } catch (error) {
    return dropOld(error, request, outcome, session, context);
  }
}

function orDrop(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
  storing: Promise<void>,
): Promise<void> {
  return storing.catch((error) => dropOld(error, request, outcome, session, context));
}

function storeAs(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): Running | void {
  const { mode, compares, invalidates } = request;
  if (mode === "append" || mode === "prepend") return extend(request, outcome, session, context);
  const item = itemOf(request, request.exptime, session, context);
  if (compares && (invalidates || !context.usesCas)) {
    return compare(request, outcome, session, context, item);
  }
  if (mode === "replace" && !compares) return replace(request, outcome, session, context, item);
  const expected = compares ? { cas: request.cas } : mode === "add" ? "absent" : "any";
  const { store } = context;
  if (store.swapLater !== undefined) {
    const recover = request.dropsOld ? dropOld : undefined;
    const waiting = Waiting.of(request, outcome, session, context, tell, recover);
    store.swapLater(request.key, expected, item, session.batch, waiting);
    return waiting;
  }
  const { batch } = session;
  const swapped = store.swapAt === undefined || request.decodedKey.length > 0
    ? store.swap(request.key, expected, item, batch)
    : store.swapAt(request.bytes, request.keyStart, request.keyEnd, expected, item, batch);
  if (swapped instanceof Promise) return tellLater(request, outcome, session, context, swapped);
  tell(request, outcome, session, context, swapped);
}

function tellLater(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
  swapped: Promise<Swapped>,
): Promise<void> {
  return swapped.then((swapped) => tell(request, outcome, session, context, swapped));
}

function extend(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): Promise<void> | void {
  return change(request, outcome, session, context, (old) => extended(request, context, old));
}

function compare(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
  item: NewItem,
): Promise<void> | void {
  const make = (old: Item | undefined) => comparedItem(request, context, old, item);
  return change(request, outcome, session, context, make);
}

function replace(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
  item: NewItem,
): Promise<void> | void {
  const make = (old: Item | undefined): Changed<Result> =>
    old === undefined ? notStored : { next: item, result: stored(item) };
  return change(request, outcome, session, context, make);
}

/** The item that a request brings. `exptime` as the client gave it. */
function itemOf(
  request: Request,
  exptime: number,
  session: Session,
  { clock }: Context,
): NewItem {
  return new ArrivedItem(
    request.bytes,
    request.valueStart,
    request.valueEnd,
    request.flags,
    exptime === 0 ? 0 : expiryOf(exptime, clock.now()),
    request.newCas,
    session.batch.seconds,
    request.binaryKey,
  );
}

/** What came of a change, and the length of the value that was stored. */
interface Result {
  readonly code: Stored;
  readonly size: number;
}

const notStored: Changed<Result> = { next: undefined, result: { code: "notStored", size: 0 } };
const exists: Changed<Result> = { next: undefined, result: { code: "exists", size: 0 } };
const notFound: Changed<Result> = { next: undefined, result: { code: "notFound", size: 0 } };

function stored(item: NewItem): Result {
  return { code: "stored", size: item.value.length };
}

/** Stores what is made of the item that is there. */
function change(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
  make: (item: Item | undefined) => Changed<Result>,
): Promise<void> | void {
  const done = update(context.store, context.clock, request.key, make, session.batch);
  const tellChange = ({ cas, result }: { cas: bigint; result: Result }) =>
    finish(request, outcome, session, context, result.code, cas, result.size);
  return done instanceof Promise ? done.then(tellChange) : tellChange(done);
}

/** The value longer, the rest of the item as it was, under a new unique. */
function extended(request: Request, context: Context, item: Item | undefined): Changed<Result> {
  if (item === undefined) {
    if (!request.vivifies) return notStored;
    const { value, flags, newCas, binaryKey } = request;
    const now = context.clock.now();
    const next = {
      ...{ value, flags, cas: newCas, binaryKey, stale: false, won: false, fetched: false },
      exptime: expiryOf(request.vivifyExptime, now),
      accessed: Math.floor(now / 1000),
    };
    return { next, result: stored(next) };
  }
  if (request.compares && request.cas !== 0n && !isUnique(request, item, context)) return exists;
  const length = item.value.length + request.value.length;
  if (!fits(request.keyLength, length, item.flags, context.limits)) return notStored;
  const value = new Uint8Array(length);
  const [first, second] = request.mode === "append"
    ? [item.value, request.value]
    : [request.value, item.value];
  value.set(first);
  value.set(second, first.length);
  const next = { ...item, value, cas: request.newCas, stale: false, won: false, fetched: false };
  return { next, result: stored(next) };
}

/**
 * Meta's `I`: an item with a later unique than the client's takes the value nevertheless, and is marked
 * as stale, with its time as it was. (And `-C`: no unique is ever the right one.)
 */
function comparedItem(
  request: Request,
  context: Context,
  old: Item | undefined,
  item: NewItem,
): Changed<Result> {
  if (old === undefined) return notFound;
  if (isUnique(request, old, context)) return { next: item, result: stored(item) };
  if (!context.usesCas || request.cas === 0n || request.cas > old.cas) return exists;
  const { value, flags, cas, accessed, binaryKey } = item;
  const { exptime, won } = old;
  const next = {
    value,
    flags,
    exptime,
    cas,
    stale: true,
    won,
    fetched: false,
    accessed,
    binaryKey,
  };
  return { next, result: stored(next) };
}

function isUnique(request: Request, item: Item, context: Context): boolean {
  return context.usesCas && request.cas === item.cas;
}

function tell(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
  swapped: Swapped,
): void {
  const size = request.valueEnd - request.valueStart;
  if (typeof swapped === "bigint") {
    finish(request, outcome, session, context, "stored", swapped, size);
  } else {
    const code = swapped === "absent" ? "notFound" : request.compares ? "exists" : "notStored";
    finish(request, outcome, session, context, code, 0n, size);
  }
}

function finish(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
  code: Stored,
  cas: bigint,
  size: number,
): void {
  const { counters, watchers } = context;
  outcome.code = code;
  // Where nobody asks for it the unique, which is young, is not kept in what is old.
  outcome.cas = code === "stored" && request.wantsCas && context.usesCas ? cas : 0n;
  outcome.size = size === 0 ? request.valueEnd - request.valueStart : size;
  if (code === "stored") counters.total_items++;
  // What adds to a value may compare too, but is no cas.
  if (request.compares && request.mode !== "append" && request.mode !== "prepend") {
    if (code === "stored") counters.cas_hits++;
    else if (code === "exists") counters.cas_badval++;
    else if (code === "notFound") counters.cas_misses++;
  }
  if ((watchers.kinds & Kind.mutations) === 0) return;
  watch(request, session, context, words[code], outcome.size);
}

const words = {
  stored: "stored",
  notStored: "not_stored",
  exists: "exists",
  notFound: "not_found",
} as const;

function watch(
  request: Request,
  session: Session,
  { watchers }: Context,
  status: Parameters<Context["watchers"]["store"]>[1],
  size: number,
): void {
  const command = request.compares ? "cas" : request.mode;
  const ttl = Math.max(0, request.exptime);
  watchers.store(request.key, status, command, ttl, session.id, size);
}

/**
 * An item over the limit. A client that gave a key a new value must not read the old one, so a refused
 * `set` deletes it; most other commands leave it (memcached, `process_update_cmd_start`).
 */
export function refuse(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): Promise<void> | void {
  context.counters.store_too_large++;
  outcome.fail(failures.tooLarge);
  if ((context.watchers.kinds & Kind.mutations) !== 0) {
    watch(request, session, context, "too_large", 0);
  }
  if (!request.dropsOld) return;
  const swapped = context.store.swap(request.key, "any", null, session.batch);
  if (swapped instanceof Promise) return swapped.then(() => {});
}

/** The same where the store has no room; the error goes on as the answer. */
function dropOld(
  error: unknown,
  request: Request,
  _outcome: Outcome,
  session: Session,
  context: Context,
): Promise<void> {
  if (!(error instanceof OutOfSpaceError)) throw error;
  if ((context.watchers.kinds & Kind.mutations) !== 0) {
    watch(request, session, context, "no_memory", 0);
  }
  const swapped = context.store.swap(request.key, "any", null, session.batch);
  if (!(swapped instanceof Promise)) throw error;
  return swapped.then(() => {
    throw error;
  });
}
