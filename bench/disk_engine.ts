/**
 * What the disk store costs, measured without a server: time per read and swap, memory per key,
 * the longest stall while the index grows, and how long starts take.
 *
 *     deno run -A bench/disk_engine.ts [--keys 1000000] [--value 100] [--dir DIR]
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { systemClock } from "../lib/clock.ts";
import { type DiskOptions, openDiskStore } from "../lib/storage/disk/mod.ts";
import type { Store } from "../lib/storage/store.ts";

const args = parseArgs(Deno.args, {
  string: ["dir"],
  default: { keys: 1_000_000, value: 100 },
});
const KEYS = Number(args.keys);
const CACHE = 64 << 20;
const directory = args.dir ?? await Deno.makeTempDir({ prefix: "kvs-bench-" });

const options: DiskOptions = {
  directory,
  fsync: "everysec",
  clock: systemClock,
  memoryLimit: CACHE,
  log: (line) => console.log(`  (${line})`),
};

function row(name: string, value: string): void {
  console.log(`${name.padEnd(46)} ${value}`);
}

const key = new TextEncoder().encode("key:0000000000000000");
function keyOf(i: number): Uint8Array {
  for (let at = 19; at > 3; at--) {
    key[at] = 48 + i % 10;
    i = Math.floor(i / 10);
  }
  return key;
}

const item = {
  value: new Uint8Array(Number(args.value)),
  flags: 0,
  exptime: 0,
  cas: 0n,
  stale: false,
  won: false,
  fetched: false,
  accessed: 0,
};

function resident(): number {
  const pages = Number(Deno.readTextFileSync("/proc/self/statm").split(" ")[1]);
  return pages * 4096;
}

/** Nanoseconds of CPU for each of `count` calls. */
function time(name: string, count: number, call: (i: number) => void): void {
  const began = performance.now();
  for (let i = 0; i < count; i++) call(i);
  row(name, `${((performance.now() - began) / count * 1e6).toFixed(0)} ns`);
}

async function cost(): Promise<void> {
  const place = await Deno.makeTempDir({ prefix: "kvs-bench-" });
  const store: Store = await openDiskStore({ ...options, directory: place });
  const few = 100_000;
  for (let round = 0; round < 3; round++) {
    const rows = round === 2 ? time : (_: string, count: number, call: (i: number) => void) => {
      for (let i = 0; i < count; i++) call(i);
    };
    rows("swap, commit after each 16", 1_000_000, (i) => {
      store.swap(keyOf(i % few), "any", item);
      if (i % 16 === 15) store.commit();
    });
    rows("swap, commit after each", 300_000, (i) => {
      store.swap(keyOf(i % few), "any", item);
      store.commit();
    });
    rows("read from the cache", 1_000_000, (i) => void store.read(keyOf(i % few)));
    rows("read of nothing", 1_000_000, (i) => void store.read(keyOf(1e9 + i)));
    rows("read and swap (touch)", 300_000, (i) => {
      const read = store.read(keyOf(i % few));
      if (read === undefined || read instanceof Promise) return;
      store.swap(keyOf(i % few), read, { ...read, exptime: 0 });
      if (i % 16 === 15) store.commit();
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await store.close();
  const uncached = await openDiskStore({ ...options, directory: place, memoryLimit: 0 });
  time("read from the page cache", 300_000, (i) => void uncached.read(keyOf(i % few)));
  await uncached.close();
  await Deno.remove(place, { recursive: true });
}

async function child(step: string): Promise<void> {
  const [what, ending] = step.split(" ");
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", import.meta.filename!, ...Deno.args, "--dir", directory],
    env: { KVS_BENCH_CHILD: what, KVS_BENCH_END: ending ?? "" },
  });
  const { code, signal } = await command.spawn().status;
  if (code !== 0 && signal !== "SIGKILL") throw new Error(`${step} ended with ${code}`);
}

async function fill(): Promise<void> {
  const store = await openDiskStore(options);
  const before = resident();
  let longest = 0;
  const began = performance.now();
  for (let i = 0; i < KEYS;) {
    const turn = performance.now();
    for (let n = 0; n < 100 && i < KEYS; n++) store.swap(keyOf(i++), "any", item);
    const waiting = store.commit();
    longest = Math.max(longest, performance.now() - turn);
    if (waiting !== undefined) await waiting;
    if (i % 10_000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const seconds = (performance.now() - began) / 1000;
  row(`filled with ${KEYS} keys, a second`, (KEYS / seconds).toFixed(0));
  row("longest batch of 100 swaps", `${longest.toFixed(1)} ms`);
  await memory(store, before);
  const closing = performance.now();
  await store.close();
  row("close", `${((performance.now() - closing) / 1000).toFixed(2)} s`);
}

async function reopen(): Promise<void> {
  const before = resident();
  const began = performance.now();
  const store = await openDiskStore(options);
  row(
    `start with ${store.info().items} keys`,
    `${((performance.now() - began) / 1000).toFixed(2)} s`,
  );
  await memory(store, before);
  if (Deno.env.get("KVS_BENCH_END") === "kill") {
    store.swap(keyOf(0), "any", item);
    store.commit();
    Deno.kill(Deno.pid, "SIGKILL");
  }
  await store.close();
}

/** Resident memory beyond an empty store's and the cache, once garbage has been collected. */
async function memory(store: Store, before: number): Promise<void> {
  for (let i = 0; i < 5; i++) {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const own = new Map(store.info().own);
  const used = resident() - before - Number(own.get("cache_bytes"));
  row("memory a key, beyond the cache", `${(used / store.info().items).toFixed(1)} B`);
  row(
    "  of that the index",
    `${(Number(own.get("index_bytes")) / store.info().items).toFixed(1)} B`,
  );
}

// A child: fills the directory, or opens it, and dies as it is told.
if (Deno.env.get("KVS_BENCH_CHILD") === "fill") {
  await fill();
} else if (Deno.env.get("KVS_BENCH_CHILD") === "open") {
  await reopen();
} else {
  await cost();
  for (const step of ["fill", "open", "open kill", "open"]) await child(step);
  if (args.dir === undefined) await Deno.remove(directory, { recursive: true });
}
