/**
 * What durability costs: sets of 100 bytes on 50 connections, by `--fsync`, on the store alone.
 *
 *     deno run -A bench/disk_fsync.ts [--seconds 3] [--dir DIR]
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { systemClock } from "../lib/clock.ts";
import { type Fsync, openDiskStore } from "../lib/storage/disk/mod.ts";

const args = parseArgs(Deno.args, { string: ["dir"], default: { seconds: 3 } });
const CONNECTIONS = 50;

async function measure(fsync: Fsync): Promise<number> {
  const directory = await Deno.makeTempDir({ prefix: "kvs-fsync-", dir: args.dir });
  const store = await openDiskStore({
    directory,
    fsync,
    clock: systemClock,
    memoryLimit: 64 << 20,
    log: console.log,
  });
  const item = {
    value: new Uint8Array(100),
    flags: 0,
    exptime: 0,
    cas: 0n,
    stale: false,
    won: false,
    fetched: false,
    accessed: 0,
  };
  let sets = 0;
  const end = performance.now() + Number(args.seconds) * 1000;
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
  await Deno.remove(directory, { recursive: true });
  return sets / Number(args.seconds);
}

console.log(`${"fsync".padEnd(12)}${"sets/s".padStart(10)}${"of everysec".padStart(14)}`);
const everysec = await measure("everysec");
for (const fsync of ["everysec", "no", "always"] as const) {
  const rate = fsync === "everysec" ? everysec : await measure(fsync);
  const share = (rate / everysec).toFixed(2);
  console.log(`${fsync.padEnd(12)}${rate.toFixed(0).padStart(10)}${share.padStart(14)}`);
}
