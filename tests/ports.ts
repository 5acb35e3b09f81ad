/**
 * Ports for programs that must be told one before they listen.
 *
 * @module
 */

/** Above these the system takes what it gives to whoever asks for any port, and to outgoing connections. */
const LOWEST = 15_000, COUNT = 7_000;

/** How far above its own port a Redis Cluster's node has that of its bus. */
const BUS = 10_000;

/**
 * A port that nobody listens on, nor on the one 10,000 above it, and that nobody is given by chance: other tests
 * open and close thousands until it is used.
 */
export function freePort(hostname = "127.0.0.1"): number {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * COUNT);
    try {
      for (const one of [port, port + BUS]) Deno.listen({ hostname, port: one }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
