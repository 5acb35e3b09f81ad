/**
 * Two servers on one Redis, each a process of its own with 64 workers that change the same few keys
 * as memcached's commands do.
 *
 * Run as a program this is one of them: its arguments are the store's URL, `cluster` or `single`,
 * and its name; it prints as JSON which cas uniques it has spent.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { bytesOf } from "../../../lib/bytes.ts";
import { systemClock } from "../../../lib/clock.ts";
import { openRedisStore } from "../../../lib/storage/redis/mod.ts";
import type { Item, NewItem } from "../../../lib/storage/contract.ts";
import { itemOf } from "../contract.ts";
import { RedisCluster, type RedisServer } from "./servers.ts";
import { openOn, using } from "./stores.ts";
import { callerOf } from "../caller.ts";

/** Keys of each kind. */
const KEYS = 4;
/** Workers in each process. */
const WORKERS = 64;
const ROUNDS = 12;

/** Runs the two, and looks whether an update is lost or a cas has succeeded twice. */
export async function assertCoherent(place: RedisServer | RedisCluster): Promise<void> {
  const cluster = place instanceof RedisCluster;
  const [url] = cluster ? place.urls : [place.url];
  const spent = await Promise.all(["a", "b"].map(async (name) => {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", fileURLToPath(import.meta.url)],
        ...[url, cluster ? "cluster" : "single", name],
      ],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout)) as string[];
  }));
  await using store = await using(openOn(place, { prefix: "coherence:" }));
  const text = async (key: string) =>
    new TextDecoder().decode((await store.read(bytesOf(key)))!.value);
  let counted = 0;
  const appended = new Set<string>();
  let length = 0;
  for (let i = 0; i < KEYS; i++) {
    counted += Number(await text(`counter ${i}`));
    const list = (await text(`list ${i}`)).trim().split(" ");
    length += list.length;
    for (const one of list) appended.add(one);
  }
  const all = 2 * WORKERS * ROUNDS;
  assertEquals(counted, all);
  assertEquals(length, all);
  assertEquals(appended.size, all);
  const uniques = spent.flat();
  assert(spent[0].length > 0 && spent[1].length > 0);
  assertEquals(new Set(uniques).size, uniques.length);
}

/** One server's part; returns the cas uniques that it has spent. */
async function serve(url: string, cluster: boolean, name: string): Promise<string[]> {
  const store = await callerOf(openRedisStore({
    urls: [url],
    cluster,
    prefix: "coherence:",
    clock: systemClock,
    log: console.error,
  }));
  const decoder = new TextDecoder();
  const spent: string[] = [];

  /** Read, change, swap, until it succeeds: what a command does. */
  const change = async (
    key: string,
    next: (old: Item | undefined) => NewItem,
  ): Promise<void> => {
    for (;;) {
      const old = await store.read(bytesOf(key));
      const done = await store.swap(bytesOf(key), old ?? "absent", next(old));
      if (typeof done === "bigint") return;
    }
  };

  const work = async (worker: number): Promise<void> => {
    for (let round = 0; round < ROUNDS; round++) {
      const i = (worker + round) % KEYS;
      await change(
        `counter ${i}`,
        (old) => itemOf(`${1 + (old === undefined ? 0 : Number(decoder.decode(old.value)))}`),
      );
      await change(
        `list ${i}`,
        (old) =>
          itemOf(
            `${old === undefined ? "" : decoder.decode(old.value)}${name}.${worker}.${round} `,
          ),
      );
      // memcached's cas: one attempt with the unique that gets told.
      const old = await store.read(bytesOf(`cas ${i}`));
      if (old === undefined) {
        await store.swap(bytesOf(`cas ${i}`), "absent", itemOf("0"));
      } else {
        const done = await store.swap(bytesOf(`cas ${i}`), { cas: old.cas }, itemOf(`${round}`));
        if (typeof done === "bigint") spent.push(`${i}:${old.cas}`);
      }
    }
  };

  await Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(worker)));
  await store.close();
  return spent;
}

if (import.meta.main) {
  const [url, kind, name] = Deno.args;
  console.log(JSON.stringify(await serve(url, kind === "cluster", name)));
}
