/**
 * A TCP proxy that can break what passes through it.
 *
 * @module
 */

/** Passes bytes on to a port of this machine. */
export class Proxy implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.TcpConn>();
  /** Bytes of replies that still pass before every connection is cut; none where it is negative. */
  cutAfter = -1;
  /** Bytes of replies that have passed. */
  passed = 0;
  /** Pauses replies, without ending anything. */
  silent = false;

  readonly #target: number;

  constructor(target: number) {
    this.#target = target;

    this.#accept().catch(() => {});
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#listener.addr as Deno.NetAddr).port}`;
  }

  /** Cuts every connection. */
  cut(): void {
    for (const connection of this.#open) {
      try {
        connection.close();
      } catch {
        // It has ended by itself.
      }
    }
    this.#open.clear();
  }

  async #accept(): Promise<void> {
    for await (const near of this.#listener) {
      try {
        const far = await Deno.connect({ hostname: "127.0.0.1", port: this.#target });
        this.#open.add(near).add(far);
        this.#pass(near, far, false);
        this.#pass(far, near, true);
      } catch {
        near.close();
      }
    }
  }

  async #pass(from: Deno.TcpConn, to: Deno.TcpConn, replies: boolean): Promise<void> {
    const buffer = new Uint8Array(16 << 10);
    try {
      for (let n; (n = await from.read(buffer)) !== null;) {
        while (replies && this.silent) await new Promise((resolve) => setTimeout(resolve, 10));
        let bytes = buffer.subarray(0, n);
        if (replies) this.passed += n;
        const cut = replies && this.cutAfter >= 0 && n >= this.cutAfter;
        if (cut) bytes = bytes.subarray(0, this.cutAfter);
        else if (replies && this.cutAfter > 0) this.cutAfter -= n;
        for (let sent = 0; sent < bytes.length;) sent += await to.write(bytes.subarray(sent));
        if (cut) {
          this.cutAfter = -1;
          this.cut();
        }
      }
    } catch {
      // Cut, by one side or the other.
    }
    for (const connection of [from, to]) {
      if (!this.#open.delete(connection)) continue;
      try {
        connection.close();
      } catch {
        // It has ended by itself.
      }
    }
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    this.cut();
  }
}
