/**
 * What one call of the disk store costs, without a server.
 *
 * @module
 */

import { systemClock } from "../../lib/clock.ts";
import { type DiskOptions, openDiskStore } from "../../lib/storage/disk/mod.ts";
import { Batch, type Store } from "../../lib/storage/contract.ts";
import { itemOf } from "../item.ts";
import { figureText } from "../tables.ts";
import { keyOf } from "./key.ts";

const KEYS = 100_000;
/** Rounds before the one that counts, for the code to get warm. */
const WARM_UPS = 2;

/** Measures reads and swaps in an empty directory, and prints nanoseconds a call. */
export async function measureCalls(directory: string, valueSize: number): Promise<void> {
  const options: DiskOptions = {
    directory,
    fsync: "everysec",
    clock: systemClock,
    memoryLimit: 64 << 20,
    log: console.error,
  };
  const store = await openDiskStore(options);
  for (let round = 0; round <= WARM_UPS; round++) {
    callAll(store, valueSize, round === WARM_UPS ? time : repeat);
    // What the round has written is synced outside of any measurement.
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await store.close();
  const uncached = await openDiskStore({ ...options, memoryLimit: 0 });
  time("read from the page cache", 300_000, (i) => void uncached.read(keyOf(i % KEYS), batch));
  await uncached.close();
}

/** The one caller. */
const batch = new Batch();

type Loop = (name: string, count: number, call: (i: number) => void) => void;

function callAll(store: Store, valueSize: number, loop: Loop): void {
  const item = itemOf(new Uint8Array(valueSize));
  loop("swap, commit after each 16", 1_000_000, (i) => {
    store.swap(keyOf(i % KEYS), "any", item, batch);
    if (i % 16 === 15) store.commit(batch);
  });
  loop("swap, commit after each", 300_000, (i) => {
    store.swap(keyOf(i % KEYS), "any", item, batch);
    store.commit(batch);
  });
  loop("read from the cache", 1_000_000, (i) => void store.read(keyOf(i % KEYS), batch));
  loop("read of nothing", 1_000_000, (i) => void store.read(keyOf(1e9 + i), batch));
  loop("read and swap (touch)", 300_000, (i) => {
    const read = store.read(keyOf(i % KEYS), batch);
    if (read === undefined || read instanceof Promise) return;
    store.swap(keyOf(i % KEYS), read, { ...read, exptime: 0 }, batch);
    if (i % 16 === 15) store.commit(batch);
  });
}

function repeat(_: string, count: number, call: (i: number) => void): void {
  for (let i = 0; i < count; i++) call(i);
}

function time(name: string, count: number, call: (i: number) => void): void {
  const began = performance.now();
  repeat(name, count, call);
  console.log(figureText(name, `${((performance.now() - began) / count * 1e6).toFixed(0)} ns`));
}
