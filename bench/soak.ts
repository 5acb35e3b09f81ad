/**
 * Mixed load on a disk store for as long as you like: is what is read what was stored, does memory stay
 * flat, does the directory stay within its bounds, and how long do others wait while compaction runs?
 *
 *     deno task soak [--duration 2m] [--values 2g] [--memory 64m] …
 *
 * Prints a row every ten seconds, and ends with exit code 1 if a value was wrong.
 *
 * @module
 */

import type { Manual } from "../lib/cli/help.ts";
import { choice, duration, size, text } from "../lib/cli/option.ts";
import type { Values } from "../lib/cli/parse.ts";
import { systemClock } from "../lib/clock.ts";
import { Exit } from "../lib/errors.ts";
import { openDiskStore } from "../lib/storage/disk/mod.ts";
import { Batch, type Store } from "../lib/storage/contract.ts";
import { runProgram } from "./front.ts";
import { itemOf } from "./item.ts";
import { residentBytes } from "./processes.ts";

const soakOptions = {
  duration: duration({ flags: "--duration", min: 100, default: 120_000, help: "how long" }),
  values: size({ flags: "--values", min: 1000, default: 2 * 2 ** 30, help: "all values, about" }),
  memory: size({ flags: "--memory", unit: "m", default: 64 * 2 ** 20, help: "the cache" }),
  fsync: choice({
    flags: "--fsync",
    of: ["always", "everysec", "no"],
    default: "everysec",
    help: "the store's",
  }),
  dir: text({ flags: "--dir", value: "DIR", help: "a directory that stays, instead of a new one" }),
};

const manual: Manual = {
  usage: "deno task soak [options]",
  about: "Puts mixed load on a disk store and checks every answer.",
};

const CONNECTIONS = 20;
/** Calls that a connection makes before it waits for their commit. */
const BATCH = 10;
/** The mean of the values' sizes in bytes. */
const VALUE = 1000;
/** How many of the calls are sets. */
const SETS = 0.3;
/** How often a row is printed, in milliseconds. */
const INTERVAL = 10_000;

const COLUMNS = [
  "seconds",
  "ops/s",
  "items",
  "rss MB",
  "log/live",
  "segments",
  "compacted",
  "p50 ms",
  "p99 ms",
  "p99 comp.",
  "max ms",
  "wrong",
];

/** Connections that change keys of a store, and know what was stored last under each. */
class Soak {
  stopped = false;
  operations = 0;
  wrong = 0;
  /** Milliseconds that batches took while compaction ran, and while it did not. */
  waits: { busy: number[]; idle: number[] } = { busy: [], idle: [] };

  /** The last version that was stored under each key; 0 for none. */
  readonly #versions: Uint32Array;
  readonly #value = new Uint8Array(2 * VALUE);
  readonly #words = new DataView(this.#value.buffer);
  readonly #batch = new Batch();
  readonly #encoder = new TextEncoder();
  #next = 0;
  #compacting = { at: 0, is: false };

  readonly #store: Store;
  readonly #keys: number;

  constructor(store: Store, keys: number) {
    this.#store = store;
    this.#keys = keys;

    this.#versions = new Uint32Array(keys);
  }

  /** A figure of `stats disk`. */
  own(name: string): number {
    return Number(new Map(this.#store.info().own).get(name));
  }

  /** Sets and gets, until it is stopped. */
  async connection(seed: number): Promise<void> {
    let state = seed;
    // A linear congruential generator: each connection has its own, repeatable keys.
    const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
    while (!this.stopped) {
      const began = performance.now();
      if (this.#next < this.#keys) {
        for (let n = 0; n < BATCH && this.#next < this.#keys; n++) await this.#set(this.#next++);
      } else {
        for (let n = 0; n < BATCH; n++) {
          const index = Math.floor(random() ** 2 * this.#keys);
          await (random() < SETS ? this.#set(index) : this.#get(index));
        }
      }
      await this.#store.commit(this.#batch);
      const now = performance.now();
      (this.#isCompacting(now) ? this.waits.busy : this.waits.idle).push(now - began);
      this.operations += BATCH;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #set(index: number): Promise<void> {
    const version = this.#versions[index] = (this.#versions[index]! + 1) >>> 0;
    this.#words.setUint32(0, index);
    this.#words.setUint32(4, version);
    const value = this.#value.subarray(0, sizeOf(index, version));
    await this.#store.swap(this.#keyOf(index), "any", itemOf(value, version), this.#batch);
  }

  async #get(index: number): Promise<void> {
    const version = this.#versions[index]!;
    const read = this.#store.read(this.#keyOf(index), this.#batch);
    // What a read returns without a promise is valid until somebody waits.
    const item = read instanceof Promise ? await read : read;
    // Another connection may have stored a newer one while this one waited.
    if (this.#versions[index] !== version) return;
    if (item === undefined) {
      if (version !== 0) this.wrong++;
      return;
    }
    const view = new DataView(item.value.buffer, item.value.byteOffset, item.value.byteLength);
    const right = view.getUint32(0) === index && view.getUint32(4) === version &&
      item.value.length === sizeOf(index, version) && item.flags === version;
    if (!right) this.wrong++;
  }

  #keyOf(index: number): Uint8Array {
    return this.#encoder.encode(`key:${index}`);
  }

  /** Asked for every some milliseconds only: the figures cost more than a batch. */
  #isCompacting(now: number): boolean {
    if (now - this.#compacting.at > 5) {
      this.#compacting = { at: now, is: this.own("compacting") === 1 };
    }
    return this.#compacting.is;
  }
}

function sizeOf(index: number, version: number): number {
  return 16 + (index * 31 + version * 17) % (2 * VALUE - 32);
}

function percentile(sorted: readonly number[], share: number): string {
  if (sorted.length === 0) return "-";
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(2);
}

function printRow(cells: readonly string[]): void {
  console.log(cells.map((cell) => cell.padStart(10)).join(""));
}

/** What has come since the last row. */
function report(soak: Soak, store: Store, seconds: number, since: number): void {
  const { busy, idle } = soak.waits;
  for (const waits of [busy, idle]) waits.sort((a, b) => a - b);
  printRow([
    seconds.toFixed(0),
    (soak.operations / since).toFixed(0),
    String(store.info().items),
    (residentBytes() / 1e6).toFixed(0),
    (soak.own("log_bytes") / soak.own("live_bytes")).toFixed(2),
    String(soak.own("segments")),
    String(soak.own("compactions")),
    percentile(idle, 0.5),
    percentile(idle, 0.99),
    percentile(busy, 0.99),
    Math.max(busy.at(-1) ?? 0, idle.at(-1) ?? 0).toFixed(1),
    String(soak.wrong),
  ]);
  soak.waits = { busy: [], idle: [] };
  soak.operations = 0;
}

async function main(options: Values<typeof soakOptions>): Promise<number> {
  const { values, memory, fsync, dir } = options;
  await using stack = new AsyncDisposableStack();
  const directory = dir ?? await Deno.makeTempDir({ prefix: "kvs-soak-" });
  if (dir === undefined) stack.defer(() => Deno.remove(directory, { recursive: true }));
  const store = await openDiskStore({
    directory,
    fsync,
    clock: systemClock,
    memoryLimit: memory,
    log: (line) => console.log(`  (${line})`),
  });
  stack.defer(() => store.close());
  const soak = new Soak(store, Math.ceil(values / VALUE));
  printRow(COLUMNS);
  const began = Date.now();
  const end = began + options.duration;
  const connections = Array.from({ length: CONNECTIONS }, (_, i) => soak.connection(i + 1));
  for (let last = began; last < end;) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(INTERVAL, end - last)));
    const now = Date.now();
    report(soak, store, (now - began) / 1000, (now - last) / 1000);
    last = now;
  }
  soak.stopped = true;
  await Promise.all(connections);
  const { wrong } = soak;
  console.log(wrong === 0 ? "every value read was the one stored last" : `${wrong} wrong values`);
  return wrong === 0 ? Exit.ok : Exit.no;
}

if (import.meta.main) await runProgram("soak", manual, soakOptions, main);
