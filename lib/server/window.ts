import { binaryString } from "../bytes.ts";
import type { Reply, Request } from "../protocol/message.ts";

/** Requests that wait at once, at most. */
const MOST = 256;
/** Retrievals that wait at once as long as nobody knows how large their values are. */
const FIRST_RETRIEVALS = 32;
/** Bytes of values that the retrievals of one window should amount to. */
const REPLY_BYTES = 4 * 1024 * 1024;

/** A request and the reply that it has, or will have. */
export interface Pending {
  readonly request: Request;
  readonly reply: Reply | Promise<Reply>;
}

/**
 * Requests of one connection that were given to the store together and are answered in order.
 *
 * Requests on different keys wait side by side, and so do reads of one key, and changes of one key
 * where the store keeps their order. Any other request on a key that is in hand waits for that; a
 * request on no single key waits for all, and all for it.
 */
export class Window {
  private readonly pending: Pending[] = [];
  /** The keys in hand, and whether something changes them. */
  private readonly keys = new Map<string, boolean>();
  /** Whether a request on no single key is in hand. */
  private closed = false;
  private retrievals = 0;
  /** Retrievals at once: fewer where values are large, for together they must fit in memory. */
  private mostRetrievals = FIRST_RETRIEVALS;

  /** @param ordered whether the store keeps the order of a key's changes itself. */
  constructor(private readonly ordered: boolean) {}

  get isEmpty(): boolean {
    return this.pending.length === 0;
  }

  /** Whether a request may be started while the others wait. */
  admits(request: Request): boolean {
    if (this.isEmpty) return true;
    if (this.closed || this.pending.length >= MOST || !("key" in request)) return false;
    if (isRetrieval(request) && this.retrievals >= this.mostRetrievals) return false;
    const changed = this.keys.get(binaryString(request.key));
    if (changed === undefined) return true;
    return request.op === "get" ? !changed : changed && this.ordered;
  }

  add(request: Request, reply: Reply | Promise<Reply>): void {
    if ("key" in request) {
      const key = binaryString(request.key);
      this.keys.set(key, this.keys.get(key) || request.op !== "get");
    } else this.closed = true;
    if (isRetrieval(request)) this.retrievals++;
    this.pending.push({ request, reply: reply instanceof Promise ? reply : kept(reply) });
  }

  /** Empties the window. The caller waits for the replies, one after the other. */
  take(): Pending[] {
    this.keys.clear();
    this.retrievals = 0;
    this.closed = false;
    return this.pending.splice(0);
  }

  /** Tells how many bytes the replies to `count` retrievals came to. */
  learn(count: number, bytes: number): void {
    if (count === 0) return;
    const fitting = Math.floor(REPLY_BYTES * count / Math.max(bytes, 1));
    // Larger values may come again: the window opens by steps and closes at once.
    this.mostRetrievals = Math.max(4, Math.min(MOST, this.mostRetrievals * 2, fitting));
  }
}

function isRetrieval(request: Request): boolean {
  return "last" in request;
}

/** A reply that outlives the next call to the store. */
function kept(reply: Reply): Reply {
  if (reply.kind !== "value") return reply;
  const { flags, cas, value } = reply.item;
  return { ...reply, item: { flags, cas, value: value.slice() } };
}
