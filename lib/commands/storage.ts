import { replies, type Reply, type Storage, type TooLarge } from "../protocol/message.ts";
import { fits } from "../protocol/limits.ts";
import {
  type Awaitable,
  type Batch,
  type NewItem,
  plain,
  type Swapped,
  type Updated,
} from "../storage/contract.ts";
import { overwrite, update } from "../storage/update.ts";
import type { Context } from "./context.ts";
import { expiryOf } from "./exptime.ts";

/** The item that a storage command brings. */
function itemOf(request: Storage, now: number): NewItem {
  const { value, flags } = request;
  const exptime = expiryOf(request.exptime, now);
  return { ...plain, value, flags, exptime, accessed: Math.floor(now / 1000) };
}

function stored(context: Context): Reply {
  context.counters.total_items++;
  return replies.stored;
}

/** `set`: one swap, whatever is there; refused for want of room, it leaves nothing there. */
export function set(request: Storage, context: Context, batch: Batch): Awaitable<Reply> {
  context.counters.cmd_set++;
  const item = itemOf(request, context.clock.now());
  const swapped = overwrite(context.store, request.key, item, batch);
  return swapped instanceof Promise ? swapped.then(() => stored(context)) : stored(context);
}

/** `add`: one swap that expects nothing there. */
export function add(request: Storage, context: Context, batch: Batch): Awaitable<Reply> {
  context.counters.cmd_set++;
  const item = itemOf(request, context.clock.now());
  const answer = (swapped: Swapped) =>
    typeof swapped === "bigint" ? stored(context) : replies.notStored;
  const swapped = context.store.swap(request.key, "absent", item, batch);
  return swapped instanceof Promise ? swapped.then(answer) : answer(swapped);
}

/** `cas`: one swap that expects the unique which the client has seen. */
export function compareAndSwap(request: Storage, context: Context, batch: Batch): Awaitable<Reply> {
  const { counters } = context;
  counters.cmd_set++;
  const item = itemOf(request, context.clock.now());
  const answer = (swapped: Swapped): Reply => {
    if (swapped === "absent") {
      counters.cas_misses++;
      return replies.notFound;
    }
    if (swapped === "exists") {
      counters.cas_badval++;
      return replies.exists;
    }
    counters.cas_hits++;
    return stored(context);
  };
  const swapped = context.store.swap(request.key, { cas: request.cas }, item, batch);
  return swapped instanceof Promise ? swapped.then(answer) : answer(swapped);
}

/** `replace`: a new item where there is one. */
export function replace(request: Storage, context: Context, batch: Batch): Awaitable<Reply> {
  const item = itemOf(request, context.clock.now());
  return change(request, context, batch, () => item);
}

/** `append` and `prepend`: the value longer, the rest of the item as it was, under a new unique. */
export function extend(request: Storage, context: Context, batch: Batch): Awaitable<Reply> {
  return change(request, context, batch, (item) => {
    const length = item.value.length + request.value.length;
    if (!fits(request.key.length, length, item.flags, context.limits)) return undefined;
    const value = new Uint8Array(length);
    const [first, second] = request.op === "append"
      ? [item.value, request.value]
      : [request.value, item.value];
    value.set(first);
    value.set(second, first.length);
    return { ...item, value, cas: 0n };
  });
}

/** Stores what is made of the item that is there; `NOT_STORED` where nothing is, or is made. */
function change(
  request: Storage,
  context: Context,
  batch: Batch,
  make: (item: NewItem) => NewItem | undefined,
): Awaitable<Reply> {
  context.counters.cmd_set++;
  const answer = ({ cas }: Updated<void>) => cas === 0n ? replies.notStored : stored(context);
  const { store, clock } = context;
  const done = update(store, clock, request.key, (item) => {
    return { next: item && make(item), result: undefined };
  }, batch);
  return done instanceof Promise ? done.then(answer) : answer(done);
}

/**
 * An item over the limit. A client that gave a key a new value must not read the old one, so a
 * refused `set` deletes it; the other commands leave it (memcached, `process_update_command`).
 */
export function refuse(request: TooLarge, context: Context, batch: Batch): Awaitable<Reply> {
  context.counters.store_too_large++;
  if (request.command !== "set") return replies.tooLarge;
  const swapped = context.store.swap(request.key, "any", null, batch);
  return swapped instanceof Promise ? swapped.then(() => replies.tooLarge) : replies.tooLarge;
}
