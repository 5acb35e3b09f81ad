/**
 * A client of one server or several: the commands of memcached as methods.
 *
 * @module
 */

import { binaryString, type ByteBuffer, bytesOf } from "../bytes.ts";
import { exptimeAfter } from "../exptime.ts";
import type {
  Expect,
  GetVerb,
  ReplyOf,
  RequestWriter,
  StoreVerb,
  Value,
} from "../protocol/client_dialect.ts";
import { isTextKey, type Key, keyBytes } from "../protocol/key.ts";
import { metaRequests } from "../protocol/meta/format_request.ts";
import { expectationOf } from "../protocol/text/format_request.ts";
import { type Address, addressText, parseAddress } from "./address.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { RequestError, UnreadableError } from "./errors.ts";
import { checkFlags, exptimeOf } from "./item_numbers.ts";
import { type KeyEntry, listKeys } from "./keys.ts";
import { MetaCommands } from "./meta.ts";
import { Ring } from "./ring.ts";

/** Where a {@linkcode Client} finds its servers, and how it treats them. */
export interface ClientOptions extends ConnectionOptions {
  /** As {@linkcode parseAddress} reads them (`127.0.0.1:11211`). */
  readonly servers?: readonly string[];
  /**
   * Over text, a key that the text protocol cannot name goes by the meta commands (memcached 1.6)
   * instead of being refused. Over meta and binary keys may be of any bytes anyway.
   */
  readonly anyKeys?: boolean;
}

/** What is kept with a value. */
export interface StoreOptions {
  /** Kept for the client, 32 bits (0). */
  readonly flags?: number;
  /**
   * When the item expires, as the protocol has it: 0 never (the default), up to 30 days in seconds
   * from now, above that in seconds since 1970 (2038 at the latest), negative immediately.
   */
  readonly exptime?: number;
}

/** The reply to a line of the text protocol. */
export type RawReply = ReplyOf<"line" | "list" | "values" | "meta" | "dump">;

/** The most keys in one request, so that no server has to hold a line of any length. */
const KEYS_PER_GET = 100;
/** memcached takes longer lines, 2,048 bytes, for get and gets alone: so many bytes of keys fit in others. */
const KEY_BYTES_PER_GAT = 2000;

/**
 * Speaks to one server over one pipelined connection, or to several, each key belonging to one of
 * them by {@linkcode Ring ketama}. Connections are opened when they are first needed. When one is
 * lost, its requests in flight are rejected and not sent again; the next request opens a new one.
 *
 * Keys are bytes or text (sent as UTF-8) of 1 to 250 bytes, over text without spaces and line ends;
 * values are bytes or text. Text, meta and binary return the same and fail alike.
 *
 * ```ts ignore
 * using client = new Client({ servers: ["127.0.0.1:11211"] });
 * await client.set("greeting", "hello", { exptime: 60 });
 * console.log((await client.get("greeting"))?.text);
 * const [a, b] = await Promise.all([client.incr("hits", 1), client.get("greeting")]); // one write
 * ```
 *
 * Every method may reject with {@linkcode UnreachableError} (also {@linkcode TimeoutError}),
 * {@linkcode ServerError}, {@linkcode RequestError}, {@linkcode KeyError} for a key that cannot be
 * sent, or `RangeError` for a number that is out of bounds.
 */
export class Client implements Disposable {
  readonly servers: readonly Address[];
  readonly #texts: readonly string[];
  readonly #options: ClientOptions;
  readonly #connections: (Connection | undefined)[];
  readonly #ring: Ring | undefined;
  /** Connections whose servers are known to take meta commands. */
  readonly #metaKnown = new WeakSet<Connection>();

  /**
   * What only meta commands can do, over text and meta.
   *
   * ```ts ignore
   * const item = await client.meta.get("page", { vivify: 30, recache: 10 });
   * if (item?.won) await client.meta.set("page", render(), { exptime: 300 });
   * ```
   */
  readonly meta: MetaCommands = new MetaCommands((key, write) => {
    if (this.#options.protocol !== "binary") return this.#askByMeta(key, write);
    return Promise.reject(new RequestError("meta commands need the protocol meta, or text"));
  });

  /** @throws {RangeError} for a server's address that cannot be read. */
  constructor({ servers = ["127.0.0.1:11211"], ...options }: ClientOptions = {}) {
    this.servers = servers.map(parseAddress);
    this.#texts = servers;
    if (this.servers.length === 0) throw new RangeError("a client needs at least one server");
    this.#options = options;
    this.#connections = this.servers.map(() => undefined);
    this.#ring = this.servers.length > 1 ? new Ring(this.servers) : undefined;
  }

  /** The item under a key, if there is one. */
  get(key: Key): Promise<Value | undefined> {
    return this.#get("get", key, 0);
  }

  /** The item under a key with its cas unique, for {@linkcode cas}. */
  gets(key: Key): Promise<Value | undefined> {
    return this.#get("gets", key, 0);
  }

  /** The item under a key, which from now on expires as `exptime` says. */
  gat(exptime: number, key: Key): Promise<Value | undefined> {
    return this.#get("gat", key, exptime);
  }

  /** Like {@linkcode gat}, with the item's cas unique. */
  gats(exptime: number, key: Key): Promise<Value | undefined> {
    return this.#get("gats", key, exptime);
  }

  /**
   * The items under those of the keys that have one, by {@linkcode Value.key their keys' bytes}. With
   * `exptime` they expire from now on as it says.
   */
  async getMany(
    keys: readonly Key[],
    { verb = "get", exptime }: { verb?: "get" | "gets"; exptime?: number } = {},
  ): Promise<Map<string, Value>> {
    const expires = exptimeOf(exptime ?? 0);
    const asked: GetVerb = exptime === undefined ? verb : verb === "get" ? "gat" : "gats";
    const requests: Promise<ReplyOf<"values">>[] = [];
    const most = exptime === undefined ? Infinity : KEY_BYTES_PER_GAT;
    for (const group of this.#groups(keys)) {
      for (const part of partsOf(group, most)) {
        requests.push(
          this.#ask(
            part[0]!,
            (requests, out, opaque) => requests.getMany(out, opaque, asked, part, expires),
          ),
        );
      }
    }
    const found = new Map<string, Value>();
    for (const { values } of await Promise.all(requests)) {
      for (const value of values) found.set(value.key, value);
    }
    return found;
  }

  /** Stores a value, whatever there was before. */
  async set(key: Key, value: Uint8Array | string, options?: StoreOptions): Promise<void> {
    const { status } = await this.#store("set", key, value, options);
    if (status !== "done") throw new RequestError(status);
  }

  /** Stores a value where there is none; false if there is one. */
  add(key: Key, value: Uint8Array | string, options?: StoreOptions): Promise<boolean> {
    return this.#stored("add", key, value, options);
  }

  /** Stores a value in the place of another; false if there is none. */
  replace(key: Key, value: Uint8Array | string, options?: StoreOptions): Promise<boolean> {
    return this.#stored("replace", key, value, options);
  }

  /** Puts bytes behind those of a value; false if there is none. */
  append(key: Key, value: Uint8Array | string): Promise<boolean> {
    return this.#stored("append", key, value);
  }

  /** Puts bytes before those of a value; false if there is none. */
  prepend(key: Key, value: Uint8Array | string): Promise<boolean> {
    return this.#stored("prepend", key, value);
  }

  /** Stores a value if the item's cas unique still is `unique`, from {@linkcode gets}. */
  async cas(
    key: Key,
    value: Uint8Array | string,
    unique: bigint,
    options?: StoreOptions,
  ): Promise<"stored" | "exists" | "not found"> {
    const { status } = await this.#store("cas", key, value, options, unique);
    return status === "done" ? "stored" : status === "exists" ? "exists" : "not found";
  }

  /** Adds to a number and returns the sum, modulo 2^64; `undefined` if there is no item. */
  incr(key: Key, delta: number | bigint = 1): Promise<bigint | undefined> {
    return this.#arithmetic("incr", key, delta);
  }

  /** Takes away from a number, down to 0, and returns the rest; `undefined` if there is no item. */
  decr(key: Key, delta: number | bigint = 1): Promise<bigint | undefined> {
    return this.#arithmetic("decr", key, delta);
  }

  /** Changes when an item expires; false if there is none. */
  async touch(key: Key, exptime: number): Promise<boolean> {
    const expires = exptimeOf(exptime);
    const { status } = await this.#ask(
      key,
      (requests, out, opaque) => requests.touch(out, opaque, key, expires),
    );
    return status === "done";
  }

  /** Deletes an item; false if there was none. */
  async delete(key: Key): Promise<boolean> {
    const { status } = await this.#ask(
      key,
      (requests, out, opaque) => requests.delete(out, opaque, key),
    );
    return status === "done";
  }

  /** Deletes all items of all servers, immediately or in `delay` seconds, be they 30 days or more. */
  async flushAll(delay = 0): Promise<void> {
    const exptime = exptimeAfter(delay * 1000);
    await this.#onEach((requests, out, opaque) => requests.flushAll(out, opaque, exptime));
  }

  /** What each server counts, by its address: `stats`, or `stats settings` and the like. */
  async stats(group?: string): Promise<Map<string, Map<string, string>>> {
    const replies = await this.#onEach((requests, out, opaque) =>
      requests.stats(out, opaque, group)
    );
    return new Map(replies.map(([server, { entries }]) => [server, new Map(entries)]));
  }

  /** The version of each server, by its address. */
  async version(): Promise<Map<string, string>> {
    const replies = await this.#onEach((requests, out, opaque) => requests.version(out, opaque));
    return new Map(replies.map(([server, { text }]) => [server, text]));
  }

  /** Asks each server for no more than an answer. */
  async noop(): Promise<void> {
    await this.#onEach((requests, out, opaque) => requests.noop(out, opaque));
  }

  /**
   * Sets how much each server logs, 0 to 2 and more.
   *
   * @throws {RequestError} over binary: memcached does not carry that out, and loses its place in the
   * stream of requests.
   */
  async verbosity(level: number): Promise<void> {
    if (this.#options.protocol === "binary") {
      throw new RequestError("verbosity needs the protocol text, or meta");
    }
    await this.#onEach((requests, out, opaque) => requests.verbosity(out, opaque, level));
  }

  /** Ends each open connection by asking its server to close it, after all that was asked before. */
  async quit(): Promise<void> {
    await Promise.all(
      this.#connections.filter((connection) => connection?.closed === false).map((connection) =>
        connection!.request((requests, out, opaque) => requests.quit(out, opaque))
      ),
    );
  }

  /** How long each server takes to answer over an open connection, in milliseconds, by its address. */
  async ping(): Promise<Map<string, number>> {
    await this.noop();
    const took = new Map<string, number>();
    for (const [index, address] of this.servers.entries()) {
      const start = performance.now();
      await this.#connection(index).request((requests, out, opaque) => requests.noop(out, opaque));
      took.set(addressText(address), performance.now() - start);
    }
    return took;
  }

  /**
   * All keys of all servers with their times of expiry, in parts of some hundreds. `listed` learns
   * meanwhile how many more were read.
   */
  async *keys({ listed }: { listed?: (count: number) => void } = {}): AsyncGenerator<
    readonly KeyEntry[],
    void,
    void
  > {
    for (const server of this.servers) yield* listKeys(server, this.#options, listed);
  }

  /** The addresses of the servers, as {@linkcode parseAddress} reads them. */
  get addresses(): string[] {
    return this.servers.map(addressText);
  }

  /** How it connects, for who opens a connection of their own. */
  get connection(): ConnectionOptions {
    return this.#options;
  }

  /** A client of the same servers whose connections and requests end when `signal` aborts. */
  until(signal: AbortSignal): Client {
    return new Client({ ...this.#options, servers: this.#texts, signal });
  }

  /** A client of each of the servers alone. */
  single(): Client[] {
    return this.servers.map((server) =>
      new Client({ servers: [addressText(server)], ...this.#options })
    );
  }

  /** Sends a line of the text protocol as it is, to the first server. */
  async raw(line: string): Promise<RawReply> {
    if (this.#options.protocol === "binary") {
      const lines = new Client({
        ...this.#options,
        servers: [addressText(this.servers[0]!)],
        protocol: "text",
      });
      try {
        return await lines.raw(line);
      } finally {
        lines.close();
      }
    }
    const expect = expectationOf(line);
    if (expect !== "dump") return await this.#connection(0).line(line, expect);
    const lines: string[] = [];
    await this.#connection(0).dump(line, (part) => lines.push(...part));
    return { kind: "lines", lines, last: true };
  }

  /** Closes the connections; requests in flight are rejected. */
  close(): void {
    for (const connection of this.#connections) connection?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #get(verb: GetVerb, key: Key, exptime: number): Promise<Value | undefined> {
    const expires = exptimeOf(exptime);
    const { values } = await this.#ask(
      key,
      (requests, out, opaque) => requests.get(out, opaque, verb, key, expires),
    );
    const [value] = values;
    const isAsked = value === undefined || value.key === key ||
      value.key === binaryString(keyBytes(key));
    if (isAsked) return value;
    // Out of step, every reply to come would be another's.
    const server = this.#serverOf(key);
    this.#connections[server]?.close();
    throw new UnreadableError(
      `${addressText(this.servers[server]!)} does not speak memcached: a get brought another key`,
    );
  }

  async #stored(
    verb: StoreVerb,
    key: Key,
    value: Uint8Array | string,
    options?: StoreOptions,
  ): Promise<boolean> {
    return (await this.#store(verb, key, value, options)).status === "done";
  }

  #store(
    verb: StoreVerb,
    key: Key,
    value: Uint8Array | string,
    { flags = 0, exptime = 0 }: StoreOptions = {},
    unique = 0n,
  ): Promise<ReplyOf<"stored">> {
    const bytes = typeof value === "string" ? bytesOf(value) : value;
    checkFlags(flags);
    const expires = exptimeOf(exptime);
    return this.#ask(
      key,
      (requests, out, opaque) =>
        requests.store(out, opaque, verb, key, bytes, flags, expires, unique),
    );
  }

  async #arithmetic(
    verb: "incr" | "decr",
    key: Key,
    delta: number | bigint,
  ): Promise<bigint | undefined> {
    const added = BigInt(delta);
    if (added < 0n || added >= 2n ** 64n) {
      throw new RangeError(`a delta has 64 bits and no sign, received ${delta}`);
    }
    const { number } = await this.#ask(
      key,
      (requests, out, opaque) => requests.arithmetic(out, opaque, verb, key, added),
    );
    return number;
  }

  /** Makes a request about a key, in the dialect that can name it, to the server that has it. */
  #ask<E extends Expect>(
    key: Key,
    write: (requests: RequestWriter, out: ByteBuffer, opaque: number) => E,
  ): Promise<ReplyOf<E>> {
    return this.#needsMeta(key)
      ? this.#askByMeta(key, (out, opaque) => write(metaRequests, out, opaque))
      : this.#connection(this.#serverOf(key)).request(write);
  }

  #needsMeta(key: Key): boolean {
    const { protocol = "text", anyKeys = false } = this.#options;
    return protocol === "text" && anyKeys && !isTextKey(key);
  }

  /** A server without meta commands would take a value for commands: it is asked first. */
  async #askByMeta<E extends Expect>(
    key: Key,
    write: (out: ByteBuffer, opaque: number) => E,
  ): Promise<ReplyOf<E>> {
    const connection = this.#connection(this.#serverOf(key));
    if (!this.#metaKnown.has(connection)) {
      // Before that, so that a key that nobody can send does not need a server.
      keyBytes(key);
      try {
        await connection.request((_, out, opaque) => metaRequests.noop(out, opaque));
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        const message =
          `this needs meta commands, which the server does not know (${error.message})`;
        throw new RequestError(message);
      }
      this.#metaKnown.add(connection);
    }
    return await connection.request((_, out, opaque) => write(out, opaque));
  }

  async #onEach<E extends Expect>(
    write: (requests: RequestWriter, out: ByteBuffer, opaque: number) => E,
  ): Promise<[server: string, reply: ReplyOf<E>][]> {
    return await Promise.all(
      this.servers.map(async (address, server) =>
        [addressText(address), await this.#connection(server).request(write)] as [
          string,
          ReplyOf<E>,
        ]
      ),
    );
  }

  #serverOf(key: Key): number {
    return this.#ring?.serverOf(key) ?? 0;
  }

  /** Keys that one request can ask for: of one server, and named by one dialect. */
  #groups(keys: readonly Key[]): Iterable<readonly Key[]> {
    const ring = this.#ring;
    if (ring === undefined && !keys.some((key) => this.#needsMeta(key))) return [keys];
    const groups = new Map<number, Key[]>();
    for (const key of keys) {
      const group = 2 * this.#serverOf(key) + (this.#needsMeta(key) ? 1 : 0);
      const known = groups.get(group);
      if (known === undefined) groups.set(group, [key]);
      else known.push(key);
    }
    return groups.values();
  }

  #connection(server: number): Connection {
    const open = this.#connections[server];
    if (open !== undefined && !open.closed) return open;
    return this.#connections[server] = new Connection(this.servers[server]!, this.#options);
  }
}

/** Keys in parts that one request can ask for, with at most so many bytes of keys and blanks between. */
function* partsOf(keys: readonly Key[], mostBytes: number): Generator<readonly Key[]> {
  let part: Key[] = [];
  let bytes = 0;
  for (const key of keys) {
    const length = mostBytes === Infinity
      ? 0
      : 1 + (typeof key === "string" ? bytesOf(key) : key).length;
    if (part.length === KEYS_PER_GET || part.length > 0 && bytes + length > mostBytes) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(key);
    bytes += length;
  }
  if (part.length > 0) yield part;
}
