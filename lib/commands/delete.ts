/**
 * Items that go, or get another time: `delete`, `md`, `touch`, `flush_all`.
 *
 * @module
 */

import { Kind } from "../observe/watch.ts";
import { failures, type Outcome } from "../protocol/outcome.ts";
import type { Request } from "../protocol/request.ts";
import type { Changed, Item, Swapped } from "../storage/contract.ts";
import { update } from "../storage/update.ts";
import type { Context } from "./context.ts";
import { expiryOf } from "../exptime.ts";
import { tellFetched, tellLookup } from "./get.ts";
import type { Session } from "./session.ts";
import { type Running, Waiting } from "./waiting.ts";

type Deleted = "deleted" | "notFound" | "exists";

const NOTHING = new Uint8Array(0);

/** One swap with nothing; or, as meta asks for it, an item that stays as a stale or an empty one. */
export function remove(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): Running | void {
  const { store, prefixes, watchers } = context;
  if (prefixes.enabled) prefixes.delete(request.key);
  const telling = tellLookup(request, session, context);
  if (telling !== undefined) {
    return telling.then(() => removeBySteps(request, outcome, session, context));
  }
  if (
    request.invalidates || request.empties || (watchers.kinds & Kind.deletions) !== 0 ||
    (request.compares && !context.usesCas)
  ) {
    return removeBySteps(request, outcome, session, context);
  }
  const expected = request.compares ? { cas: request.cas } : "any";
  if (store.swapLater !== undefined) {
    const waiting = Waiting.of(request, outcome, session, context, tellSwapped);
    store.swapLater(request.key, expected, null, session.batch, waiting);
    return waiting;
  }
  const swapped = store.swap(request.key, expected, null, session.batch);
  return swapped instanceof Promise
    ? swapped.then((swapped) => tell(outcome, context, codeOf(swapped)))
    : tell(outcome, context, codeOf(swapped));
}

function tellSwapped(
  _request: Request,
  outcome: Outcome,
  _session: Session,
  context: Context,
  swapped: Swapped,
): void {
  tell(outcome, context, codeOf(swapped));
}

function codeOf(swapped: Swapped): Deleted {
  if (swapped === "absent") return "notFound";
  return swapped === "exists" ? "exists" : "deleted";
}

function tell(outcome: Outcome, { counters }: Context, code: Deleted): void {
  if (code === "deleted") counters.delete_hits++;
  else counters.delete_misses++;
  outcome.code = code;
}

/** What a deletion that looks at the item has done. */
interface Result {
  readonly code: Deleted;
  readonly size: number;
}

function removeBySteps(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): Promise<void> | void {
  const { store, clock, watchers } = context;
  const change = (item: Item | undefined) => changeOf(request, context, item);
  const finish = ({ result: { code, size } }: { result: Result }) => {
    // An item that stays as a stale one counts as neither a hit nor a miss.
    if (code === "deleted" && request.invalidates) outcome.code = code;
    else tell(outcome, context, code);
    if (code !== "deleted" || request.invalidates) return;
    if ((watchers.kinds & Kind.deletions) === 0) return;
    watchers.delete(request.key, request.isMeta ? "md" : "delete", size);
  };
  const done = update(store, clock, request.key, change, session.batch);
  return done instanceof Promise ? done.then(finish) : finish(done);
}

function changeOf(request: Request, context: Context, item: Item | undefined): Changed<Result> {
  if (item === undefined) return { next: undefined, result: { code: "notFound", size: 0 } };
  const result: Result = { code: "deleted", size: item.value.length };
  if (request.compares && (!context.usesCas || item.cas !== request.cas)) {
    return { next: undefined, result: { code: "exists", size: 0 } };
  }
  const { invalidates, empties, touches, newCas } = request;
  if (!invalidates && !empties) return { next: null, result };
  const now = context.clock.now();
  const exptime = touches ? expiryOf(request.exptime, now) : empties ? 0 : item.exptime;
  const next = {
    ...item,
    exptime,
    value: empties ? NOTHING : item.value,
    flags: empties ? request.flags : item.flags,
    stale: invalidates,
    // The next reader is to win.
    won: false,
    fetched: empties ? false : item.fetched,
    // What is only emptied keeps its unique.
    cas: invalidates ? newCas : newCas || item.cas,
    accessed: empties ? Math.floor(now / 1000) : item.accessed,
  };
  return { next, result };
}

/** `touch`: another expiry; value and cas unique stay. */
export function touch(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): Promise<void> | void {
  const { counters, clock, store, watchers } = context;
  counters.cmd_touch++;
  const change = (item: Item | undefined): Changed<number | undefined> => {
    if (item === undefined) return { next: undefined, result: undefined };
    const now = clock.now();
    const exptime = expiryOf(request.exptime, now);
    const next = { ...item, exptime, fetched: true, accessed: Math.floor(now / 1000) };
    return { next, result: item.value.length };
  };
  const finish = ({ result: length }: { result: number | undefined }) => {
    const found = length !== undefined;
    if (found) counters.touch_hits++;
    else counters.touch_misses++;
    tellFetched(request, session, watchers, length);
    outcome.code = found ? "touched" : "notFound";
  };
  const done = update(store, clock, request.key, change, session.batch);
  return done instanceof Promise ? done.then(finish) : finish(done);
}

/** `flush_all`: everything stored so far, now or at a moment to come. */
export function flush(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): Promise<void> | void {
  context.counters.cmd_flush++;
  if (!context.allowFlush) return outcome.fail(failures.flushNotAllowed);
  context.audit?.say("flush_all", session);
  const now = context.clock.now();
  outcome.code = "ok";
  const at = request.exptime > 0 ? expiryOf(request.exptime, now) : now;
  context.live.oldestLive = Math.max(0, Math.floor((at - context.started) / 1000));
  return context.store.flush(at, session.batch);
}
