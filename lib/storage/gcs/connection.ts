/**
 * One connection to the service, for one request after another.
 *
 * It is read from all the time: so it is known at once when the service has closed a connection that
 * nobody was using, and no request goes out on it.
 *
 * @module
 */

import { type Answer, ResponseReader } from "./response.ts";

/** Where the service is. */
export interface Address {
  readonly hostname: string;
  readonly port: number;
  readonly tls: boolean;
}

/** A request and its body in one are written at once up to so many bytes. */
const JOINED = 64 * 1024;

interface Exchange {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** A connection that is open, or was. */
export class Connection {
  readonly #conn: Deno.Conn;
  readonly #reader = new ResponseReader();
  #exchange: Exchange | undefined;
  #writing = false;
  #open = true;
  /** Since when it has nothing to do, as `performance.now()` tells time. */
  idleSince = 0;

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
    void this.#read();
  }

  /**
   * Connects. Where the signal is aborted the connection ends, whether it is there yet or not.
   *
   * @throws what the system says, where there is nobody, or the certificate is not to be trusted.
   */
  static async to({ hostname, port, tls }: Address, signal: AbortSignal): Promise<Connection> {
    const tcp = await Deno.connect({ hostname, port, signal });
    let conn: Deno.Conn = tcp;
    const end = () => closeQuietly(conn);
    signal.addEventListener("abort", end);
    try {
      signal.throwIfAborted();
      tcp.setNoDelay();
      if (tls) {
        const secure = await Deno.startTls(tcp, { hostname, alpnProtocols: ["http/1.1"] });
        conn = secure;
        await secure.handshake();
      }
      signal.throwIfAborted();
      return new Connection(conn);
    } catch (error) {
      end();
      throw error;
    } finally {
      signal.removeEventListener("abort", end);
    }
  }

  /** Whether it can take a request. */
  get isFree(): boolean {
    return this.#open && this.#exchange === undefined;
  }

  /**
   * Sends a request once, and gives the answer.
   *
   * @throws where the connection ends before the whole answer is there.
   */
  send(head: Uint8Array, body: Uint8Array | undefined): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#exchange = { resolve, reject };
    void this.#write(head, body);
    return promise;
  }

  /** Ends it; who waits for an answer gets an error. */
  close(error: unknown = new Error("the connection was given up")): void {
    if (!this.#open) return;
    this.#open = false;
    closeQuietly(this.#conn);
    this.#exchange?.reject(error);
    this.#exchange = undefined;
  }

  async #write(head: Uint8Array, body: Uint8Array | undefined): Promise<void> {
    this.#writing = true;
    try {
      if (body === undefined) await this.#writeAll(head);
      else if (head.length + body.length <= JOINED) {
        const joined = new Uint8Array(head.length + body.length);
        joined.set(head);
        joined.set(body, head.length);
        await this.#writeAll(joined);
      } else {
        await this.#writeAll(head);
        await this.#writeAll(body);
      }
    } catch {
      // The service may have answered before it closed: whoever reads will see that, or the end.
      return;
    }
    this.#writing = false;
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    let written = await this.#conn.write(bytes);
    while (written < bytes.length) written += await this.#conn.write(bytes.subarray(written));
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        const count = await this.#conn.read(this.#reader.room());
        if (count !== null && this.#exchange === undefined) break;
        const answer = count === null ? this.#reader.ended() : this.#reader.added(count);
        if (answer !== undefined) this.#answer(answer);
        if (count === null) break;
      }
      this.close(new Error("the connection was closed before the whole answer"));
    } catch (error) {
      this.close(error);
    }
  }

  #answer(answer: Answer): void {
    const { resolve } = this.#exchange!;
    this.#exchange = undefined;
    // Who answers before it has the whole request cannot take another.
    if (!this.#reader.keepsAlive || this.#writing) this.close();
    resolve(answer);
  }
}

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // It was closed before, or is another's now.
  }
}
