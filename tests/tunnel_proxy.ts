/**
 * An HTTP proxy that makes tunnels, and nothing else (RFC 9110, section 9.3.6).
 *
 * @module
 */

/** A running proxy on 127.0.0.1. */
export class TunnelProxy implements AsyncDisposable {
  /** Where tunnels were asked for to, as `host:port`. */
  readonly asked: string[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #conns = new Set<Deno.Conn>();
  readonly #serving: Promise<void>;

  /** @param portOf the port of this machine where a tunnel to `host:port` ends. */
  constructor(readonly portOf: (target: string) => number) {
    this.#serving = this.#serve();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  async #serve(): Promise<void> {
    for await (const conn of this.#listener) this.#tunnel(conn).catch(() => {});
  }

  async #tunnel(conn: Deno.Conn): Promise<void> {
    this.#conns.add(conn);
    const buffer = new Uint8Array(4096);
    let head = "";
    // The client sends no byte of the tunnel before it has the answer.
    while (!head.endsWith("\r\n\r\n")) {
      const count = await conn.read(buffer);
      if (count === null) return;
      head += new TextDecoder().decode(buffer.subarray(0, count));
    }
    const [method, target] = head.split(" ");
    if (method !== "CONNECT") return conn.close();
    this.asked.push(target);
    const inside = await Deno.connect({ hostname: "127.0.0.1", port: this.portOf(target) });
    this.#conns.add(inside);
    await conn.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n"));
    await Promise.all([
      conn.readable.pipeTo(inside.writable),
      inside.readable.pipeTo(conn.writable),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
    for (const conn of this.#conns) {
      try {
        conn.close();
      } catch {
        // Its pipe has closed it.
      }
    }
  }
}
