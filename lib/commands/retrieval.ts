import { type Get, type GetAndTouch, replies, type Reply } from "../protocol/message.ts";
import {
  type Awaitable,
  type Batch,
  isExpired,
  type Item,
  type Updated,
} from "../storage/contract.ts";
import { update } from "../storage/update.ts";
import type { Context } from "./context.ts";
import { expiryOf } from "./exptime.ts";

/** `get` and `gets`, one key. */
export function get(request: Get, context: Context, batch: Batch): Awaitable<Reply> {
  context.counters.cmd_get++;
  const found = context.store.read(request.key, batch);
  return found instanceof Promise
    ? found.then((item) => show(request, item, context))
    : show(request, found, context);
}

function show(request: Get, item: Item | undefined, context: Context): Reply {
  const { counters } = context;
  if (item === undefined || (item.exptime !== 0 && isExpired(item, context.clock.now()))) {
    counters.get_misses++;
    if (item !== undefined) counters.get_expired++;
    return request.last ? replies.lastMiss : replies.miss;
  }
  counters.get_hits++;
  const { key, unique, last } = request;
  return { kind: "value", key, item, unique, last };
}

/** `gat` and `gats`, one key. The cas unique stays, as the value does. */
export function getAndTouch(
  request: GetAndTouch,
  context: Context,
  batch: Batch,
): Awaitable<Reply> {
  const { counters, clock, store } = context;
  const { key, unique, last } = request;
  counters.cmd_touch++;
  const answer = ({ result: item }: Updated<Item | undefined>): Reply => {
    if (item === undefined) {
      counters.touch_misses++;
      return last ? replies.lastMiss : replies.miss;
    }
    counters.touch_hits++;
    return { kind: "value", key, item, unique, last };
  };
  const done = update(store, clock, key, (item) => {
    if (item === undefined) return { next: undefined, result: undefined };
    // The swap is a call to the store, after which what it showed may be gone.
    const result = { ...item, value: item.value.slice() };
    const exptime = expiryOf(request.exptime, clock.now());
    return { next: { ...result, exptime, fetched: true, accessed: batch.seconds }, result };
  }, batch);
  return done instanceof Promise ? done.then(answer) : answer(done);
}
