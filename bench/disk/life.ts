/**
 * A stretch of a store's life in a process of its own: it fills a directory or opens it, says what
 * that took, and ends well or is killed.
 *
 * @module
 */

import { systemClock } from "../../lib/clock.ts";
import { type DiskOptions, openDiskStore } from "../../lib/storage/disk/mod.ts";
import { Batch, type Store } from "../../lib/storage/contract.ts";
import { itemOf } from "../item.ts";
import { denoScript, residentBytes } from "../processes.ts";
import { figureText } from "../tables.ts";
import { keyOf } from "./key.ts";

/** What a process is to do. */
export interface Life {
  readonly directory: string;
  readonly what: "fill" | "open";
  readonly end: "close" | "kill";
  readonly keys: number;
  readonly valueSize: number;
}

/** Leads it, and waits for its end. */
export async function lead(life: Life): Promise<void> {
  const [program, ...args] = denoScript("bench/disk/life.ts", JSON.stringify(life));
  const { code, signal } = await new Deno.Command(program, { args }).spawn().status;
  if (code !== 0 && signal !== "SIGKILL") throw new Error(`${life.what} ended with ${code}`);
}

async function live({ directory, what, end, keys, valueSize }: Life): Promise<void> {
  const options: DiskOptions = {
    directory,
    fsync: "everysec",
    clock: systemClock,
    memoryLimit: 64 << 20,
    log: (line) => console.log(`  (${line})`),
  };
  const before = residentBytes();
  const began = performance.now();
  const store = await openDiskStore(options);
  const opening = (performance.now() - began) / 1000;
  const item = itemOf(new Uint8Array(valueSize));
  if (what === "fill") await fill(store, keys, item);
  else console.log(figureText(`start with ${store.info().items} keys`, `${opening.toFixed(2)} s`));
  await printMemory(store, before);
  if (end === "kill") {
    store.swap(keyOf(0), "any", item, batch);
    store.commit(batch);
    Deno.kill(Deno.pid, "SIGKILL");
  }
  await store.close();
}

/** The one caller. */
const batch = new Batch();

async function fill(store: Store, keys: number, item: ReturnType<typeof itemOf>): Promise<void> {
  let longest = 0;
  const began = performance.now();
  for (let i = 0; i < keys;) {
    const turn = performance.now();
    for (let n = 0; n < 100 && i < keys; n++) store.swap(keyOf(i++), "any", item, batch);
    const waiting = store.commit(batch);
    longest = Math.max(longest, performance.now() - turn);
    if (waiting !== undefined) await waiting;
    if (i % 10_000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const seconds = (performance.now() - began) / 1000;
  console.log(figureText(`filled with ${keys} keys, a second`, (keys / seconds).toFixed(0)));
  console.log(figureText("longest batch of 100 swaps", `${longest.toFixed(1)} ms`));
}

/** Resident memory beyond an empty store's and the cache, once garbage has been collected. */
async function printMemory(store: Store, before: number): Promise<void> {
  for (let i = 0; i < 5; i++) {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const own = new Map(store.info().own);
  const used = residentBytes() - before - Number(own.get("cache_bytes"));
  const { items } = store.info();
  console.log(figureText("  memory a key, beyond the cache", `${(used / items).toFixed(1)} B`));
  console.log(
    figureText("  of that the index", `${(Number(own.get("index_bytes")) / items).toFixed(1)} B`),
  );
}

if (import.meta.main) await live(JSON.parse(Deno.args[0]!));
