/**
 * The Google Cloud Storage store: one object for each item, in a bucket that any number of servers
 * share. `FORMAT.md` beside this file tells how items lie there.
 *
 * - Reads go to the bucket; `cacheTtl` above 0 lets them be answered from memory for so long.
 * - Changes are conditional on the generation they replace ({@linkcode Writer}), and are answered
 *   when the object is written, so `commit` has nothing to do.
 * - A flush moves an epoch on that all servers watch ({@linkcode Epoch}).
 * - The bucket is listed in the background only ({@linkcode Census}).
 *
 * @module
 */

import { Exit, ExitError, StoreError } from "../../errors.ts";
import { Accesses } from "../accesses.ts";
import {
  type Awaitable,
  type Batch,
  type Change,
  type Expected,
  isExpired,
  type Item,
  type Listed,
  type NewItem,
  type Store,
  type StoreInfo,
  type StoreOptions,
  type Swapped,
  type Updated,
} from "../contract.ts";
import { Bucket } from "./bucket.ts";
import { Census } from "./census.ts";
import { Counts, usualInterval } from "./counts.ts";
import { Counters } from "./counters.ts";
import { Credentials } from "../google_credentials.ts";
import { Deadlines } from "./deadlines.ts";
import { endpointOf, isBucketName } from "./endpoint.ts";
import { Epoch } from "./epoch.ts";
import { Gate } from "./gate.ts";
import { Hints, nothing, type State } from "./hints.ts";
import { attributesOf, type Stored } from "./metadata.ts";
import { greatestPrefix, keyOf, nameOf, textOf } from "./name.ts";
import { Transport } from "./transport.ts";
import { Writer } from "./writer.ts";

/** How the store is opened. */
export interface GcsStoreOptions extends StoreOptions {
  readonly bucket: string;
  /** What the objects' names begin with; `kvs/` without it. */
  readonly prefix?: string;
  /**
   * The service's address, such as `http://127.0.0.1:4443`. Without it that of the environment's
   * `STORAGE_EMULATOR_HOST`, which takes no credentials, else Google's own.
   */
  readonly endpoint?: string;
  /** How long a command may take, in milliseconds; 30,000 without it. */
  readonly timeout?: number;
  /** How many requests for commands may be in flight; 256 without it. */
  readonly concurrency?: number;
  /** For how long a read may be answered from memory, in milliseconds; 0, which is never, without it. */
  readonly cacheTtl?: number;
  /** How often servers tell one another what they have added, in milliseconds; 25,000 without it. */
  readonly countInterval?: number;
}

/** How long a command may take, in milliseconds, where nothing else is said. */
const usualTimeout = 30_000;

/** How many requests may wait for their turn. */
const greatestWaiting = 65_536;

/** Memory for hints, and the greatest value that they hold while they are no cache, in bytes. */
const hintBytes = 64 << 20;
const greatestHint = 1024;

/**
 * Opens the store, once the bucket has answered.
 *
 * @throws {ExitError} where an option is wrong or the bucket cannot be used.
 */
export async function openGcsStore(options: GcsStoreOptions): Promise<Store> {
  const { bucket, prefix = "kvs/", timeout = usualTimeout } = options;
  const endpoint = endpointOf(options.endpoint);
  if (!isBucketName(bucket)) {
    throw new ExitError(`--bucket takes the name of a bucket, not '${bucket}'`, Exit.usage);
  }
  if (!isPrefix(prefix)) {
    throw new ExitError(
      `--prefix takes up to ${greatestPrefix} bytes of text without line ends, not '${prefix}'`,
      Exit.usage,
    );
  }
  const counters = new Counters();
  const deadlines = new Deadlines();
  let transport: Transport | undefined;
  try {
    const credentials = endpoint.takesCredentials ? await Credentials.find(options.log) : undefined;
    // Three tries fit into the time that a command has.
    transport = new Transport(
      endpoint.address,
      timeout / 3,
      credentials,
      deadlines,
      counters,
      options.onExchanged,
      options.causeOf,
    );
    const store = new GcsStore(options, prefix, transport, deadlines, counters);
    await store.start();
    return store;
  } catch (error) {
    await transport?.close();
    deadlines.end();
    if (error instanceof StoreError) throw new ExitError(error.message, Exit.unavailable);
    throw error;
  }
}

function isPrefix(prefix: string): boolean {
  return prefix.isWellFormed() && !/[\r\n]/.test(prefix) &&
    new TextEncoder().encode(prefix).length <= greatestPrefix &&
    !prefix.startsWith(".well-known/acme-challenge/");
}

class GcsStore implements Store {
  /** Each key has a queue of its own: {@linkcode Writer}. */
  readonly ordered = true;
  readonly #bucket: Bucket;
  readonly #epoch: Epoch;
  readonly #hints: Hints;
  readonly #writer: Writer;
  readonly #census: Census;
  readonly #accesses = new Accesses();
  readonly #timeout: number;
  readonly #cacheTtl: number;
  /** Whether the operator was told that writes are refused. */
  #isRefused = false;
  #closed = false;

  constructor(
    readonly options: GcsStoreOptions,
    readonly prefix: string,
    readonly transport: Transport,
    readonly deadlines: Deadlines,
    readonly counters: Counters,
  ) {
    const { clock, log, concurrency = 256 } = options;
    this.#timeout = options.timeout ?? usualTimeout;
    this.#cacheTtl = options.cacheTtl ?? 0;
    const gate = new Gate(concurrency, greatestWaiting, deadlines);
    this.#bucket = new Bucket(options.bucket, transport, gate, counters);
    const onReading = () => {
      this.#census.seeFlush();
      this.#look();
    };
    this.#epoch = new Epoch(this.#bucket, `${prefix}meta/epoch`, clock, deadlines, log, onReading);
    const interval = options.countInterval ?? usualInterval;
    const counts = new Counts(this.#bucket, prefix, this.#epoch, clock, interval);
    this.#hints = new Hints(hintBytes, this.#cacheTtl > 0 ? hintBytes : greatestHint);
    this.#census = new Census(this.#bucket, prefix, this.#epoch, counts, clock, counters, log);
    this.#writer = new Writer(
      this.#bucket,
      prefix,
      this.#epoch,
      this.#hints,
      clock,
      deadlines,
      counters,
      this.#accesses,
      (name, before, after) => this.#census.change(name, before, after),
    );
  }

  async start(): Promise<void> {
    try {
      await this.#epoch.start(performance.now() + this.#timeout);
    } catch (error) {
      await this.#writer.close();
      throw error;
    }
    this.#census.start();
  }

  read(key: Uint8Array, batch: Batch, peek = false): Awaitable<Item | undefined> {
    const until = this.#begin();
    const text = textOf(key);
    const seconds = peek ? -1 : batch.seconds;
    if (this.#cacheTtl > 0) {
      const hint = this.#hints.get(text);
      if (hint?.value !== undefined && performance.now() - hint.at < this.#cacheTtl) {
        this.counters.cached++;
        return this.#itemOf(key, hint, seconds);
      }
    }
    return this.#read(key, text, until, seconds);
  }

  async #read(
    key: Uint8Array,
    text: string,
    until: number,
    seconds: number,
  ): Promise<Item | undefined> {
    await this.#epoch.ready(until);
    const sent = performance.now();
    const found = await this.#bucket.get(this.prefix + nameOf(text), until);
    this.#hints.put(text, found ?? nothing, sent);
    return found && this.#itemOf(key, found, seconds);
  }

  swap(
    key: Uint8Array,
    expected: Expected,
    next: NewItem | null,
    _batch: Batch,
  ): Promise<Swapped> {
    const step = { expected, next };
    return this.#writer.do(textOf(key), step, this.#begin()) as Promise<Swapped>;
  }

  update<R>(
    key: Uint8Array,
    change: Change<R>,
    batch: Batch,
    counts = false,
  ): Promise<Updated<R>> {
    const step = { change, seconds: counts ? batch.seconds : -1 };
    return this.#writer.do(textOf(key), step, this.#begin()) as Promise<Updated<R>>;
  }

  /** A swap is answered when its object is written. */
  commit(_batch: Batch): void {}

  async flush(at: number, _batch: Batch): Promise<void> {
    await this.#epoch.flush(at, this.#begin());
  }

  async *scan(): AsyncGenerator<readonly Listed[]> {
    let from: string | undefined;
    do {
      const until = this.#begin();
      await this.#epoch.ready(until);
      const page = await this.#bucket.list(this.prefix, from, until);
      const group: Listed[] = [];
      const now = this.options.clock.now();
      for (const { name, stored } of page.entries) {
        const key = keyOf(name.slice(this.prefix.length));
        if (key === undefined || this.#isFlushed(stored) || isExpired(stored, now)) continue;
        const seen = this.#accesses.of(key, Number(stored.generation));
        group.push({ ...attributesOf(stored, seen), key, size: stored.size });
      }
      yield group;
      from = page.next;
    } while (from !== undefined);
  }

  info(): StoreInfo {
    const { counters } = this;
    const { refusal } = this.#bucket;
    const reason = this.#epoch.isAway
      ? this.#epoch.trouble
      : refusal && `writes are refused: ${refusal}`;
    return {
      items: this.#census.items,
      bytes: this.#census.bytes,
      limit: 0,
      evictions: 0,
      reclaimed: counters.reclaimed,
      flushedReads: counters.flushedReads,
      own: [
        ["state", reason === "" ? "ok" : "away"],
        ...(reason === "" ? [] : [["state_reason", reason] as const]),
        ["requests", counters.requests],
        ["requests_in_flight", this.#bucket.gate.busy],
        ["uploads", counters.uploads],
        ["deletes", counters.deletes],
        ["coalesced_writes", counters.coalesced],
        ["conflicts", counters.conflicts],
        ["lost_answers_resolved", counters.resolved],
        ["retries_rate_limit", counters.limited],
        ["retries_service_error", counters.failed],
        ["retries_connection", counters.broken],
        ["retries_timeout", counters.silent],
        ["damaged_contents", counters.damaged],
        ["unreadable_answers", counters.unreadable],
        ["cached_reads", counters.cached],
        ["cleared_flushed", counters.cleared],
        ["flush_epoch", this.#epoch.current],
        ["writes_waiting", this.#writer.waiting],
        ["keys_in_hand", this.#writer.keys],
        ["hint_bytes", this.#hints.bytes],
        ["listings", this.#census.passes],
        ...counters.results.figures("results_"),
      ],
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writer.close();
    await this.#epoch.stop();
    // All that is left is to count: no longer than one request may take.
    const late = performance.now() + this.#bucket.attempt;
    this.deadlines.set(late, () => void this.transport.close());
    await this.#census.stop();
    await this.transport.close();
    this.deadlines.end();
  }

  /** Tells the operator when writes are refused, and when they are taken again. */
  #look(): void {
    const { name, refusal } = this.#bucket;
    if (this.#isRefused === (refusal !== "")) return;
    this.#isRefused = refusal !== "";
    const { log } = this.options;
    if (this.#isRefused) log(`${refusal}; writes fail until that changes`);
    else log(`The bucket '${name}' takes writes again`, "notice");
  }

  /** Begins a call; returns the time when it is too late for its answer. */
  #begin(): number {
    if (this.#closed) throw new StoreError("The bucket store is closed");
    return performance.now() + this.#timeout;
  }

  #isFlushed(stored: Stored): boolean {
    return stored.epoch < this.#epoch.current;
  }

  /** @param seconds the time of the access, in seconds since 1970; -1 where the read is none */
  #itemOf(key: Uint8Array, { stored, value }: State, seconds: number): Item | undefined {
    if (stored === undefined) return undefined;
    if (this.#isFlushed(stored)) {
      this.counters.flushedReads++;
      return undefined;
    }
    const version = Number(stored.generation);
    const seen = seconds < 0
      ? this.#accesses.of(key, version)
      : this.#accesses.note(key, version, seconds);
    return { ...attributesOf(stored, seen), value: value!, version: stored.generation };
  }
}
