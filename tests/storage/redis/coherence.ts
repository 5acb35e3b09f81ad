/**
 * One server of the coherence test, in a process of its own: 64 workers that change the same few
 * keys as memcached's commands do. Its arguments are the store's URL, `cluster` or `single`, and
 * the number of rounds; it prints as JSON what has succeeded.
 *
 * @module
 */

import { bytesOf } from "../../../lib/bytes.ts";
import { systemClock } from "../../../lib/clock.ts";
import { openRedisStore } from "../../../lib/storage/redis/mod.ts";
import type { Item, NewItem } from "../../../lib/storage/store.ts";
import { itemOf } from "../contract.ts";

/** Keys of each kind. */
export const KEYS = 4;
/** Workers in each process. */
export const WORKERS = 64;

if (import.meta.main) {
  const [url, kind, rounds, name] = Deno.args;
  const store = await openRedisStore({
    urls: [url],
    cluster: kind === "cluster",
    prefix: "coherence:",
    clock: systemClock,
    log: console.error,
  });
  const decoder = new TextDecoder();
  const spent: string[] = [];

  /** Read, change, swap, until it succeeds: what a command does. */
  async function change(key: string, next: (old: Item | undefined) => NewItem): Promise<void> {
    for (;;) {
      const old = await store.read(bytesOf(key));
      const done = await store.swap(bytesOf(key), old ?? "absent", next(old));
      if (typeof done === "bigint") return;
    }
  }

  async function work(worker: number): Promise<void> {
    for (let round = 0; round < Number(rounds); round++) {
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
  }

  await Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(worker)));
  await store.close();
  console.log(JSON.stringify(spent));
}
