/**
 * A client of one server or several: the commands of memcached as methods.
 *
 * @module
 */

import { type ByteBuffer, bytesOf } from "../bytes.ts";
import type { StorageOp } from "../protocol/message.ts";
import {
  checkKeyLength,
  expectationOf,
  isTextKey,
  type Key,
  writeArithmetic,
  writeDelete,
  writeGet,
  writeLine,
  writeMetaGet,
  writeMetaSet,
  writeStore,
  writeTouch,
} from "../protocol/text/format_request.ts";
import type { Expect, Response, ResponseOf, Value } from "../protocol/text/parse_reply.ts";
import { type Address, addressText, parseAddress } from "./address.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { RequestError } from "./errors.ts";
import { type KeyEntry, listKeys } from "./keys.ts";
import { Ring } from "./ring.ts";

/** Where a {@linkcode Client} finds its servers, and how it treats them. */
export interface ClientOptions extends ConnectionOptions {
  /** As {@linkcode parseAddress} reads them (`127.0.0.1:11211`). */
  readonly servers?: readonly string[];
}

/** What is kept with a value. */
export interface StoreOptions {
  /** Kept for the client, 32 bits (0). */
  readonly flags?: number;
  /**
   * When the item expires, as the protocol has it: 0 never (the default), up to 30 days in seconds
   * from now, above that in seconds since 1970, negative at once.
   */
  readonly exptime?: number;
}

/** Up to so many seconds an exptime counts from now, above it from 1970. */
export const RELATIVE_EXPTIME = 30 * 24 * 60 * 60;

/** The most keys in one line, so that no server has to hold a line of any length. */
const KEYS_PER_GET = 100;

/**
 * Speaks to one server over one pipelined connection, or to several, each key belonging to one of
 * them by {@linkcode Ring ketama}. Connections are opened when they are first needed. When one is
 * lost, its requests in flight are rejected and not sent again; the next request opens a new one.
 *
 * Keys are bytes or text (sent as UTF-8) of 1 to 250 bytes without spaces; values are bytes or
 * text.
 *
 * ```ts ignore
 * using client = new Client({ servers: ["127.0.0.1:11211"] });
 * await client.set("greeting", "hello", { exptime: 60 });
 * console.log((await client.get("greeting"))?.text);
 * const [a, b] = await Promise.all([client.incr("hits", 1), client.get("greeting")]); // one write
 * ```
 *
 * Every method may reject with {@linkcode UnreachableError} (also {@linkcode TimeoutError}),
 * {@linkcode ServerError}, {@linkcode RequestError}, or {@linkcode KeyError} for a key that cannot
 * be sent.
 */
export class Client implements Disposable {
  readonly servers: readonly Address[];
  readonly #options: ConnectionOptions;
  readonly #connections: (Connection | undefined)[];
  readonly #ring: Ring | undefined;

  /** @throws {RangeError} for a server's address that cannot be read. */
  constructor({ servers = ["127.0.0.1:11211"], ...options }: ClientOptions = {}) {
    this.servers = servers.map(parseAddress);
    if (this.servers.length === 0) throw new RangeError("a client needs at least one server");
    this.#options = options;
    this.#connections = this.servers.map(() => undefined);
    this.#ring = this.servers.length > 1 ? new Ring(this.servers) : undefined;
  }

  /** The item under a key, if there is one. */
  async get(key: Key): Promise<Value | undefined> {
    return (await this.#request(key, "values", (out) => writeGet(out, "get", [key]))).values[0];
  }

  /** The item under a key with its cas unique, for {@linkcode cas}. */
  async gets(key: Key): Promise<Value | undefined> {
    return (await this.#request(key, "values", (out) => writeGet(out, "gets", [key]))).values[0];
  }

  /** The item under a key, which from now on expires as `exptime` says. */
  async gat(exptime: number, key: Key): Promise<Value | undefined> {
    const write = (out: ByteBuffer) => writeGet(out, "gat", [key], exptime);
    return (await this.#request(key, "values", write)).values[0];
  }

  /** The items under those of the keys that have one, by {@linkcode Value.key their keys' bytes}. */
  async getMany(
    keys: readonly Key[],
    { verb = "get" }: { verb?: "get" | "gets" } = {},
  ): Promise<Map<string, Value>> {
    const requests: Promise<ResponseOf<"values">>[] = [];
    for (const [server, group] of this.#byServer(keys)) {
      for (let i = 0; i < group.length; i += KEYS_PER_GET) {
        const part = group.slice(i, i + KEYS_PER_GET);
        requests.push(
          this.#connection(server).request("values", (out) => writeGet(out, verb, part)),
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
    const line = await this.#store("set", key, value, options);
    if (line !== "STORED") throw new RequestError(line);
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
    const line = await this.#store("cas", key, value, options, unique);
    return line === "STORED" ? "stored" : line === "EXISTS" ? "exists" : "not found";
  }

  /** Adds to a number and gives the sum, modulo 2^64; `undefined` if there is no item. */
  incr(key: Key, delta: number | bigint = 1): Promise<bigint | undefined> {
    return this.#arithmetic("incr", key, delta);
  }

  /** Takes away from a number, down to 0, and gives the rest; `undefined` if there is no item. */
  decr(key: Key, delta: number | bigint = 1): Promise<bigint | undefined> {
    return this.#arithmetic("decr", key, delta);
  }

  /** Changes when an item expires; false if there is none. */
  async touch(key: Key, exptime: number): Promise<boolean> {
    const { line } = await this.#request(key, "line", (out) => writeTouch(out, key, exptime));
    return line === "TOUCHED";
  }

  /** Deletes an item; false if there was none. */
  async delete(key: Key): Promise<boolean> {
    const { line } = await this.#request(key, "line", (out) => writeDelete(out, key));
    return line === "DELETED";
  }

  /** Deletes all items of all servers, at once or in `delay` seconds. */
  async flushAll(delay = 0): Promise<void> {
    await this.#onEach("line", delay === 0 ? "flush_all" : `flush_all ${delay}`);
  }

  /** What each server counts, by its address: `stats`, or `stats settings` and the like. */
  async stats(group?: string): Promise<Map<string, Map<string, string>>> {
    const replies = await this.#onEach("list", group === undefined ? "stats" : `stats ${group}`);
    return new Map(
      replies.map(([server, reply]) => {
        const lines = reply.kind === "line" ? [reply.line] : reply.lines;
        return [server, new Map(lines.map(nameAndValue))];
      }),
    );
  }

  /** The version of each server, by its address. */
  async version(): Promise<Map<string, string>> {
    const replies = await this.#onEach("line", "version");
    return new Map(replies.map(([server, { line }]) => [server, line.replace(/^VERSION /, "")]));
  }

  /** How long each server takes to answer over an open connection, in milliseconds, by its address. */
  async ping(): Promise<Map<string, number>> {
    await this.version();
    const took = new Map<string, number>();
    for (const [index, address] of this.servers.entries()) {
      const start = performance.now();
      await this.#connection(index).request("line", (out) => writeLine(out, "version"));
      took.set(addressText(address), performance.now() - start);
    }
    return took;
  }

  /** All keys of all servers with their times of expiry, in parts of some hundreds. */
  async *keys(): AsyncGenerator<readonly KeyEntry[], void, void> {
    for (const server of this.servers) yield* listKeys(server, this.#options);
  }

  /** A client of each of the servers alone. */
  single(): Client[] {
    return this.servers.map((server) =>
      new Client({ servers: [addressText(server)], ...this.#options })
    );
  }

  /** Sends a line of the text protocol as it is, to the first server. */
  async raw(line: string): Promise<Response> {
    const expect = expectationOf(line);
    if (expect !== "dump") {
      return await this.#connection(0).request(expect, (out) => writeLine(out, line));
    }
    const lines: string[] = [];
    await this.#connection(0).dump(line, (part) => lines.push(...part));
    return { kind: "lines", lines, last: true };
  }

  /** Like {@linkcode get} for a key of any bytes, by the meta commands (memcached 1.6). */
  async getBinary(key: Uint8Array): Promise<{ value: Uint8Array; flags: number } | undefined> {
    checkKeyLength(key.length);
    await this.#needMeta(key);
    const { line, value } = await this.#request(key, "meta", (out) => writeMetaGet(out, key));
    if (value === undefined) return undefined;
    return { value, flags: Number(/ f(\d+)/.exec(line)?.[1] ?? 0) };
  }

  /**
   * Like {@linkcode set}, or {@linkcode add} with `absent`, for a key of any bytes; one that the
   * text protocol cannot name goes by the meta commands (memcached 1.6). False if `absent` kept it
   * from being stored.
   */
  async setBinary(
    key: Uint8Array,
    value: Uint8Array,
    { flags = 0, exptime = 0, absent = false }: StoreOptions & { absent?: boolean } = {},
  ): Promise<boolean> {
    if (isTextKey(key)) {
      return await this.#stored(absent ? "add" : "set", key, value, { flags, exptime });
    }
    checkKeyLength(key.length);
    await this.#needMeta(key);
    const mode = absent ? "E" : "S";
    const write = (out: ByteBuffer) => writeMetaSet(out, key, value, flags, exptime, mode);
    return (await this.#request(key, "meta", write)).line.startsWith("HD");
  }

  /** Closes the connections; requests in flight are rejected. */
  close(): void {
    for (const connection of this.#connections) connection?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #stored(
    verb: StorageOp,
    key: Key,
    value: Uint8Array | string,
    options?: StoreOptions,
  ): Promise<boolean> {
    return await this.#store(verb, key, value, options) === "STORED";
  }

  async #store(
    verb: StorageOp,
    key: Key,
    value: Uint8Array | string,
    options?: StoreOptions,
    cas?: bigint,
  ): Promise<string> {
    const bytes = typeof value === "string" ? bytesOf(value) : value;
    const write = (out: ByteBuffer) =>
      writeStore(out, verb, key, bytes, options?.flags ?? 0, options?.exptime ?? 0, cas);
    return (await this.#request(key, "line", write)).line;
  }

  async #arithmetic(
    verb: "incr" | "decr",
    key: Key,
    delta: number | bigint,
  ): Promise<bigint | undefined> {
    const write = (out: ByteBuffer) => writeArithmetic(out, verb, key, BigInt(delta));
    const { line } = await this.#request(key, "line", write);
    return line === "NOT_FOUND" ? undefined : BigInt(line.trimEnd());
  }

  /** A server without meta commands would take a value for commands: it is asked first. */
  async #needMeta(key: Key): Promise<void> {
    try {
      await this.#request(key, "meta", (out) => writeLine(out, "mn"));
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      const message =
        `the key needs meta commands, which the server does not know (${error.message})`;
      throw new RequestError(message);
    }
  }

  #request<E extends Exclude<Expect, "dump">>(
    key: Key,
    expect: E,
    write: (out: ByteBuffer) => void,
  ): Promise<ResponseOf<E>> {
    return this.#connection(this.#ring?.serverOf(key) ?? 0).request(expect, write);
  }

  async #onEach<E extends Exclude<Expect, "dump">>(
    expect: E,
    line: string,
  ): Promise<[server: string, reply: ResponseOf<E>][]> {
    return await Promise.all(
      this.servers.map(async (address, server) =>
        [
          addressText(address),
          await this.#connection(server).request(expect, (out) => writeLine(out, line)),
        ] as [string, ResponseOf<E>]
      ),
    );
  }

  #byServer(keys: readonly Key[]): Map<number, readonly Key[]> {
    const ring = this.#ring;
    return ring === undefined
      ? new Map([[0, keys]])
      : Map.groupBy(keys, (key) => ring.serverOf(key));
  }

  #connection(server: number): Connection {
    const open = this.#connections[server];
    if (open !== undefined && !open.closed) return open;
    return this.#connections[server] = new Connection(this.servers[server]!, this.#options);
  }
}

/** `STAT name value` */
function nameAndValue(line: string): [name: string, value: string] {
  const [, name = line, value = ""] = /^\S+ (\S+) ?(.*)$/.exec(line) ?? [];
  return [name, value];
}
