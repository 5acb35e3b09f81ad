/**
 * Streams of what the server does, for the clients that `watch` it (memcached, `doc/protocol.txt`, "Watchers").
 *
 * Nothing is done for an event of a kind that nobody watches: {@linkcode Watchers.kinds} says which are.
 * A watcher that does not read loses lines and is told how many; it never holds the server up.
 *
 * @module
 */

import { ByteBuffer, percentText } from "../bytes.ts";
import { type Count, PlainCount } from "../count.ts";

/** What can be watched. A watcher may want several. */
export const Kind = {
  fetchers: 1,
  mutations: 2,
  evictions: 4,
  deletions: 8,
  connevents: 16,
  /** Accepted, as in memcached; kvs has no events of these kinds. */
  sysevents: 32,
  rawcmds: 64,
  proxyreqs: 128,
  proxyevents: 256,
  proxyuser: 512,
} as const;

/** The names of the kinds, in the order in which memcached looks for them: a name may be cut short. */
export const kindNames = [
  "rawcmds",
  "evictions",
  "fetchers",
  "mutations",
  "sysevents",
  "connevents",
  "proxyreqs",
  "proxyevents",
  "proxyuser",
  "deletions",
] as const;

/** Watchers of one server, at most (memcached's `WATCHER_LIMIT`). */
export const MAX_WATCHERS = 20;
/** Lines that wait for one watcher, in bytes, at most (memcached's `logger_buf_size` for watchers). */
const MAX_WAITING = 256 * 1024;

/** What is told of an item that was evicted. */
export interface Evicted {
  readonly key: Uint8Array;
  readonly fetched: boolean;
  /** In milliseconds since 1970; 0 for never. */
  readonly exptime: number;
  /** In seconds since 1970. */
  readonly accessed: number;
  /** The length of the value in bytes. */
  readonly size: number;
}

/** A line for watchers in other threads: its kind, its text, and the key that it tells of, if any. */
export type WatchedLine = readonly [kind: number, line: string, key: Uint8Array | undefined];

/** The watchers of other threads. */
export interface OtherWatchers {
  /** The kinds that are watched here are others from now on. */
  changed(): void;
  /** Something has happened that is watched elsewhere. */
  line(line: WatchedLine): void;
}

/** All watchers of a server, or of one of its threads. */
export class Watchers {
  /** The kinds that somebody watches, as a sum of {@linkcode Kind}s; 0 for none. */
  kinds = 0;
  /** Lines made, sent to watchers, and left out because a watcher did not keep up. */
  written = 0;
  sent = 0;
  skipped = 0;
  readonly #watchers = new Set<Watcher>();
  readonly #lines: Count;
  /** The kinds that are watched elsewhere. */
  #elsewhere = 0;

  readonly #others: OtherWatchers | undefined;

  /**
   * @param lines where lines are counted: each has a number of its own
   * @param others where watchers of other threads are told, where there are any
   */
  constructor(lines: Count = new PlainCount(), others?: OtherWatchers) {
    this.#others = others;
    this.#lines = lines;
  }

  /** How many watch elsewhere, as far as is known. */
  countElsewhere = 0;

  /** How many watch. */
  get count(): number {
    return this.#watchers.size + this.countElsewhere;
  }

  /**
   * A new watcher of these kinds; `undefined` where there are too many. `shows` says which keys, and
   * whether events without one, it may see; without it all.
   */
  add(kinds: number, shows?: (key: Uint8Array | undefined) => boolean): Watcher | undefined {
    if (this.#watchers.size >= MAX_WATCHERS) return undefined;
    const watcher = new Watcher(kinds, shows, (count) => this.sent += count, () => {
      this.#watchers.delete(watcher);
      this.#sumKinds();
    });
    this.#watchers.add(watcher);
    this.#sumKinds();
    return watcher;
  }

  /** `item_get`: a key was read. `size` of the value in bytes. */
  get(key: Uint8Array, status: "not_found" | "found", connection: number, size: number): void {
    const clsid = status === "found" ? 1 : 0;
    this.#publish(
      Kind.fetchers,
      `type=item_get key=${
        percentText(key)
      } status=${status} clsid=${clsid} cfd=${connection} size=${size}`,
      key,
    );
  }

  /** `item_store`: something was stored or could not be. `ttl` in seconds. */
  store(
    key: Uint8Array,
    status: "not_stored" | "stored" | "exists" | "not_found" | "too_large" | "no_memory",
    command: string,
    ttl: number,
    connection: number,
    size: number,
  ): void {
    const clsid = status === "too_large" || status === "no_memory" ? 0 : 1;
    this.#publish(
      Kind.mutations,
      `type=item_store key=${percentText(key)} status=${status} cmd=${command} ttl=${ttl} ` +
        `clsid=${clsid} cfd=${connection} size=${size}`,
      key,
    );
  }

  /** `deleted`: a key was deleted by `delete` or `md`. */
  delete(key: Uint8Array, command: "delete" | "md", size: number): void {
    this.#publish(
      Kind.deletions,
      `type=deleted key=${percentText(key)} cmd=${command} clsid=1 size=${size}`,
      key,
    );
  }

  /** `eviction`: an item was evicted to make room. `now` in milliseconds since 1970. */
  evicted(item: Evicted, now: number): void {
    if ((this.kinds & Kind.evictions) === 0) return;
    const { key, fetched, exptime, accessed, size } = item;
    const ttl = exptime === 0 ? -1 : Math.max(0, Math.ceil((exptime - now) / 1000));
    const age = Math.max(0, Math.floor(now / 1000) - accessed);
    this.#publish(
      Kind.evictions,
      `type=eviction key=${percentText(key)} fetch=${
        fetched ? "yes" : "no"
      } ttl=${ttl} la=${age} ` +
        `clsid=1 size=${size}`,
      key,
    );
  }

  /** `conn_new` and `conn_close`. */
  connection(
    type: "conn_new" | "conn_close",
    host: string,
    port: number,
    transport: "tcp" | "local",
    connection: number,
    reason?: "error" | "normal" | "idle_timeout" | "shutdown",
  ): void {
    const why = reason === undefined ? "" : ` reason=${reason}`;
    this.#publish(
      Kind.connevents,
      `type=${type} rip=${host} rport=${port} transport=${transport}${why} cfd=${connection}`,
    );
  }

  #publish(kind: number, text: string, key?: Uint8Array): void {
    if ((this.kinds & kind) === 0) return;
    const micros = Math.floor((performance.timeOrigin + performance.now()) * 1000);
    const second = Math.floor(micros / 1e6);
    const line = `ts=${second}.${micros - second * 1e6} gid=${this.#lines.add(1)} ${text}\n`;
    this.written++;
    this.push(kind, line, key);
    // A key is a view of what is used again.
    if ((this.#elsewhere & kind) !== 0) this.#others!.line([kind, line, key?.slice()]);
  }

  /** A line for those here that watch its kind. */
  push(kind: number, line: string, key: Uint8Array | undefined): void {
    for (const watcher of this.#watchers) {
      if ((watcher.kinds & kind) === 0 || watcher.shows?.(key) === false) continue;
      if (!watcher.push(line)) this.skipped++;
    }
  }

  /** The kinds that are watched here. */
  get kindsHere(): number {
    let kinds = 0;
    for (const watcher of this.#watchers) kinds |= watcher.kinds;
    return kinds;
  }

  /** These kinds are watched elsewhere. */
  set elsewhere(kinds: number) {
    this.#elsewhere = kinds;
    this.kinds = this.kindsHere | kinds;
  }

  #sumKinds(): void {
    this.kinds = this.kindsHere | this.#elsewhere;
    this.#others?.changed();
  }
}

/** One client that watches. */
export class Watcher {
  /** Resolves when all threads know of it; false where they have too many. */
  ready?: Promise<boolean>;
  readonly #waiting = new ByteBuffer(4096);
  #lines = 0;
  #skipped = 0;
  #wake: (() => void) | undefined;
  #closed = false;

  readonly #sent: (lines: number) => void;
  readonly #left: () => void;

  constructor(
    readonly kinds: number,
    readonly shows: ((key: Uint8Array | undefined) => boolean) | undefined,
    sent: (lines: number) => void,
    left: () => void,
  ) {
    this.#sent = sent;
    this.#left = left;
  }

  /** Takes a line; false where too many wait already. */
  push(line: string): boolean {
    if (this.#waiting.length + line.length > MAX_WAITING) {
      this.#skipped++;
      return false;
    }
    if (this.#skipped > 0) {
      this.#waiting.ascii(`skipped=${this.#skipped}\n`);
      this.#skipped = 0;
    }
    this.#waiting.ascii(line);
    this.#lines++;
    this.#wake?.();
    return true;
  }

  /** Waits for lines and appends them to `out`; whether more may come. */
  async next(out: ByteBuffer): Promise<boolean> {
    if (this.#waiting.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => this.#wake = resolve);
      this.#wake = undefined;
    }
    out.append(this.#waiting.view());
    this.#waiting.clear();
    this.#sent(this.#lines);
    this.#lines = 0;
    return !this.#closed;
  }

  /** Ends it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#left();
    this.#wake?.();
  }
}
