/**
 * The bound on the clients of `--http`.
 *
 * `Deno.serve` keeps a connection for as long as its client wishes: one that sends nothing, half a request,
 * or that never reads is never closed. So it listens on a Unix socket in a directory of its own, and this gate
 * on the TCP port before it: so many connections, and none to which nothing could be sent for a while.
 *
 * @module
 */

import { othersTurn } from "../../others_turn.ts";
import { isShortage } from "../../net/shortage.ts";
import type { Acceptor, Transport } from "../../net/transport.ts";
import { within } from "../../within.ts";

/** Connections at a time. */
export const MAX_CONNECTIONS = 256;
/** Milliseconds after which a connection is closed to which nothing could be sent. */
export const STALLED_AFTER = 30_000;
/** Milliseconds for which a client is answered that sends no more. */
const HALF_CLOSED = 5000;
/** Where the system has no descriptor for another one, none is accepted for so long, in milliseconds. */
const PAUSE = 100;
/** Bytes that are read in one go. */
const CHUNK = 16 * 1024;

/** One client, and its connection to the server behind the gate. */
interface Passage {
  readonly outer: Transport;
  inner: Deno.Conn | undefined;
  /** When something was sent to the client last, by `performance.now()`. */
  sent: number;
}

/** How the gate bounds its clients. */
export interface GateBounds {
  readonly connections: number;
  /** Milliseconds. */
  readonly stalledAfter: number;
}

/** Lets so many clients through to a Unix socket. */
export class Gate {
  /** Connections closed as stalled, and those refused as too many. */
  stalled = 0;
  refused = 0;
  /** Requests without a user's password, where one is asked for. */
  denied = 0;
  readonly #passages = new Set<Passage>();
  readonly #listener: Acceptor;
  readonly #path: string;
  readonly #bounds: GateBounds;
  readonly #timer: ReturnType<typeof setInterval>;
  #closed = false;

  /** @param path the Unix socket to which the connections of `listener` are led */
  constructor(
    listener: Acceptor,
    path: string,
    bounds: GateBounds = { connections: MAX_CONNECTIONS, stalledAfter: STALLED_AFTER },
  ) {
    this.#listener = listener;
    this.#path = path;
    this.#bounds = bounds;
    this.#timer = setInterval(() => this.#sweep(), Math.max(1, bounds.stalledAfter / 6));
    this.#accept();
  }

  /** Connections open now. */
  get size(): number {
    return this.#passages.size;
  }

  /** Connections that may be open. */
  get most(): number {
    return this.#bounds.connections;
  }

  /** Ends it and every connection. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#listener.close();
    for (const passage of this.#passages) end(passage);
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      try {
        const outer = await this.#listener.accept();
        if (this.#passages.size < this.#bounds.connections) this.#lead(outer);
        else {
          this.refused++;
          outer.close();
        }
      } catch (error) {
        if (this.#closed) return;
        // The system has no descriptor at the moment; or only the client has gone.
        if (isShortage(error)) await new Promise((resolve) => setTimeout(resolve, PAUSE));
        else await othersTurn();
      }
    }
  }

  async #lead(outer: Transport): Promise<void> {
    const passage: Passage = { outer, inner: undefined, sent: performance.now() };
    this.#passages.add(passage);
    try {
      passage.inner = await Deno.connect({ transport: "unix", path: this.#path });
      const { inner } = passage;
      const answering = pass(inner, outer, () => passage.sent = performance.now());
      const asking = pass(outer, inner, () => {});
      // A client that has asked its last may still wait for the answer; a page that has gone does not.
      await Promise.race([answering, asking.then(() => within(HALF_CLOSED, answering))]);
    } catch {
      // Either side may end at any time.
    } finally {
      this.#passages.delete(passage);
      end(passage);
    }
  }

  #sweep(): void {
    const before = performance.now() - this.#bounds.stalledAfter;
    for (const passage of this.#passages) {
      if (passage.sent > before) continue;
      this.stalled++;
      end(passage);
    }
  }
}

/** Passes on what comes until one side ends. */
async function pass(from: Transport, to: Transport, sent: () => void): Promise<void> {
  const bytes = new Uint8Array(CHUNK);
  for (;;) {
    const count = await from.read(bytes);
    if (count === null) return;
    for (let written = 0; written < count;) {
      written += await to.write(bytes.subarray(written, count));
      sent();
    }
  }
}

function end({ outer, inner }: Passage): void {
  for (const conn of [outer, inner]) {
    try {
      conn?.close();
    } catch {
      // It has ended.
    }
  }
}
