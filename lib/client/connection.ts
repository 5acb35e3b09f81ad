/**
 * One connection to one server, with as many requests in flight as are made.
 *
 * @module
 */

import { ByteBuffer } from "../bytes.ts";
import { messageOf } from "../errors.ts";
import {
  type ClientDialect,
  type Expect,
  type Protocol,
  type Reply,
  type ReplyOf,
  type ReplyReader,
  type RequestWriter,
  statusReplies,
} from "../protocol/client_dialect.ts";
import { clientDialects } from "../protocol/client_dialects.ts";
import { writeLine } from "../protocol/text/format_request.ts";
import type { ClientTls } from "../net/tls/client.ts";
import type { Transport } from "../net/transport.ts";
import { Rounds } from "../rounds.ts";
import { type Address, addressText } from "./address.ts";
import { dial } from "./dial.ts";
import {
  errorOf,
  LoginError,
  RequestError,
  TimeoutError,
  UnreachableError,
  UnreadableError,
} from "./errors.ts";
import { type Credentials, logIn } from "./login.ts";
import { Queue } from "./queue.ts";

export type { Credentials };

/** How a {@linkcode Connection} behaves. */
export interface ConnectionOptions {
  /**
   * How long a server may be silent while a reply is due, in milliseconds (5000). It may be a quarter
   * more. Each byte that is read or written begins the time anew, so that a large value may take longer.
   */
  readonly timeout?: number;
  /** When it aborts, the connection is closed and its requests are rejected with the reason. */
  readonly signal?: AbortSignal;
  /** Which of memcached's dialects it speaks (text). */
  readonly protocol?: Protocol;
  /** Speak TLS over TCP; a Unix socket has none. */
  readonly tls?: ClientTls;
  /** For a server with an auth file (memcached's `-Y`), or with SASL (`-S`) over binary. */
  readonly credentials?: Credentials;
}

/** What waits for a reply. One object may wait again and again, also several times concurrently. */
export interface Waiting {
  /** What {@linkcode RequestWriter} said that the reply looks like. */
  readonly expect: Expect;
  /** The one that its request was written with. */
  readonly opaque: number;
  /** Takes the reply, the server's errors among them; of a dump each part. */
  resolve(reply: Reply): void;
  /** Learns that no reply will come. */
  reject(error: Error): void;
}

/** Requests wait for their replies in the order in which they were sent. */
interface InFlight {
  readonly waiting: Waiting;
  /** The {@linkcode Connection} tick in which the request was made. */
  readonly tick: number;
}

const READ_BUFFER = 16 * 1024;
/** A write buffer that has grown beyond this is given back when it is empty. */
const KEPT_WRITE_BUFFER = 64 * 1024;
/** A timer of more, in milliseconds, would not wait at all. */
export const LONGEST_TIMER = 2 ** 31 - 1;
/** The timer runs this often in the time that a reply may take. */
const TICKS = 4;

/** Of all connections of this thread. */
const rounds = new Rounds();

/**
 * One TCP, TLS or Unix socket connection. It begins to connect when it is made; requests may be made
 * immediately. All requests made in one turn of the event loop leave in one write.
 *
 * A connection lives once: when it fails, every request in flight is rejected and so is each later
 * one. Whether the server has carried out the rejected requests is not known, so none is sent again;
 * {@linkcode Client} opens a new connection for the request that comes next.
 *
 * ```ts ignore
 * using connection = new Connection(parseAddress("127.0.0.1:11211"));
 * const reply = await connection.request((requests, out, opaque) =>
 *   requests.get(out, opaque, "get", "key", 0)
 * );
 * ```
 */
export class Connection implements Disposable {
  readonly #options: ConnectionOptions;
  readonly #dialect: ClientDialect;
  readonly #reader: ReplyReader;
  readonly #inFlight = new Queue<InFlight>();
  #socket: Transport | undefined;
  /** Whether requests may be sent: it is connected, and has logged in. */
  #ready = false;
  /** Whether anything has come from the server behind the handshake and the login. */
  #heard = false;
  #opaque = 0;
  #failure: Error | undefined;

  /** What is to be written next, and the memory of what is being written. */
  #out = new ByteBuffer();
  #spare = new ByteBuffer();
  #writing = false;
  #flushScheduled = false;
  readonly #flush = () => void this.#write();

  #timer: ReturnType<typeof setInterval> | undefined;
  #tick = 0;
  /** The tick in which bytes last came or went. */
  #progress = 0;
  readonly #onAbort = () => this.#fail(this.#options.signal!.reason);

  constructor(readonly address: Address, options: ConnectionOptions = {}) {
    this.#options = options;
    this.#dialect = clientDialects[options.protocol ?? "text"];
    this.#reader = this.#dialect.newReader();
    const { signal } = options;
    if (signal?.aborted) this.#onAbort();
    else signal?.addEventListener("abort", this.#onAbort);
    void this.#run();
  }

  /** Whether it has failed or was closed, so that no request can be made on it. */
  get closed(): boolean {
    return this.#failure !== undefined;
  }

  /** How many requests wait for their replies. */
  get inFlight(): number {
    return this.#inFlight.length;
  }

  /**
   * Makes a request; `write` writes its bytes, one whole request, by the connection's own dialect or
   * by one that shares it, and returns what the reply looks like. If it throws, nothing is sent.
   *
   * @returns the reply; the server's error lines reject as {@linkcode ServerError} and
   * {@linkcode RequestError}, all else as {@linkcode UnreachableError} or {@linkcode TimeoutError}.
   */
  request<E extends Expect>(
    write: (requests: RequestWriter, out: ByteBuffer, opaque: number) => E,
  ): Promise<ReplyOf<E>> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      const opaque = this.#nextOpaque();
      this.#await({
        expect: this.#append(write, opaque),
        opaque,
        resolve: (reply) =>
          reply.kind === "error" ? reject(errorOf(reply.line)) : resolve(reply as ReplyOf<E>),
        reject,
      });
    });
  }

  /** Sends a line of the text protocol as it is, over text or meta. `expect` says what comes back. */
  line<E extends "line" | "list" | "values" | "meta">(
    line: string,
    expect: E,
  ): Promise<ReplyOf<E>> {
    return this.request((_, out) => {
      writeLine(out, line);
      return expect;
    });
  }

  /**
   * Asks for a dump (`lru_crawler metadump all`) over text or meta, which may be longer than memory:
   * `each` takes its lines as they come. What `each` throws rejects.
   */
  dump(line: string, each: (lines: readonly string[]) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      const opaque = this.#nextOpaque();
      writeLine(this.#out, line);
      this.#await({
        expect: "dump",
        opaque,
        resolve(reply) {
          if (reply.kind === "error") return reject(errorOf(reply.line));
          const { lines, last } = reply as ReplyOf<"dump">;
          try {
            each(lines);
          } catch (error) {
            // What else comes of it is read, as it must be, and taken by nobody.
            each = () => {};
            reject(error);
          }
          if (last) resolve();
        },
        reject,
      });
    });
  }

  /**
   * Sends a request whose bytes are ready, for who makes a great many of them: no promise is made.
   * `frame` is copied; it must carry the opaque that `waiting` names.
   */
  send(frame: Uint8Array, waiting: Waiting): void {
    if (this.#failure !== undefined) return waiting.reject(this.#failure);
    this.#out.append(frame);
    this.#await(waiting);
  }

  /** Closes it; requests that are still in flight are rejected. */
  close(): void {
    this.#fail(new UnreachableError(`the connection to ${addressText(this.address)} was closed`));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #await(waiting: Waiting): void {
    this.#inFlight.push({ waiting, tick: this.#tick });
    const time = (this.#options.timeout ?? 5000) / TICKS;
    this.#timer ??= setInterval(this.#onTick, Math.min(LONGEST_TIMER, Math.max(1, time)));
    if (this.#flushScheduled || this.#writing || !this.#ready) return;
    this.#flushScheduled = true;
    queueMicrotask(this.#flush);
  }

  async #run(): Promise<void> {
    if (this.#failure !== undefined) return;
    try {
      this.#socket = await dial(this.address, this.#options.tls);
      if (this.#failure !== undefined) return this.#socket.close();
      await this.#logIn(this.#socket);
      if (this.#failure !== undefined) return;
      this.#ready = true;
      void this.#write();
      rounds.join();
      await this.#read(this.#socket).finally(() => rounds.leave());
    } catch (error) {
      if (this.#socket !== undefined) return this.#lose(error);
      this.#fail(
        new UnreachableError(`cannot reach ${addressText(this.address)}: ${messageOf(error)}`, {
          cause: error,
        }),
      );
    }
  }

  #lose(error: unknown): void {
    const message = messageOf(error);
    // Deno says of a TLS connection that just ends more than anybody can use, with a link.
    const why = message.includes("close_notify") ? "it closed the connection" : message;
    this.#fail(
      new UnreachableError(
        `lost the connection to ${addressText(this.address)}: ${why}${this.#suspicion}`,
        { cause: error },
      ),
    );
  }

  /** With TLS 1.3 a server refuses a client without a certificate after the handshake, by closing. */
  get #suspicion(): string {
    const { tls } = this.#options;
    return tls === undefined || tls.cert !== undefined || this.#heard
      ? ""
      : "; it may want a certificate";
  }

  async #read(socket: Transport): Promise<void> {
    const memory = new Uint8Array(READ_BUFFER);
    const reader = this.#reader;
    const inFlight = this.#inFlight;
    let begin = () => {};
    const go = () => begin();
    while (true) {
      if (!rounds.next(go)) await new Promise<void>((resolve) => begin = resolve);
      let length: number | null;
      try {
        length = await socket.read(memory);
      } finally {
        rounds.readDone();
      }
      if (length === null) {
        if (inFlight.peek()?.waiting.expect === "end") {
          inFlight.shift()!.waiting.resolve(statusReplies.done);
        }
        return this.#fail(
          new UnreachableError(
            `${addressText(this.address)} closed the connection${this.#suspicion}`,
          ),
        );
      }
      this.#progress = this.#tick;
      this.#heard = true;
      reader.push(memory.subarray(0, length));
      for (let head = inFlight.peek(); head !== undefined; head = inFlight.peek()) {
        const { expect, opaque } = head.waiting;
        const reply = reader.next(expect, opaque);
        if (reply === undefined) break;
        if (reply.kind === "unreadable") return this.#distrust(reply.reason);
        if (reply.kind !== "lines" || reply.last) inFlight.shift();
        head.waiting.resolve(reply);
      }
      if (reader.pending && this.#failure === undefined) {
        return this.#distrust("a reply that nobody asked for");
      }
    }
  }

  #distrust(reason: string): void {
    this.#fail(
      new UnreadableError(`${addressText(this.address)} does not speak memcached: ${reason}`),
    );
  }

  /** Writes what has gathered, and what gathers meanwhile. */
  async #write(): Promise<void> {
    this.#flushScheduled = false;
    if (this.#writing) return;
    this.#writing = true;
    try {
      while (this.#out.length > 0 && this.#failure === undefined) {
        const out = this.#out;
        this.#out = this.#spare;
        this.#spare = out;
        const bytes = out.view();
        for (let at = 0; at < bytes.length;) {
          at += await this.#socket!.write(at === 0 ? bytes : bytes.subarray(at));
          this.#progress = this.#tick;
          rounds.writeDone();
        }
        out.clear(KEPT_WRITE_BUFFER);
      }
    } catch (error) {
      this.#lose(error);
    }
    this.#writing = false;
  }

  /**
   * One timer a connection is enough: a request carries the tick in which it was made, and the one
   * at the head has waited longest. The timer stops when nothing is in flight.
   */
  readonly #onTick = (): void => {
    this.#tick++;
    const head = this.#inFlight.peek();
    if (head === undefined) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    } else if (this.#tick - Math.max(head.tick, this.#progress) > TICKS) {
      this.#fail(
        new TimeoutError(
          `no reply from ${addressText(this.address)} within ${this.#options.timeout ?? 5000} ms`,
        ),
      );
    }
  };

  /** Nothing but the login is on the connection while it goes on. */
  async #logIn(socket: Transport): Promise<void> {
    const { credentials } = this.#options;
    if (credentials === undefined) return;
    try {
      await logIn(socket, this.#dialect, this.#reader, credentials);
    } catch (error) {
      const server = addressText(this.address);
      if (error instanceof UnreadableError) return this.#distrust(error.message);
      if (!(error instanceof RequestError)) throw error;
      this.#fail(
        new LoginError(`${server} refuses user '${credentials.user}': ${error.message}`),
      );
    }
  }

  #nextOpaque(): number {
    return this.#opaque = (this.#opaque + 1) >>> 0;
  }

  #append<E extends Expect>(
    write: (requests: RequestWriter, out: ByteBuffer, opaque: number) => E,
    opaque: number,
  ): E {
    const out = this.#out;
    const start = out.length;
    try {
      return write(this.#dialect.requests, out, opaque);
    } catch (error) {
      out.length = start;
      throw error;
    }
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    clearInterval(this.#timer);
    try {
      this.#socket?.close();
    } catch {
      // It was closed by the other side's error already.
    }
    for (let head = this.#inFlight.shift(); head; head = this.#inFlight.shift()) {
      head.waiting.reject(error);
    }
  }
}
