/**
 * Connections whose handshake is done, until somebody accepts them.
 *
 * @module
 */

import type { Transport } from "../transport.ts";

/** Connections that may wait to be accepted; more are closed. */
const MOST = 64;

/** A queue between handshakes and `accept`. */
export class ReadyQueue {
  readonly #waiting: Transport[] = [];
  #accepting: PromiseWithResolvers<Transport> | undefined;
  #closed = false;

  /** Whether nobody should make more connections ready. */
  get isFull(): boolean {
    return this.#waiting.length >= MOST;
  }

  add(transport: Transport): void {
    if (this.#closed || this.isFull) return transport.close();
    if (this.#accepting === undefined) this.#waiting.push(transport);
    else {
      this.#accepting.resolve(transport);
      this.#accepting = undefined;
    }
  }

  /** The next connection. One caller waits at a time. */
  accept(): Promise<Transport> {
    const transport = this.#waiting.shift();
    if (transport !== undefined) return Promise.resolve(transport);
    if (this.#closed) return Promise.reject(new Deno.errors.BadResource("the listener is closed"));
    this.#accepting = Promise.withResolvers();
    return this.#accepting.promise;
  }

  close(): void {
    this.#closed = true;
    for (const transport of this.#waiting.splice(0)) transport.close();
    this.#accepting?.reject(new Deno.errors.BadResource("the listener is closed"));
    this.#accepting = undefined;
  }
}
