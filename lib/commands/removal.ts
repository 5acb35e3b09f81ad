import {
  type Delete,
  type FlushAll,
  replies,
  type Reply,
  type Touch,
} from "../protocol/message.ts";
import type { Awaitable, Batch, Swapped, Updated } from "../storage/contract.ts";
import { update } from "../storage/update.ts";
import type { Context } from "./context.ts";
import { expiryOf } from "./exptime.ts";

const notAllowed: Reply = { kind: "error", line: "CLIENT_ERROR flush_all not allowed" };

/** `delete`: one swap with nothing. */
export function remove(request: Delete, context: Context, batch: Batch): Awaitable<Reply> {
  const { counters } = context;
  const answer = (swapped: Swapped): Reply => {
    if (swapped === "absent") {
      counters.delete_misses++;
      return replies.notFound;
    }
    counters.delete_hits++;
    return replies.deleted;
  };
  const swapped = context.store.swap(request.key, "any", null, batch);
  return swapped instanceof Promise ? swapped.then(answer) : answer(swapped);
}

/** `touch`: another expiry; value and cas unique stay. */
export function touch(request: Touch, context: Context, batch: Batch): Awaitable<Reply> {
  const { counters, clock, store } = context;
  counters.cmd_touch++;
  const answer = ({ result: found }: Updated<boolean>): Reply => {
    if (!found) {
      counters.touch_misses++;
      return replies.notFound;
    }
    counters.touch_hits++;
    return replies.touched;
  };
  const done = update(store, clock, request.key, (item) => {
    if (item === undefined) return { next: undefined, result: false };
    return { next: { ...item, exptime: expiryOf(request.exptime, clock.now()) }, result: true };
  }, batch);
  return done instanceof Promise ? done.then(answer) : answer(done);
}

/** `flush_all`: everything stored so far, now or at a moment to come. */
export function flushAll(request: FlushAll, context: Context, batch: Batch): Awaitable<Reply> {
  context.counters.cmd_flush++;
  if (!context.allowFlush) return notAllowed;
  const now = context.clock.now();
  const at = request.delay > 0 ? expiryOf(request.delay, now) : now;
  const done = context.store.flush(at, batch);
  return done instanceof Promise ? done.then(() => replies.ok) : replies.ok;
}
