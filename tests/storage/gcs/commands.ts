/**
 * The commands of memcached that the tests of this store need, as its callers make them of `read`,
 * `swap` and `update`.
 *
 * @module
 */

import { bytesOf } from "../../../lib/bytes.ts";
import { isExpired, type Item, type NewItem, type Swapped } from "../../../lib/storage/contract.ts";
import { itemOf } from "../contract.ts";
import type { Caller } from "../caller.ts";

const decoder = new TextDecoder();

export async function get(store: Caller, key: string): Promise<string | undefined> {
  const item = await store.read(bytesOf(key));
  if (item === undefined || isExpired(item, Date.now())) return undefined;
  return decoder.decode(item.value);
}

export async function set(
  store: Caller,
  key: string,
  value: string | Uint8Array,
  more: Partial<NewItem> = {},
): Promise<bigint> {
  return await store.swap(bytesOf(key), "any", itemOf(value, more)) as bigint;
}

/** Whether the item was added. */
export async function add(store: Caller, key: string, value: string): Promise<boolean> {
  return typeof await store.swap(bytesOf(key), "absent", itemOf(value)) === "bigint";
}

export async function cas(
  store: Caller,
  key: string,
  unique: bigint,
  value: string,
): Promise<Swapped> {
  return await store.swap(bytesOf(key), { cas: unique }, itemOf(value));
}

/** Whether there was something to delete. */
export async function remove(store: Caller, key: string): Promise<boolean> {
  return await store.swap(bytesOf(key), "any", null) === 0n;
}

/** The number after the increment; `undefined` where there is no item. */
export async function incr(store: Caller, key: string, by = 1): Promise<number | undefined> {
  const { result } = await store.update(bytesOf(key), (item) => {
    if (item === undefined) return { next: undefined, result: undefined };
    const result = Number(decoder.decode(item.value)) + by;
    return { next: { ...item, value: bytesOf(String(result)), cas: 0n }, result };
  });
  return result;
}

/** Whether there was something to append to. */
export async function append(store: Caller, key: string, value: string): Promise<boolean> {
  const more = bytesOf(value);
  return await change(store, key, (item) => {
    const whole = new Uint8Array(item.value.length + more.length);
    whole.set(item.value);
    whole.set(more, item.value.length);
    return { ...item, value: whole, cas: 0n };
  });
}

/** Whether there was something to touch. */
export async function touch(store: Caller, key: string, exptime: number): Promise<boolean> {
  return await change(store, key, (item) => ({ ...item, exptime }));
}

/** Whether there was something to replace. */
export async function replace(store: Caller, key: string, value: string): Promise<boolean> {
  return await change(store, key, () => itemOf(value));
}

/** Whether there was something to change. */
async function change(
  store: Caller,
  key: string,
  present: (item: Item) => NewItem,
): Promise<boolean> {
  const { result } = await store.update(
    bytesOf(key),
    (item) => ({ next: item && present(item), result: item !== undefined }),
  );
  return result;
}
