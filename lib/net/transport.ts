/**
 * What a server needs of a connection and of what accepts it, over TCP, a Unix socket or TLS. Deno's own
 * connections and listeners are such as they are.
 *
 * @module
 */

/** One connection, ready for its first byte. */
export interface Transport {
  readonly remoteAddr: Deno.Addr;
  readonly localAddr: Deno.Addr;
  /**
   * The names in the certificate that the client has shown and that was checked; absent where none was
   * asked for or shown.
   */
  readonly certificateNames?: readonly string[];
  /** Reads some bytes; `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes, and says how many. */
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** What accepts connections at one address. */
export interface Acceptor {
  readonly addr: Deno.Addr;
  accept(): Promise<Transport>;
  /** Ends it: an `accept` under way rejects with `Deno.errors.BadResource` or `Interrupted`. */
  close(): void;
}
