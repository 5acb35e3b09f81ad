/**
 * The protocol's scripts on any store. The memory store answers them as memcached does, byte for
 * byte (`comparison.test.ts`), so its answers stand for memcached's.
 *
 * @module
 */

import { bytesOf } from "../../lib/bytes.ts";
import type { AdjustableClock } from "../../lib/clock.ts";
import type { Store } from "../../lib/storage/contract.ts";
import { Harness } from "../server/harness.ts";
import { exchangeWith } from "../server/wire.ts";
import { Caller } from "../storage/caller.ts";
import { itemOf } from "../storage/contract.ts";
import { scripts } from "./scripts.ts";
import { Uniques } from "./uniques.ts";

/** An answer that is not the memory store's. */
export interface Mistake {
  readonly name: string;
  readonly sent: string;
  readonly wanted: string;
  readonly reply: string;
}

/** Scripts that run concurrently: a store that is far away is waited for. */
const AT_ONCE = 16;

/**
 * Runs all scripts but those of `leftOut`, each on an empty store.
 *
 * @param open opens a store in a place of its own, told apart by the name
 */
export async function mistakesOn(
  open: (name: string) => Promise<Store>,
  clock: AdjustableClock,
  leftOut: readonly string[] = [],
): Promise<Mistake[]> {
  const waiting = Object.entries(scripts).filter(([name]) => !leftOut.includes(name));
  const mistakes: Mistake[] = [];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [name, sends] = next;
      mistakes.push(...await mistakesIn(await open(name), clock, name, sends));
    }
  }));
  return mistakes;
}

async function mistakesIn(
  store: Store,
  clock: AdjustableClock,
  name: string,
  sends: readonly string[],
): Promise<Mistake[]> {
  await using memory = new Harness({}, true);
  // A script that makes a unique up must not meet one: a new memory store counts from 1.
  const counting = new Caller(memory.store);
  for (let n = 0; n < 1000; n++) counting.swap(bytesOf("k"), "any", itemOf(""));
  counting.swap(bytesOf("k"), "any", null);
  await using other = new Harness({ context: { store, clock } }, true);
  const wanted = await replies(memory.port, sends);
  const received = await replies(other.port, sends);
  await store.close();
  return wanted.flatMap((reply, n) =>
    reply === received[n] ? [] : [{ name, sent: sends[n], wanted: reply, reply: received[n] }]
  );
}

async function replies(port: number, sends: readonly string[]): Promise<string[]> {
  const uniques = new Uniques();
  const received: string[] = [];
  for (const sent of sends) {
    received.push(uniques.hide(await exchangeWith(port, uniques.fill(sent))));
  }
  return received;
}
