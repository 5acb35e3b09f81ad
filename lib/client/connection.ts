/**
 * One connection to one server, with as many requests in flight as are made.
 *
 * @module
 */

import { ByteBuffer } from "../bytes.ts";
import { messageOf } from "../errors.ts";
import { writeLine, writeStore } from "../protocol/text/format_request.ts";
import {
  type Expect,
  type Response,
  type ResponseOf,
  ResponseParser,
} from "../protocol/text/parse_reply.ts";
import { Rounds } from "../rounds.ts";
import { type Address, addressText } from "./address.ts";
import {
  errorOf,
  RequestError,
  TimeoutError,
  UnreachableError,
  UnreadableError,
} from "./errors.ts";
import { Queue } from "./queue.ts";

/** How a {@linkcode Connection} behaves. */
export interface ConnectionOptions {
  /** How long a reply may take, in milliseconds (5000). It may be a quarter more. */
  readonly timeout?: number;
  /** For a server with an auth file (memcached's `-Y`). */
  readonly credentials?: Credentials;
}

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Who waits for a reply. One object may wait again and again, also several times at once. */
export interface Waiting {
  readonly expect: Expect;
  /** Gets the reply, the server's error lines among them; of a dump each part. */
  resolve(response: Response): void;
  /** Learns that no reply will come. */
  reject(error: UnreachableError | RequestError): void;
}

/** Requests wait for their replies in the order in which they were sent. */
interface InFlight {
  readonly waiting: Waiting;
  /** The {@linkcode Connection} tick in which the request was made, or the last part of a dump came. */
  tick: number;
}

const READ_BUFFER = 16 * 1024;
/** A write buffer that has grown beyond this is given back when it is empty. */
const KEPT_WRITE_BUFFER = 64 * 1024;
/** The timer runs this often in the time that a reply may take. */
const TICKS = 4;

/** Of all connections of this thread. */
const rounds = new Rounds();

/**
 * One TCP or Unix socket connection. It begins to connect when it is made; requests may be made at
 * once. All requests made in one turn of the event loop leave in one write.
 *
 * A connection lives once: when it fails, every request in flight is rejected and so is each later
 * one. Whether the server has carried out the rejected requests is not known, so none is sent again;
 * {@linkcode Client} opens a new connection for the request that comes next.
 *
 * ```ts ignore
 * using connection = new Connection(parseAddress("127.0.0.1:11211"));
 * const reply = await connection.request("values", (out) => writeGet(out, "get", ["key"]));
 * ```
 */
export class Connection implements Disposable {
  readonly #options: ConnectionOptions;
  readonly #parser = new ResponseParser();
  readonly #inFlight = new Queue<InFlight>();
  #socket: Deno.Conn | undefined;
  #failure: UnreachableError | RequestError | undefined;

  /** What is to be written next, and the memory of what is being written. */
  #out = new ByteBuffer();
  #spare = new ByteBuffer();
  #writing = false;
  #flushScheduled = false;
  readonly #flush = () => void this.#write();

  #timer: ReturnType<typeof setInterval> | undefined;
  #tick = 0;

  constructor(readonly address: Address, options: ConnectionOptions = {}) {
    this.#options = options;
    if (options.credentials !== undefined) this.#authenticate(options.credentials);
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
   * Makes a request; `write` writes its bytes, one whole request, and may throw before it has
   * written any.
   *
   * @returns the reply; the server's error lines reject as {@linkcode ServerError} and
   * {@linkcode RequestError}, all else as {@linkcode UnreachableError} or {@linkcode TimeoutError}.
   */
  request<E extends Exclude<Expect, "dump">>(
    expect: E,
    write: (out: ByteBuffer) => void,
  ): Promise<ResponseOf<E>> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      write(this.#out);
      this.#await({
        expect,
        resolve: (response) =>
          response.kind === "error"
            ? reject(errorOf(response.line))
            : resolve(response as ResponseOf<E>),
        reject,
      });
    });
  }

  /**
   * Asks for a dump (`lru_crawler metadump all`), which may be longer than memory: `each` gets its
   * lines as they come.
   */
  dump(line: string, each: (lines: readonly string[]) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      writeLine(this.#out, line);
      this.#await({
        expect: "dump",
        resolve(response) {
          if (response.kind === "error") return reject(errorOf(response.line));
          const { lines, last } = response as ResponseOf<"dump">;
          each(lines);
          if (last) resolve();
        },
        reject,
      });
    });
  }

  /**
   * Sends a request whose bytes are ready, for who makes a great many of them: no promise is made.
   * `frame` is copied.
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
    this.#timer ??= setInterval(
      this.#onTick,
      Math.max(1, (this.#options.timeout ?? 5000) / TICKS),
    );
    if (this.#flushScheduled || this.#writing || this.#socket === undefined) return;
    this.#flushScheduled = true;
    queueMicrotask(this.#flush);
  }

  async #run(): Promise<void> {
    const { host, port } = this.address;
    try {
      if (port === 0) {
        this.#socket = await Deno.connect({ transport: "unix", path: host });
      } else {
        const socket = await Deno.connect({ hostname: host, port });
        socket.setNoDelay();
        this.#socket = socket;
      }
      if (this.#failure !== undefined) return this.#socket.close();
      void this.#write();
      rounds.join();
      await this.#read(this.#socket).finally(() => rounds.leave());
    } catch (error) {
      const what = this.#socket === undefined ? "cannot reach" : "lost the connection to";
      this.#fail(
        new UnreachableError(`${what} ${addressText(this.address)}: ${messageOf(error)}`, {
          cause: error,
        }),
      );
    }
  }

  async #read(socket: Deno.Conn): Promise<void> {
    const memory = new Uint8Array(READ_BUFFER);
    const parser = this.#parser;
    const inFlight = this.#inFlight;
    while (true) {
      const turn = rounds.next();
      if (turn !== undefined) await turn;
      let length: number | null;
      try {
        length = await socket.read(memory);
      } finally {
        rounds.readDone();
      }
      if (length === null) {
        return this.#fail(
          new UnreachableError(`${addressText(this.address)} closed the connection`),
        );
      }
      parser.push(memory.subarray(0, length));
      for (let head = inFlight.peek(); head !== undefined; head = inFlight.peek()) {
        const response = parser.next(head.waiting.expect);
        if (response === undefined) break;
        if (response.kind === "unreadable") return this.#distrust(response.reason);
        if (response.kind === "lines" && !response.last) head.tick = this.#tick;
        else inFlight.shift();
        head.waiting.resolve(response);
      }
      if (parser.pending && this.#failure === undefined) {
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
          rounds.writeDone();
        }
        out.clear(KEPT_WRITE_BUFFER);
      }
    } catch (error) {
      this.#fail(
        new UnreachableError(
          `lost the connection to ${addressText(this.address)}: ${messageOf(error)}`,
          { cause: error },
        ),
      );
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
    } else if (this.#tick - head.tick > TICKS) {
      this.#fail(
        new TimeoutError(
          `no reply from ${addressText(this.address)} within ${this.#options.timeout ?? 5000} ms`,
        ),
      );
    }
  };

  #authenticate({ user, password }: Credentials): void {
    const token = new TextEncoder().encode(`${user} ${password}`);
    writeStore(this.#out, "set", "auth", token, 0, 0);
    this.#await({
      expect: "line",
      resolve: (response) => {
        if (response.kind === "line" && response.line === "STORED") return;
        const answer = response.kind === "error" || response.kind === "line" ? response.line : "";
        this.#fail(
          new RequestError(`${addressText(this.address)} refuses user '${user}': ${answer}`),
        );
      },
      reject: () => {},
    });
  }

  #fail(error: UnreachableError | RequestError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
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
