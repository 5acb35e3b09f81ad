/**
 * What durability costs: sets of 100 bytes on 50 connections, by `--fsync`, on the store alone.
 *
 * @module
 */

import { systemClock } from "../../lib/clock.ts";
import { type Fsync, openDiskStore } from "../../lib/storage/disk/mod.ts";
import { itemOf } from "./item.ts";

const CONNECTIONS = 50;

/** Prints the table. */
export async function measureFsync(directory: string, seconds: number): Promise<void> {
  console.log(`${"fsync".padEnd(12)}${"sets/s".padStart(10)}${"of everysec".padStart(14)}`);
  const everysec = await rateOf("everysec", `${directory}/everysec`, seconds);
  for (const fsync of ["everysec", "no", "always"] as const) {
    const rate = fsync === "everysec"
      ? everysec
      : await rateOf(fsync, `${directory}/${fsync}`, seconds);
    const share = (rate / everysec).toFixed(2);
    console.log(`${fsync.padEnd(12)}${rate.toFixed(0).padStart(10)}${share.padStart(14)}`);
  }
}

async function rateOf(fsync: Fsync, directory: string, seconds: number): Promise<number> {
  const store = await openDiskStore({
    directory,
    fsync,
    clock: systemClock,
    memoryLimit: 64 << 20,
    log: console.error,
  });
  const item = itemOf(new Uint8Array(100));
  let sets = 0;
  const end = performance.now() + seconds * 1000;
  await Promise.all(Array.from({ length: CONNECTIONS }, async (_, connection) => {
    const key = new TextEncoder().encode(`key:${connection}:0000000000`);
    for (let n = 0; performance.now() < end; n++) {
      key[key.length - 1 - n % 8] = 48 + n % 10;
      await store.swap(key, "any", item);
      await store.commit();
      sets++;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }));
  await store.close();
  return sets / seconds;
}
