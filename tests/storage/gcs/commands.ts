/**
 * The commands of memcached that the tests of this store need, as its callers make them of `read`,
 * `swap` and `update`.
 *
 * @module
 */

import { bytesOf } from "../../../lib/bytes.ts";
import {
  isExpired,
  type Item,
  type NewItem,
  type Store,
  type Swapped,
} from "../../../lib/storage/store.ts";
import { itemOf } from "../contract.ts";

const decoder = new TextDecoder();

export async function get(store: Store, key: string): Promise<string | undefined> {
  const item = await store.read(bytesOf(key));
  if (item === undefined || isExpired(item, Date.now())) return undefined;
  return decoder.decode(item.value);
}

export async function set(
  store: Store,
  key: string,
  value: string | Uint8Array,
  more: Partial<NewItem> = {},
): Promise<bigint> {
  return await store.swap(bytesOf(key), "any", itemOf(value, more)) as bigint;
}

/** Whether the item was added. */
export async function add(store: Store, key: string, value: string): Promise<boolean> {
  return typeof await store.swap(bytesOf(key), "absent", itemOf(value)) === "bigint";
}

export async function cas(
  store: Store,
  key: string,
  unique: bigint,
  value: string,
): Promise<Swapped> {
  return await store.swap(bytesOf(key), { cas: unique }, itemOf(value));
}

/** Whether there was something to delete. */
export async function remove(store: Store, key: string): Promise<boolean> {
  return await store.swap(bytesOf(key), "any", null) === 0n;
}

/** The number after the increment; `undefined` where there is no item. */
export async function incr(store: Store, key: string, by = 1): Promise<number | undefined> {
  let answer: number | undefined;
  await change(store, key, (item) => {
    answer = Number(decoder.decode(item.value)) + by;
    return { ...item, value: bytesOf(String(answer)), cas: 0n };
  }, () => answer = undefined);
  return answer;
}

/** Whether there was something to append to. */
export async function append(store: Store, key: string, value: string): Promise<boolean> {
  const more = bytesOf(value);
  let answer = false;
  await change(store, key, (item) => {
    answer = true;
    const whole = new Uint8Array(item.value.length + more.length);
    whole.set(item.value);
    whole.set(more, item.value.length);
    return { ...item, value: whole, cas: 0n };
  }, () => answer = false);
  return answer;
}

/** Whether there was something to touch. */
export async function touch(store: Store, key: string, exptime: number): Promise<boolean> {
  let answer = false;
  await change(store, key, (item) => {
    answer = true;
    return { ...item, exptime };
  }, () => answer = false);
  return answer;
}

/** Whether there was something to replace. */
export async function replace(store: Store, key: string, value: string): Promise<boolean> {
  let answer = false;
  await change(store, key, () => {
    answer = true;
    return itemOf(value);
  }, () => answer = false);
  return answer;
}

async function change(
  store: Store,
  key: string,
  present: (item: Item) => NewItem,
  absent: () => void,
): Promise<void> {
  await store.update!(bytesOf(key), (item) => {
    if (item === undefined) return void absent();
    return present(item);
  });
}
