import { binaryString } from "../bytes.ts";
import type { Reply, Request } from "../protocol/message.ts";

/** Requests that wait at once, at most. */
const MOST = 256;
/** Bytes of replies that the requests of one window should amount to. */
const REPLY_BYTES = 4 * 1024 * 1024;

/** A request and the reply that it has, or will have. */
export interface Pending {
  readonly request: Request;
  readonly reply: Reply | Promise<Reply>;
}

/**
 * Requests of one connection that were given to the store together and are answered in order.
 *
 * Requests on different keys wait side by side, and so do reads of one key. A request on a key that
 * another one changes waits for that; a request on no single key waits for all, and all for it.
 */
export class Window {
  private readonly pending: Pending[] = [];
  /** The keys in hand, and whether something changes them. */
  private readonly keys = new Map<string, boolean>();
  /** Whether a request on no single key is in hand: `flush_all` concerns every key. */
  private closed = false;
  /** The window gets narrower where replies are large: together they must fit in memory. */
  private most = MOST;

  get isEmpty(): boolean {
    return this.pending.length === 0;
  }

  /** Whether a request may be started while the others wait. */
  admits(request: Request): boolean {
    if (this.isEmpty) return true;
    if (this.closed || this.pending.length >= this.most || !("key" in request)) return false;
    const changed = this.keys.get(binaryString(request.key));
    return changed === undefined || (!changed && request.op === "get");
  }

  add(request: Request, reply: Reply | Promise<Reply>): void {
    if ("key" in request) {
      const key = binaryString(request.key);
      this.keys.set(key, this.keys.get(key) || request.op !== "get");
    } else this.closed = true;
    this.pending.push({ request, reply: reply instanceof Promise ? reply : kept(reply) });
  }

  /** Empties the window. The caller waits for the replies, one after the other. */
  take(): Pending[] {
    this.keys.clear();
    this.closed = false;
    return this.pending.splice(0);
  }

  /** Tells how many bytes the replies to `count` requests came to. */
  learn(count: number, bytes: number): void {
    const fitting = Math.floor(REPLY_BYTES * count / Math.max(bytes, 1));
    this.most = Math.max(4, Math.min(MOST, fitting));
  }
}

/** A reply that outlives the next call to the store. */
function kept(reply: Reply): Reply {
  if (reply.kind !== "value") return reply;
  const { flags, cas, value } = reply.item;
  return { ...reply, item: { flags, cas, value: value.slice() } };
}
