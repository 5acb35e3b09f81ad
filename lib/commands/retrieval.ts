import { type Get, type GetAndTouch, replies, type Reply } from "../protocol/message.ts";
import { type Awaitable, isExpired, type Item } from "../storage/store.ts";
import { update } from "../storage/update.ts";
import type { Context } from "./context.ts";
import { expiryOf } from "./exptime.ts";

/** `get` and `gets`, one key. */
export function get(request: Get, context: Context): Awaitable<Reply> {
  context.counters.cmd_get++;
  const found = context.store.read(request.key);
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
export function getAndTouch(request: GetAndTouch, context: Context): Awaitable<Reply> {
  const { counters, clock, store } = context;
  const { key, unique, last } = request;
  counters.cmd_touch++;
  let touched: Item | undefined;
  const answer = (): Reply => {
    if (touched === undefined) {
      counters.touch_misses++;
      return last ? replies.lastMiss : replies.miss;
    }
    counters.touch_hits++;
    return { kind: "value", key, item: touched, unique, last };
  };
  const done = update(store, clock, key, (item) => {
    // The swap is a call to the store, after which what it showed may be gone.
    touched = item && { ...item, value: item.value.slice() };
    return touched && { ...touched, exptime: expiryOf(request.exptime, clock.now()) };
  });
  return done instanceof Promise ? done.then(answer) : answer();
}
