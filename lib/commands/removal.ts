import {
  type Delete,
  type FlushAll,
  replies,
  type Reply,
  type Touch,
} from "../protocol/message.ts";
import type { Awaitable, Swapped } from "../storage/store.ts";
import { update } from "../storage/update.ts";
import type { Context } from "./context.ts";
import { expiryOf } from "./exptime.ts";

const notAllowed: Reply = { kind: "error", line: "CLIENT_ERROR flush_all not allowed" };

/** `delete`: one swap with nothing. */
export function remove(request: Delete, context: Context): Awaitable<Reply> {
  const { counters } = context;
  const answer = (swapped: Swapped): Reply => {
    if (swapped === "absent") {
      counters.delete_misses++;
      return replies.notFound;
    }
    counters.delete_hits++;
    return replies.deleted;
  };
  const swapped = context.store.swap(request.key, "any", null);
  return swapped instanceof Promise ? swapped.then(answer) : answer(swapped);
}

/** `touch`: another expiry; value and cas unique stay. */
export function touch(request: Touch, context: Context): Awaitable<Reply> {
  const { counters, clock, store } = context;
  counters.cmd_touch++;
  let found = false;
  const answer = (): Reply => {
    if (!found) {
      counters.touch_misses++;
      return replies.notFound;
    }
    counters.touch_hits++;
    return replies.touched;
  };
  const done = update(store, clock, request.key, (item) => {
    found = item !== undefined;
    return item && { ...item, exptime: expiryOf(request.exptime, clock.now()) };
  });
  return done instanceof Promise ? done.then(answer) : answer();
}

/** `flush_all`: everything stored so far, now or at a moment to come. */
export function flushAll(request: FlushAll, context: Context): Awaitable<Reply> {
  context.counters.cmd_flush++;
  if (!context.allowFlush) return notAllowed;
  const now = context.clock.now();
  const done = context.store.flush(request.delay > 0 ? expiryOf(request.delay, now) : now);
  return done instanceof Promise ? done.then(() => replies.ok) : replies.ok;
}
