/**
 * Reads: `get`, `gets`, `mg`, `gat`, `me` and binary's Get, GAT and Touch.
 *
 * @module
 */

import { Kind } from "../observe/watch.ts";
import { itemSize } from "../protocol/limits.ts";
import type { Outcome } from "../protocol/outcome.ts";
import type { Request } from "../protocol/request.ts";
import { type Changed, isExpired, type Item, type NewItem, plain } from "../storage/contract.ts";
import { ItemCursor } from "../storage/item_cursor.ts";
import { update } from "../storage/update.ts";
import type { Context } from "./context.ts";
import { expiryOf } from "../exptime.ts";
import { Right } from "./rights.ts";
import type { Session } from "./session.ts";
import { type Running, Waiting } from "./waiting.ts";

const NOTHING = new Uint8Array(0);
/** What reads show that need not wait, one after another: each is answered before the next. */
const cursor = new ItemCursor();

/** One key, and nothing else. */
export function get(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): Running | void {
  const { store } = context;
  if (store.find !== undefined) {
    const { decodedKey, peeks } = request;
    const isThere = decodedKey.length > 0
      ? store.find(decodedKey, 0, decodedKey.length, session.batch, peeks, cursor)
      : store.find(request.bytes, request.keyStart, request.keyEnd, session.batch, peeks, cursor);
    if (isThere !== undefined) {
      return show(request, outcome, session, context, isThere ? cursor : undefined);
    }
  }
  if (store.readLater !== undefined) {
    const waiting = Waiting.of(request, outcome, session, context, show);
    const { bytes, keyStart, keyEnd, decodedKey, peeks } = request;
    const found = decodedKey.length > 0
      ? store.readLater(decodedKey, 0, decodedKey.length, session.batch, peeks, waiting)
      : store.readLater(bytes, keyStart, keyEnd, session.batch, peeks, waiting);
    if (found === undefined) return waiting;
    waiting.release();
    return show(request, outcome, session, context, found);
  }
  const found = store.read(request.key, session.batch, request.peeks);
  return found instanceof Promise
    ? showLater(request, outcome, session, context, found)
    : show(request, outcome, session, context, found);
}

/** Apart from what need not wait: a function that has a closure makes room for it in each call. */
function showLater(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
  found: Promise<Item | undefined>,
): Promise<void> {
  return found.then((item) => show(request, outcome, session, context, item));
}

function show(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
  found: Item | undefined,
): Promise<void> | void {
  const { counters } = context;
  let item = found;
  if (item !== undefined && item.exptime !== 0 && isExpired(item, context.clock.now())) {
    counters.get_expired++;
    item = undefined;
  }
  // Somebody must renew a stale item: whoever reads it first is told so, and the item remembers that.
  if (
    request.competes && item !== undefined && item.stale && !item.won && mayWin(session, request)
  ) {
    // This look was an access, which the next one finds; the reply shows the item as it was before it.
    const { cas, fetched, accessed } = item;
    return changeAsSeen(request, outcome, session, context, { cas, fetched, accessed });
  }
  counters.cmd_get++;
  note(request, session, context, item);
  if (item === undefined) {
    counters.get_misses++;
    outcome.code = "miss";
    return;
  }
  counters.get_hits++;
  outcome.code = "value";
  outcome.item = context.usesCas ? item : withoutCas(item);
  if (!request.competes) return;
  outcome.won = outcome.created = false;
  outcome.wonBefore = item.won;
  if (!request.wantsTimes) return;
  const now = context.clock.now();
  outcome.ttl = outcome.ttlBefore = ttlOf(item.exptime, now);
  outcome.age = ageOf(item, session);
}

function withoutCas(item: Item): Item {
  return item instanceof ItemCursor ? item.hideCas() : { ...item, cas: 0n };
}

/** Whether its user could renew an item. */
function mayWin({ rights }: Session, request: Request): boolean {
  return rights === undefined || rights.permits(Right.write, request);
}

/** What a read that may change the item has found and done. */
interface Seen {
  readonly item: NewItem;
  readonly exptimeBefore: number;
  readonly created: boolean;
  readonly won: boolean;
  readonly wonBefore: boolean;
}

/** One key, which may get a new exptime, be made, or be given to a client to renew. */
export function getAndChange(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): Promise<void> | void {
  return changeAsSeen(request, outcome, session, context, undefined);
}

/** What an item was when this request looked at it first. */
type Glance = Pick<Item, "cas" | "fetched" | "accessed">;

function changeAsSeen(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
  before: Glance | undefined,
): Promise<void> | void {
  const { store, clock } = context;
  const change = (item: Item | undefined) => changeOf(request, item, clock.now(), before);
  const done = update(store, clock, request.key, change, session.batch, !request.peeks);
  return done instanceof Promise
    ? done.then(({ cas, result }) => showChanged(request, outcome, session, context, cas, result))
    : showChanged(request, outcome, session, context, done.cas, done.result);
}

function changeOf(
  request: Request,
  item: Item | undefined,
  now: number,
  before: Glance | undefined,
): Changed<Seen | undefined> {
  if (item === undefined) {
    return request.vivifies ? vivified(request, now) : { next: undefined, result: undefined };
  }
  const { recaches, recacheTime, recachesTouched, touches, competes } = request;
  const exptime = touches ? expiryOf(request.exptime, now) : item.exptime;
  const end = recachesTouched ? exptime : item.exptime;
  // In whole seconds, as `t` shows them: nobody wins an item that has as many left as R says.
  const isNearEnd = recaches && end !== 0 &&
    ttlOf(end, now) < ttlOf(expiryOf(recacheTime, now), now);
  const won = !item.won && competes && (isNearEnd || item.stale);
  const { fetched, accessed } = before?.cas === item.cas ? before : item;
  // The swap is a call to the store, after which what it showed may be gone.
  const value = request.wantsValue ? item.value.slice() : item.value;
  const result = {
    item: { ...item, value, exptime, fetched, accessed },
    exptimeBefore: item.exptime,
    created: false,
    won,
    wonBefore: item.won,
  };
  if (!touches && !won) return { next: undefined, result };
  const counts = !request.peeks;
  const next = {
    ...item,
    exptime,
    won: item.won || won,
    fetched: item.fetched || counts,
    accessed: counts ? Math.floor(now / 1000) : item.accessed,
  };
  return { next, result };
}

/** An empty item, which its reader is to fill. */
function vivified(request: Request, now: number): Changed<Seen> {
  const next = {
    ...plain,
    value: NOTHING,
    exptime: expiryOf(request.touchesVivified ? request.exptime : request.vivifyExptime, now),
    cas: request.newCas,
    binaryKey: request.binaryKey,
    won: true,
    fetched: !request.peeks,
    accessed: Math.floor(now / 1000),
  };
  const item = { ...next, fetched: false };
  const result = { item, exptimeBefore: 0, created: true, won: true, wonBefore: false };
  return { next, result };
}

function showChanged(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
  cas: bigint,
  seen: Seen | undefined,
): void {
  const { counters } = context;
  // A miss of meta's mg is one of a get, whatever else was asked, as in memcached.
  const touches = request.touches && (seen !== undefined || !request.competes);
  if (touches) counters.cmd_touch++;
  else counters.cmd_get++;
  note(request, session, context, seen?.created ? undefined : seen?.item);
  if (seen === undefined) {
    if (touches) counters.touch_misses++;
    else counters.get_misses++;
    outcome.code = "miss";
    return;
  }
  if (touches) counters.touch_hits++;
  else counters.get_hits++;
  if (seen.created) counters.total_items++;
  const { item, created, won, wonBefore, exptimeBefore } = seen;
  outcome.code = "value";
  // What the store says of the unique counts: the item was shown before it was written.
  const shown = cas === 0n ? item.cas : cas;
  outcome.item = { ...item, cas: context.usesCas ? shown : 0n };
  outcome.created = created;
  outcome.won = won;
  outcome.wonBefore = wonBefore;
  if (!request.wantsTimes) return;
  tellTimes(request, outcome, context.clock.now(), exptimeBefore, item.exptime);
  outcome.age = ageOf(item, session);
}

/** `me`: what is known of an item, for people. Leaves no trace on it. */
export function describe(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): Promise<void> | void {
  context.counters.cmd_meta++;
  const found = context.store.read(request.key, session.batch, true);
  const tell = (item: Item | undefined) => {
    const now = context.clock.now();
    const isThere = item !== undefined && !isExpired(item, now);
    tellFetched(request, session, context.watchers, isThere ? item.value.length : undefined);
    if (!isThere) {
      outcome.code = "miss";
      return;
    }
    outcome.code = "described";
    outcome.item = item;
    outcome.text = `exp=${ttlOf(item.exptime, now)} la=${ageOf(item, session)} ` +
      `cas=${item.cas} fetch=${item.fetched ? "yes" : "no"} cls=1 ` +
      `size=${itemSize(request.keyLength, item.value.length, item.flags)}`;
  };
  return found instanceof Promise ? found.then(tell) : tell(found);
}

/** Counts a read by its prefix, and tells those who watch. */
function note(
  request: Request,
  session: Session,
  { prefixes, watchers }: Context,
  item: NewItem | undefined,
): void {
  if (prefixes.enabled) prefixes.get(request.key, item !== undefined);
  // No view of the value is made where nobody watches.
  if ((watchers.kinds & Kind.fetchers) === 0) return;
  tellFetched(request, session, watchers, item?.value.length);
}

/** Tells those who watch fetchers what was found, by the length of its value; `undefined` for nothing. */
export function tellFetched(
  request: Request,
  session: Session,
  watchers: Context["watchers"],
  length: number | undefined,
): void {
  if ((watchers.kinds & Kind.fetchers) === 0) return;
  const status = length === undefined ? "not_found" : "found";
  watchers.get(request.key, status, session.id, length ?? 0);
}

/**
 * Tells those who watch fetchers that a key is looked up for a change, as memcached does before each of
 * them. Costs a read, and only where somebody watches.
 */
export function tellLookup(
  request: Request,
  session: Session,
  { store, clock, watchers }: Context,
): Promise<void> | void {
  if ((watchers.kinds & Kind.fetchers) === 0) return;
  return lookUp(request, session, store, clock, watchers);
}

function lookUp(
  request: Request,
  session: Session,
  store: Context["store"],
  clock: Context["clock"],
  watchers: Context["watchers"],
): Promise<void> | void {
  const tell = (item: Item | undefined) => {
    const isThere = item !== undefined && !isExpired(item, clock.now());
    tellFetched(request, session, watchers, isThere ? item.value.length : undefined);
  };
  const found = store.read(request.key, session.batch, true);
  return found instanceof Promise ? found.then(tell) : tell(found);
}

/** Tells the times that an item has between the flags of a request that may have made it. */
export function tellTimes(
  request: Request,
  outcome: Outcome,
  now: number,
  before: number,
  after: number,
): void {
  const { created } = outcome;
  outcome.ttlBefore = ttlOf(before, now);
  outcome.ttl = ttlOf(created ? expiryOf(request.exptime, now) : after, now);
  if (created) outcome.ttlMade = ttlOf(expiryOf(request.vivifyExptime, now), now);
}

/** Whole seconds that an item lives on, -1 for ever. `exptime` and `now` in milliseconds. */
export function ttlOf(exptime: number, now: number): number {
  return exptime === 0 ? -1 : Math.max(0, Math.ceil((exptime - now) / 1000));
}

/** Whole seconds since the last access, by the clock that accesses are noted by, which is coarse. */
function ageOf({ accessed }: { readonly accessed: number }, { batch }: Session): number {
  return Math.max(0, batch.seconds - accessed);
}
