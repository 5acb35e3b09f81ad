/**
 * A TLS connection of `node:tls` as a {@linkcode Transport}.
 *
 * @module
 */

import type { TLSSocket } from "node:tls";
import type { Transport } from "../transport.ts";

/** How long the last bytes of a connection that is closed may take, in milliseconds. */
const LINGER = 2000;

/** Reads and writes of a `node:tls` socket as promises. One read and one write at a time. */
export class NodeTransport implements Transport {
  readonly #socket: TLSSocket;
  /** What was received and did not fit in the last read. */
  #rest: Uint8Array | undefined;
  #failure: Error | undefined;
  #ended = false;
  #closed = false;
  #writing = false;
  /** Ends the wait of a read, where one waits. */
  #wake: (() => void) | undefined;

  constructor(
    socket: TLSSocket,
    readonly remoteAddr: Deno.NetAddr,
    readonly localAddr: Deno.NetAddr,
    readonly certificateNames?: readonly string[],
  ) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("readable", () => this.#wake?.());
    socket.on("end", () => this.#finish());
    socket.on("close", () => this.#finish());
    socket.on("error", (error: Error) => {
      this.#failure ??= new Deno.errors.ConnectionReset(error.message);
      this.#finish();
    });
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#closed) throw new Deno.errors.BadResource("the connection is closed");
      const chunk = this.#rest ?? this.#socket.read() as Uint8Array | null;
      if (chunk !== null) {
        const count = Math.min(chunk.length, into.length);
        into.set(chunk.subarray(0, count));
        this.#rest = count < chunk.length ? chunk.subarray(count) : undefined;
        return count;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
      this.#wake = undefined;
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed || this.#ended && this.#socket.destroyed) {
      throw new Deno.errors.BadResource("the connection is closed");
    }
    this.#writing = true;
    try {
      await new Promise<void>((resolve, reject) => {
        const failed = () => reject(this.#failure ?? new Deno.errors.ConnectionReset("closed"));
        this.#socket.once("close", failed);
        this.#socket.write(bytes, (error) => {
          this.#socket.off("close", failed);
          if (error) reject(new Deno.errors.ConnectionReset(error.message));
          else resolve();
        });
      });
    } finally {
      this.#writing = false;
    }
    return bytes.length;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#finish();
    const socket = this.#socket;
    if (this.#writing || socket.destroyed) return void socket.destroy();
    // The end is told in TLS too; whoever does not take that is not waited for.
    const timer = setTimeout(() => socket.destroy(), LINGER);
    socket.once("close", () => clearTimeout(timer));
    // What was written may still be on its way when the end is: only the other side's end says more.
    socket.end();
    socket.resume();
  }

  #finish(): void {
    this.#ended = true;
    this.#wake?.();
  }
}
