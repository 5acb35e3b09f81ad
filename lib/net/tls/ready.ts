/**
 * Connections whose handshake is done, until somebody accepts them.
 *
 * @module
 */

import type { Transport } from "../transport.ts";

/** From so many that wait to be accepted on no more handshakes are begun. */
const MOST = 64;

/** A queue between handshakes and `accept`. */
export class ReadyQueue {
  readonly #waiting: Transport[] = [];
  #accepting: PromiseWithResolvers<Transport> | undefined;
  /** Resolves when there is room again, where somebody waits for that. */
  #room: PromiseWithResolvers<void> | undefined;
  #closed = false;

  /** What to wait for before more connections are made ready; nothing where there is room. */
  room(): Promise<void> | undefined {
    if (this.#closed || this.#waiting.length < MOST) return undefined;
    return (this.#room ??= Promise.withResolvers<void>()).promise;
  }

  add(transport: Transport): void {
    if (this.#closed) return transport.close();
    if (this.#accepting === undefined) this.#waiting.push(transport);
    else {
      this.#accepting.resolve(transport);
      this.#accepting = undefined;
    }
  }

  /** The next connection. One caller waits at a time. */
  accept(): Promise<Transport> {
    const transport = this.#waiting.shift();
    if (transport !== undefined) {
      this.#makeRoom();
      return Promise.resolve(transport);
    }
    if (this.#closed) return Promise.reject(new Deno.errors.BadResource("the listener is closed"));
    this.#accepting = Promise.withResolvers();
    return this.#accepting.promise;
  }

  close(): void {
    this.#closed = true;
    for (const transport of this.#waiting.splice(0)) transport.close();
    this.#makeRoom();
    this.#accepting?.reject(new Deno.errors.BadResource("the listener is closed"));
    this.#accepting = undefined;
  }

  #makeRoom(): void {
    if (this.#waiting.length >= MOST) return;
    this.#room?.resolve();
    this.#room = undefined;
  }
}
