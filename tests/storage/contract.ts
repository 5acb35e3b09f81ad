/**
 * The contract of `lib/storage/contract.ts` as a suite that runs on every store, by its numbers.
 *
 * A new store is one call of {@linkcode testContract}. What a store cannot do is skipped with the
 * reason, never in silence.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { bytesOf, equalBytes } from "../../lib/bytes.ts";
import { AdjustableClock } from "../../lib/clock.ts";
import { StoreError } from "../../lib/errors.ts";
import {
  Batch,
  type Expected,
  isExpired,
  type Item,
  type Listed,
  type NewItem,
  plain,
  type Store,
  valueLengthOf,
} from "../../lib/storage/contract.ts";
import { ItemCursor } from "../../lib/storage/item_cursor.ts";
import { update } from "../../lib/storage/update.ts";
import { Caller } from "./caller.ts";

/** A store to be tested, empty when it is opened for the first time. */
export interface Harness extends AsyncDisposable {
  /** Opens the store on the harness's place, again with what was there, if it has been open. */
  open(clock: AdjustableClock): Promise<Store>;
  /** Lets all writes fail from here on, or none. */
  failWrites?(fail: boolean): void;
}

/** What is particular to a store. */
export interface Particulars {
  /** Why what is stored does not outlive `close`, if it does not. */
  readonly forgets?: string;
  /** Why a second server cannot use the same data, if it cannot. */
  readonly single?: string;
  /** Why what `swap` has answered is never undone, if it is not. */
  readonly certain?: string;
  /** Why it has no memory for accesses, if it has none. */
  readonly forgetsAccesses?: string;
  /** For how long `flush` may take to be seen by another server, in milliseconds. */
  readonly flushSeen?: number;
  /** The greatest value tried, in bytes. */
  readonly greatest?: number;
  /** Whether it keeps the order of a key's changes that nobody waits for. */
  readonly ordered?: boolean;
  /** Whether a library of the store's keeps connections or timers that outlive a test. */
  readonly lingers?: boolean;
}

/** An item for a swap. */
export function itemOf(value: string | Uint8Array, more: Partial<NewItem> = {}): NewItem {
  return { ...plain, value: typeof value === "string" ? bytesOf(value) : value, ...more };
}

function textOf(value: Uint8Array): string {
  return new TextDecoder().decode(value);
}

/** A copy of what a read returns, absent if it has expired: what a command would see. */
export async function look(
  store: Caller,
  key: Uint8Array,
  now: number,
): Promise<Item | undefined> {
  const found = await store.read(key, true);
  const item = found && copyOf(found);
  const cursor = new ItemCursor();
  // What is at hand a cursor shows as well, and never what is not there.
  const isThere = store.find(key, cursor);
  if (isThere !== undefined) assertEquals(isThere ? copyOf(cursor) : undefined, item);
  for (const telling of [store.tell(key), store.tell(key, cursor)]) {
    const told = await telling;
    // What has expired may be gone from Redis meanwhile.
    if (told === undefined && item !== undefined && isExpired(item, now)) continue;
    if (telling !== undefined) assertEquals(told && copyOf(told), item);
  }
  return item === undefined || isExpired(item, now) ? undefined : item;
}

function copyOf(item: Item): Item {
  const { flags, exptime, cas, stale, won, fetched, accessed, binaryKey, version } = item;
  const value = item.value.slice();
  return { value, flags, exptime, cas, stale, won, fetched, accessed, binaryKey, version };
}

async function listed(store: Caller): Promise<Map<string, Listed>> {
  const all = new Map<string, Listed>();
  for await (const group of store.scan()) {
    for (const one of group) {
      const name = one.key.toString();
      assert(!all.has(name), `scan returned ${name} twice`);
      all.set(name, { ...one, key: one.key.slice() });
    }
  }
  return all;
}

/** Registers the suite for one kind of store. */
export function testContract(
  name: string,
  harness: () => Harness | Promise<Harness>,
  particulars: Particulars = {},
): void {
  const k: Uint8Array = bytesOf("key");

  /** One point of the contract, on a store of its own. */
  function point(
    sentence: string,
    body: (use: {
      store: Caller;
      clock: AdjustableClock;
      reopen: () => Promise<Caller>;
      second: () => Promise<Caller>;
      failWrites: (fail: boolean) => void;
      get: (key?: Uint8Array) => Promise<Item | undefined>;
    }) => Promise<void>,
    ignore?: string,
  ): void {
    Deno.test({
      name: `${name} store: ${sentence}${ignore ? ` (skipped: ${ignore})` : ""}`,
      ignore: ignore !== undefined,
      sanitizeOps: !particulars.lingers,
      sanitizeResources: !particulars.lingers,
      fn: async () => {
        await using place = await harness();
        const clock = new AdjustableClock();
        const opened: Caller[] = [];
        const open = async () => {
          const store = new Caller(await place.open(clock));
          opened.push(store);
          return store;
        };
        const use = {
          store: await open(),
          clock,
          get: (key: Uint8Array = k) => look(use.store, key, clock.now()),
          second: open,
          failWrites: (fail: boolean) => place.failWrites!(fail),
          reopen: async () => {
            await use.store.close();
            opened.splice(opened.indexOf(use.store), 1);
            return use.store = await open();
          },
        };
        try {
          await body(use);
        } finally {
          for (const store of opened) await store.close();
        }
      },
    });
  }

  point("1. returns value, flags and the meta state as they were stored", async (use) => {
    const exptime = use.clock.now() + 100_000;
    await use.store.swap(
      k,
      "any",
      itemOf("value", {
        flags: 0xfedcba98,
        exptime,
        stale: true,
        won: true,
        fetched: true,
        accessed: 1234567,
        binaryKey: true,
      }),
    );
    await use.store.commit();
    const item = (await use.get())!;
    assertEquals(item.value, bytesOf("value"));
    assertEquals(item.flags, 0xfedcba98);
    assertEquals(item.exptime, exptime);
    assertEquals([item.stale, item.won, item.fetched, item.accessed], [true, true, true, 1234567]);
    assertEquals(item.binaryKey, true);
  });

  point("1. takes any bytes as keys and tells all of them apart", async (use) => {
    const keys: Uint8Array[] = [];
    for (let byte = 0; byte < 256; byte++) {
      if (byte === 10 || byte === 13 || byte === 32) continue;
      keys.push(new Uint8Array([byte]), new Uint8Array([107, byte, 107]));
    }
    keys.push(bytesOf("\u00e9\u4e2d\u{1f600}"), new Uint8Array(250).fill(0xff));
    keys.push(new Uint8Array(249).fill(0xff), bytesOf("k%20"), bytesOf("../k"), bytesOf("k/"));
    await Promise.all(keys.map(async (key, i) => {
      assertEquals(typeof await use.store.swap(key, "absent", itemOf(`value ${i}`)), "bigint");
    }));
    await use.store.commit();
    for (const [i, key] of keys.entries()) {
      assertEquals((await use.get(key))?.value, bytesOf(`value ${i}`), `key ${key}`);
    }
    assertEquals((await listed(use.store)).size, keys.length);
  });

  point("1. takes any bytes as values, from none to a mebibyte", async (use) => {
    const greatest = particulars.greatest ?? 1 << 20;
    for (const size of [0, 1, 2, 255, 4096, 65_537, greatest]) {
      const value = new Uint8Array(size).map((_, i) => i * 7 + (i >> 8));
      await use.store.swap(k, "any", itemOf(value));
      await use.store.commit();
      const item = await use.get();
      assert(item !== undefined && equalBytes(item.value, value), `${size} bytes`);
    }
    const crlf = bytesOf("\r\nEND\r\n\0");
    await use.store.swap(k, "any", itemOf(crlf));
    assertEquals((await use.get())!.value, crlf);
  });

  point("2. keeps what it was given when the caller's memory changes after", async (use) => {
    const key = bytesOf("caller");
    const value = bytesOf("value");
    await use.store.swap(key, "any", itemOf(value));
    await use.store.commit();
    key.fill(0);
    value.fill(0);
    assertEquals((await use.get(bytesOf("caller")))?.value, bytesOf("value"));
  });

  point("5. swaps whatever is there, and deletes it", async (use) => {
    const { store } = use;
    assertEquals(await use.get(), undefined);
    assertEquals(await store.swap(k, "any", null), "absent");
    const first = await store.swap(k, "any", itemOf("1"));
    const second = await store.swap(k, "any", itemOf("2"));
    assert(typeof first === "bigint" && typeof second === "bigint" && first !== second);
    assertEquals((await use.get())!.cas, second);
    assertEquals(await store.swap(k, "any", null), 0n);
    assertEquals(await use.get(), undefined);
    assertEquals(await store.swap(k, "any", null), "absent");
  });

  point("5. swaps where nothing is expected only where there is nothing", async (use) => {
    const { store } = use;
    assertEquals(typeof await store.swap(k, "absent", itemOf("1")), "bigint");
    assertEquals(await store.swap(k, "absent", itemOf("2")), "exists");
    assertEquals((await use.get())!.value, bytesOf("1"));
    await store.swap(k, "any", null);
    assertEquals(typeof await store.swap(k, "absent", itemOf("3")), "bigint");
  });

  point("5. swaps what has the expected cas unique, and nothing else", async (use) => {
    const { store } = use;
    assertEquals(await store.swap(k, { cas: 1n }, itemOf("0")), "absent");
    const cas = await store.swap(k, "any", itemOf("1")) as bigint;
    assertEquals(await store.swap(k, { cas: cas + 1n }, itemOf("no")), "exists");
    assertEquals(await store.swap(k, { cas: 0n }, itemOf("no")), "exists");
    const next = await store.swap(k, { cas }, itemOf("2"));
    assert(typeof next === "bigint" && next !== cas);
    assertEquals(await store.swap(k, { cas }, itemOf("no")), "exists");
    assertEquals(await store.swap(k, { cas }, null), "exists");
    assertEquals((await use.get())!.value, bytesOf("2"));
    assertEquals(await store.swap(k, { cas: next }, null), 0n);
    assertEquals(await store.swap(k, { cas: next }, null), "absent");
  });

  point("5. lets one of many swaps from the same state succeed", async (use) => {
    const { store } = use;
    const results = async (expected: Expected) =>
      await Promise.all(
        Array.from({ length: 20 }, async (_, i) => await store.swap(k, expected, itemOf(`${i}`))),
      );
    const added = await results("absent");
    assertEquals(added.filter((one) => typeof one === "bigint").length, 1);
    assertEquals(added.filter((one) => one === "exists").length, 19);
    const item = (await use.get())!;
    const changed = await results(item);
    assertEquals(changed.filter((one) => typeof one === "bigint").length, 1);
    const winner = changed.findIndex((one) => typeof one === "bigint");
    assertEquals((await use.get())!.value, bytesOf(`${winner}`));
    assertEquals((await use.get())!.cas, changed[winner] as bigint);
  });

  point("6. takes an expired item for absent, at its millisecond", async (use) => {
    const { store, clock } = use;
    clock.offset = 50_000;
    const exptime = clock.now() + 30_000;
    const cas = await store.swap(k, "any", itemOf("old", { exptime })) as bigint;
    clock.offset += 29_000;
    assertEquals((await use.get())?.value, bytesOf("old"));
    assertEquals(await store.swap(k, "absent", itemOf("new")), "exists");
    clock.offset += 1_000;
    assertEquals(await use.get(), undefined);
    assertEquals(await store.swap(k, { cas }, itemOf("new")), "absent");
    assertEquals(await store.swap(k, "any", null), "absent");
    assertEquals((await listed(store)).size, 0);
    assertEquals(typeof await store.swap(k, "absent", itemOf("new")), "bigint");
    assertEquals((await use.get())?.value, bytesOf("new"));
  });

  point("6. stores an item that has expired already, as absent", async (use) => {
    await use.store.swap(k, "any", itemOf("live"));
    await use.store.swap(k, "any", itemOf("dead", { exptime: use.clock.now() - 1000 }));
    assertEquals(await use.get(), undefined);
    assertEquals(typeof await use.store.swap(k, "absent", itemOf("new")), "bigint");
  });

  point("7. never returns the same cas unique of a key twice", async (use) => {
    const seen = new Set<bigint>();
    const store = async () => {
      const cas = await use.store.swap(k, "any", itemOf("v")) as bigint;
      assert(cas > 0n && cas < 1n << 64n && !seen.has(cas), `cas ${cas} came again`);
      seen.add(cas);
    };
    for (let i = 0; i < 20; i++) await store();
    await use.store.swap(k, "any", null);
    for (let i = 0; i < 5; i++) await store();
    await use.store.flush(use.clock.now());
    for (let i = 0; i < 5; i++) await store();
    await use.store.commit();
    if (particulars.forgets === undefined) {
      await use.reopen();
      for (let i = 0; i < 5; i++) await store();
      await use.store.swap(k, "any", null);
      await use.reopen();
      for (let i = 0; i < 5; i++) await store();
    }
    if (particulars.single === undefined) {
      const other = await use.second();
      for (let i = 0; i < 5; i++) {
        const cas = await other.swap(k, "any", itemOf("v")) as bigint;
        assert(!seen.has(cas), `cas ${cas} came again from a second server`);
        seen.add(cas);
        await store();
      }
    }
  });

  point("7. and 8. keeps a cas unique that it is given, under another version", async (use) => {
    const { store } = use;
    const cas = await store.swap(k, "any", itemOf("v")) as bigint;
    const before = (await use.get())!;
    const exptime = use.clock.now() + 60_000;
    assertEquals(await store.swap(k, before, { ...before, exptime }), cas);
    const after = (await use.get())!;
    assertEquals([after.cas, after.exptime, after.value], [cas, exptime, bytesOf("v")]);
    assert(after.version !== before.version);
    assertEquals(await store.swap(k, before, itemOf("lost")), "exists");
    assertEquals(typeof await store.swap(k, { cas }, itemOf("by cas")), "bigint");
  });

  point("10. commits each of two batches that overlap by itself", async (use) => {
    const { store } = use.store;
    const [one, two] = [new Batch(), new Batch()];
    const [a, b] = ["a", "b"].map(bytesOf);
    await store.swap(a, "any", itemOf("one"), one);
    await store.swap(b, "any", itemOf("two"), two);
    await store.read(a, two);
    await store.commit(two);
    await store.swap(b, "any", itemOf("one again"), one);
    await store.commit(one);
    // A batch that has been committed is used again.
    one.clear();
    await store.swap(a, "any", itemOf("later"), one);
    await store.commit(one);
    assertEquals(textOf((await use.get(a))!.value), "later");
    assertEquals(textOf((await use.get(b))!.value), "one again");
  });

  point(
    "10. a write that is lost fails the batches that changed or saw it, and no other",
    async (use) => {
      const { store } = use.store;
      const [other, gone] = ["other", "gone"].map(bytesOf);
      await use.store.swap(k, "any", itemOf("old"));
      await use.store.swap(other, "any", itemOf("old"));
      await use.store.commit();
      const [writer, waiting, reader, misser, bystander, abandoned] = Array.from(
        { length: 6 },
        () => new Batch(),
      );
      await store.read(other, bystander);
      // From here to the commit nothing waits: so nobody else can write what is not yet written.
      store.swap(k, "any", itemOf("new"), writer);
      store.swap(gone, "any", itemOf("new"), writer);
      store.swap(gone, "any", null, waiting);
      // A connection that is gone: its batch is used again for another.
      store.swap(k, "any", itemOf("new"), abandoned);
      abandoned.clear();
      const seen = store.read(k, reader) as Item;
      assertEquals(textOf(seen.value), "new");
      assertEquals(store.read(gone, misser), undefined);
      use.failWrites(true);
      const committed = (async () => await store.commit(writer))();
      await assertRejects(() => committed, StoreError);
      use.failWrites(false);
      for (const batch of [waiting, reader, misser, writer]) {
        await assertRejects(async () => await store.commit(batch), StoreError);
      }
      await store.commit(bystander);
      await store.commit(abandoned);
      assertEquals(textOf((await use.get())!.value), "old");
      assertEquals(await use.get(gone), undefined);
      writer.clear();
      await store.swap(k, "any", itemOf("newer"), writer);
      await store.commit(writer);
      assertEquals(textOf((await use.get())!.value), "newer");
    },
    particulars.certain,
  );

  point("11. flushes all that was stored before, and nothing after", async (use) => {
    const { store } = use;
    for (let i = 0; i < 30; i++) await store.swap(bytesOf(`k${i}`), "any", itemOf("v"));
    const old = await store.swap(k, "any", itemOf("old")) as bigint;
    await store.flush(use.clock.now());
    assertEquals(await store.swap(k, { cas: old }, itemOf("no")), "absent");
    assertEquals(await store.swap(k, "any", null), "absent");
    await store.swap(bytesOf("k0"), "any", itemOf("after"));
    await store.commit();
    assertEquals((await use.get(bytesOf("k0")))?.value, bytesOf("after"));
    assertEquals(await use.get(bytesOf("k1")), undefined);
    assertEquals(typeof await store.swap(bytesOf("k1"), "absent", itemOf("again")), "bigint");
    assertEquals((await listed(store)).size, 2);
    if (particulars.forgets !== undefined) return;
    const again = await use.reopen();
    assertEquals((await use.get(bytesOf("k0")))?.value, bytesOf("after"));
    assertEquals(await use.get(bytesOf("k2")), undefined);
    assertEquals((await listed(again)).size, 2);
  });

  point("11. flushes at a moment to come all that is stored until then", async (use) => {
    const { store, clock } = use;
    const [a, b, c] = ["a", "b", "c"].map(bytesOf);
    await store.swap(a, "any", itemOf("before"));
    await store.flush(clock.now() + 20_000);
    await store.swap(b, "any", itemOf("between"));
    assertEquals((await use.get(a))?.value, bytesOf("before"));
    if (particulars.forgets === undefined) await use.reopen();
    clock.offset += 19_000;
    assertEquals((await use.get(b))?.value, bytesOf("between"));
    clock.offset += 1_500;
    assertEquals(await use.get(a), undefined);
    assertEquals(await use.get(b), undefined);
    await use.store.swap(c, "any", itemOf("after"));
    clock.offset += 60_000;
    assertEquals((await use.get(c))?.value, bytesOf("after"));
    assertEquals((await listed(use.store)).size, 1);
  });

  point("11. a new flush takes the place of a pending one", async (use) => {
    const { store, clock } = use;
    await store.flush(clock.now() + 10_000);
    await store.flush(clock.now() + 100_000);
    await store.swap(k, "any", itemOf("v"));
    clock.offset += 50_000;
    assertEquals((await use.get())?.value, bytesOf("v"));
    await store.flush(clock.now());
    assertEquals(await use.get(), undefined);
    await store.swap(k, "any", itemOf("after"));
    clock.offset += 100_000;
    assertEquals((await use.get())?.value, bytesOf("after"));
  });

  point(
    "11. a moment that passed while the store was closed has come",
    async (use) => {
      await use.store.swap(k, "any", itemOf("v"));
      await use.store.flush(use.clock.now() + 20_000);
      await use.store.commit();
      use.clock.offset += 30_000;
      await use.reopen();
      assertEquals(await use.get(), undefined);
      await use.store.swap(k, "any", itemOf("after"));
      assertEquals((await use.get())?.value, bytesOf("after"));
    },
    particulars.forgets,
  );

  point("12. lists every item once, with its attributes", async (use) => {
    const { store, clock } = use;
    const expected = new Map<string, bigint>();
    const exptime = clock.now() + 60_000;
    for (let i = 0; i < 300; i++) {
      const key = bytesOf(`key ${i}`.replace(" ", "\x01"));
      const cas = await store.swap(key, "any", itemOf("x".repeat(i), { flags: i, exptime }));
      expected.set(key.toString(), cas as bigint);
    }
    await store.swap(bytesOf("gone"), "any", itemOf("v"));
    await store.swap(bytesOf("gone"), "any", null);
    await store.commit();
    const found = await listed(store);
    assertEquals(found.size, 300);
    for (const [name, cas] of expected) {
      const one = found.get(name)!;
      assertEquals(one.cas, cas);
      assertEquals(one.size, one.flags);
      assertEquals(one.exptime, exptime);
    }
  });

  point("12. goes on with its list while items change", async (use) => {
    const { store } = use;
    const keyOf = (i: number) => bytesOf(`k${i}`);
    for (let i = 0; i < 600; i++) await store.swap(keyOf(i), "any", itemOf(`${i}`));
    await store.commit();
    const found = new Set<string>();
    let round = 0;
    for await (const group of store.scan()) {
      for (const one of group) found.add(one.key.toString());
      for (let i = 0; i < 20; i++) await store.swap(keyOf(i), "any", itemOf(`again ${round}`));
      await store.swap(bytesOf(`new ${round++}`), "any", itemOf("v"));
      await store.commit();
    }
    for (let i = 20; i < 600; i++) assert(found.has(keyOf(i).toString()), `k${i} is missing`);
  });

  point("13. has everything after it was closed and opened", async (use) => {
    const exptime = use.clock.now() + 60_000;
    const cas = new Map<number, bigint>();
    for (let i = 0; i < 100; i++) {
      const state = { stale: i > 50, binaryKey: i % 3 === 0 };
      const item = itemOf(`value ${i}`, { flags: i, exptime: i % 2 ? exptime : 0, ...state });
      cas.set(i, await use.store.swap(bytesOf(`k${i}`), "any", item) as bigint);
    }
    for (let i = 0; i < 100; i += 10) await use.store.swap(bytesOf(`k${i}`), "any", null);
    await use.reopen();
    for (let i = 0; i < 100; i++) {
      const item = await use.get(bytesOf(`k${i}`));
      if (i % 10 === 0) {
        assertEquals(item, undefined);
        continue;
      }
      assertEquals(item!.value, bytesOf(`value ${i}`));
      assertEquals([item!.flags, item!.cas, item!.stale], [i, cas.get(i)!, i > 50]);
      assertEquals(item!.exptime, i % 2 ? exptime : 0);
      assertEquals(item!.binaryKey, i % 3 === 0);
    }
  }, particulars.forgets);

  point("13. refuses calls after it was closed", async (use) => {
    const store = use.store;
    await store.swap(k, "any", itemOf("v"));
    await use.reopen();
    await assertRejects(async () => await store.swap(k, "any", itemOf("w")), Error, "closed");
    await assertRejects(async () => await store.read(k), Error, "closed");
  }, particulars.forgets);

  point("14. updates what is there, and says what came of it", async (use) => {
    const { store } = use.store;
    const batch = new Batch();
    const change = (key: Uint8Array, more: string) =>
      update(store, use.clock, key, (item) => {
        const text = item === undefined ? more : textOf(item.value) + more;
        return { next: more === "" ? undefined : itemOf(text), result: text };
      }, batch);
    assertEquals(await change(k, ""), { cas: 0n, result: "" });
    const first = await change(k, "a");
    assertEquals(first.result, "a");
    assertEquals((await use.get())!.cas, first.cas);
    const second = await change(k, "b");
    assertEquals([second.result, second.cas === first.cas], ["ab", false]);
    assertEquals(await change(k, ""), { cas: 0n, result: "ab" });
    const deleted = await update(
      store,
      use.clock,
      k,
      (item) => ({ next: null, result: item!.flags }),
      batch,
    );
    assertEquals(deleted, { cas: 0n, result: 0 });
    assertEquals(await use.get(), undefined);
    const many = await Promise.all(
      Array.from({ length: 20 }, async () => (await change(k, "x")).result.length),
    );
    assertEquals(many.sort((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i + 1));
    await store.commit(batch);
  });

  const forgets = particulars.forgetsAccesses;

  point("16. a read makes the item fetched, as later reads and listings show", async (use) => {
    const { store } = use;
    const marks = async (read = store.read(k, true)) => {
      const item = (await read)!;
      return [item.fetched, item.accessed];
    };
    const marksListed = async () => {
      const item = (await listed(store)).get(k.toString())!;
      return [item.fetched, item.accessed];
    };
    await store.swap(k, "any", itemOf("v", { accessed: 500 }));
    await store.commit();
    store.seconds = 1_000_000;
    assertEquals(await marks(), [false, 500]);
    assertEquals(await marksListed(), [false, 500]);
    assertEquals(await marks(store.read(k)), [false, 500]);
    assertEquals(await marks(), [true, 1_000_000]);
    assertEquals(await marksListed(), [true, 1_000_000]);
    store.seconds = 2_000_000;
    assertEquals(await marks(), [true, 1_000_000]);
    assertEquals(await marks(store.read(k)), [true, 1_000_000]);
    assertEquals(await marks(), [true, 2_000_000]);
    await store.swap(k, "any", itemOf("w", { accessed: 700 }));
    assertEquals(await marks(), [false, 700]);
  }, forgets);

  point("16. an update is an access only where it is asked to be", async (use) => {
    const { clock, store: { store } } = use;
    const batch = new Batch(3_000_000);
    const look = (counts?: boolean) =>
      update(
        store,
        clock,
        k,
        (item) => ({
          next: undefined,
          result: [item!.fetched, item!.accessed],
        }),
        batch,
        counts,
      );
    await store.swap(k, "any", itemOf("v", { accessed: 500 }), batch);
    assertEquals((await look()).result, [false, 500]);
    assertEquals((await look(true)).result, [false, 500]);
    assertEquals((await look()).result, [true, 3_000_000]);
    const exptime = clock.now() + 60_000;
    const touch = (item: Item | undefined) => ({ next: { ...item!, exptime }, result: undefined });
    await update(store, clock, k, touch, batch);
    const touched = (await use.get())!;
    assertEquals([touched.fetched, touched.accessed, touched.exptime], [true, 3_000_000, exptime]);
    await store.commit(batch);
  }, forgets);

  point("17. finds what has expired, and leaves the rest", async (use) => {
    const { clock, store } = use;
    if (store.store.removeExpired === undefined) return;
    for (let i = 0; i < 300; i++) {
      const exptime = i % 3 === 2 ? 0 : clock.now() + (i % 3 === 0 ? 1e6 : 1e9);
      await store.swap(bytesOf(`k${i}`), "any", itemOf("old"));
      await store.swap(bytesOf(`k${i}`), "any", itemOf(`v${i}`, { exptime }));
    }
    await store.commit();
    const before = store.store.info();
    clock.offset += 2e6;
    // What the store does in the background may find some of them before.
    assert(await store.store.removeExpired() <= 100);
    const after = store.store.info();
    assertEquals([after.items, after.reclaimed - before.reclaimed], [before.items - 100, 100]);
    assertEquals(await store.store.removeExpired(), 0);
    for (let i = 0; i < 300; i++) {
      const item = await use.get(bytesOf(`k${i}`));
      assertEquals(item && textOf(item.value), i % 3 === 0 ? undefined : `v${i}`);
    }
  });

  point(
    "14. shows each update the value that the one before has made, and its length",
    async (use) => {
      const { clock, store: { store } } = use;
      await use.store.swap(k, "any", itemOf("ab"));
      const batch = new Batch();
      const change = (item: Item | undefined) => ({
        next: { ...item!, value: bytesOf(`${textOf(item!.value)}cd`), cas: 0n },
        result: [textOf(item!.value), valueLengthOf(item!)] as const,
      });
      const longer = () => update(store, clock, k, change, batch);
      const shown = await Promise.all([longer(), longer(), longer()]);
      await store.commit(batch);
      await use.store.commit();
      assertEquals(
        shown.map(({ result }) => result).toSorted(([, a], [, b]) => a - b),
        [["ab", 2], ["abcd", 4], ["abcdcd", 6]],
      );
    },
  );

  point("15. says whether it keeps the order of changes that are not waited for", async (use) => {
    assertEquals(use.store.store.ordered ?? false, particulars.ordered ?? false);
    assert(!use.store.store.ordered || use.store.store.update !== undefined);
    await use.store.commit();
  });

  const unordered = particulars.ordered ? undefined : "it does not say that it is ordered";

  point("15. does what is made together with one key in its order", async (use) => {
    const { store } = use;
    const append = (more: string) =>
      store.update(k, (item) => ({
        next: item && itemOf(`${textOf(item.value)}${more}`),
        result: undefined,
      }));
    const settled: number[] = [];
    const together = [
      store.swap(k, "any", itemOf("a")),
      append("b"),
      store.swap(k, "absent", itemOf("no")),
      append("c"),
      store.swap(k, "any", null),
      store.swap(k, "any", null),
      append("lost"),
      store.swap(k, { cas: 1n }, itemOf("no")),
      store.swap(k, "absent", itemOf("d")),
      append("e"),
      store.swap(k, "any", itemOf("f")),
      append("g"),
    ].map(async (made, i) => {
      const done = await made;
      const result = typeof done === "object" ? done.cas : done;
      settled.push(i);
      return typeof result === "bigint" && result !== 0n ? "stored" : result;
    });
    assertEquals(
      await Promise.all(together),
      // deno-fmt-ignore
      ["stored", "stored", "exists", "stored", 0n, "absent", 0n, "absent", "stored", "stored", "stored", "stored"],
    );
    assertEquals(settled, together.map((_, i) => i));
    assertEquals(textOf((await use.get())!.value), "fg");
  }, unordered);

  point("15. does hundreds of changes of many keys in each key's order", async (use) => {
    const { store } = use;
    const keys = ["a", "b", "c"].map(bytesOf);
    await Promise.all(keys.map((key) => store.swap(key, "any", itemOf(""))));
    const numbers = Array.from({ length: 200 }, (_, i) => `${i} `);
    const made: Promise<unknown>[] = [];
    for (const [i, number] of numbers.entries()) {
      for (const key of keys) {
        made.push(
          store.update(key, (item) => ({
            next: itemOf(`${textOf(item!.value)}${number}`),
            result: undefined,
          })) as Promise<unknown>,
        );
      }
      // Some come while others are under way.
      if (i % 40 === 39) await made[made.length - 100];
    }
    await Promise.all(made);
    for (const key of keys) assertEquals(textOf((await use.get(key))!.value), numbers.join(""));
  }, unordered);

  point("5. and 10. is one store to two servers", async (use) => {
    const one = use.store;
    const two = await use.second();
    const first = await one.swap(k, "any", itemOf("1")) as bigint;
    await one.commit();
    assertEquals((await two.read(k))?.value, bytesOf("1"));
    assertEquals(await two.swap(k, "absent", itemOf("no")), "exists");
    const second = await two.swap(k, { cas: first }, itemOf("2")) as bigint;
    await two.commit();
    assertEquals(await one.swap(k, { cas: first }, itemOf("no")), "exists");
    assertEquals((await one.read(k))?.cas, second);
    const results = await Promise.all(
      [one, two, one, two].map(async (store) =>
        await store.swap(bytesOf("race"), "absent", itemOf("v"))
      ),
    );
    assertEquals(results.filter((result) => typeof result === "bigint").length, 1);
    await one.flush(use.clock.now());
    await one.commit();
    assertEquals(await one.read(k), undefined);
    await new Promise((resolve) => setTimeout(resolve, particulars.flushSeen ?? 0));
    assertEquals(await two.read(k), undefined);
  }, particulars.single);
}
