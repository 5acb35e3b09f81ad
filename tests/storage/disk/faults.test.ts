/**
 * Random work on a store whose file system fails and loses power, against a model that knows every
 * state the store has passed through. `KVS_FAULT_RUNS` sets how many seeds are run, `KVS_FAULT_SEED`
 * the first.
 */

import { assert, assertEquals } from "@std/assert";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { ExitError, StoreError } from "../../../lib/errors.ts";
import { type Fsync, openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { LONG } from "../../../lib/storage/disk/format/record.ts";
import { isExpired, type Item, plain } from "../../../lib/storage/contract.ts";
import { FaultyFiles, Random } from "./faulty_files.ts";
import { type Caller, callerOf } from "../caller.ts";

const RUNS = Number(Deno.env.get("KVS_FAULT_RUNS") ?? 300);
const FIRST = Number(Deno.env.get("KVS_FAULT_SEED") ?? 1);
/** What compaction says where it has missed a record. */
const MOVED = "what is alive and whole was moved";
const KEYS = Array.from({ length: 24 }, (_, i) => `key${i}`);

interface Entry {
  readonly text: string;
  readonly exptime: number;
}
/** A state of all keys, and the moment of a pending flush. */
interface State {
  readonly items: ReadonlyMap<string, Entry>;
  readonly flushAt: number;
  /** What went for others, and is there again where what it was in has not yet gone. */
  readonly evicted: ReadonlyMap<string, Entry>;
}

/** What can be seen of a state at a moment. */
function seen(state: State, now: number): Map<string, string> {
  const visible = new Map<string, string>();
  if (state.flushAt !== 0 && state.flushAt <= now) return visible;
  for (const [key, entry] of state.items) if (!isExpired(entry, now)) visible.set(key, entry.text);
  return visible;
}

function textOf(item: Item): string {
  return `${shown(item.value)}#${item.flags}#${item.cas}#${item.exptime}`;
}

/** What tells a value from others. */
function shown(value: Uint8Array): string {
  return `${binaryString(value.subarray(0, 40))}#${value.length}#${value.at(-1)}`;
}

class Run {
  readonly random: Random;
  readonly files: FaultyFiles;
  readonly fsync: Fsync;
  readonly clock = { time: 1_800_000_000_000, now: () => this.clock.time };
  store!: Caller;
  /** Every state since the start, and the first of them that can be what a power cut leaves. */
  states: State[] = [{ items: new Map(), flushAt: 0, evicted: new Map() }];
  /** The last state before each key went for others. */
  wentAfter = new Map<string, number>();
  durable = 0;
  /** The state after a write that failed and could not be cut off. */
  uncut = -1;
  /** Whether there may be bytes that could not be cut off, in this life or in one before. */
  hasLeftovers = false;
  /** What goes wrong in this life. */
  faults = "none";
  /** Bytes that the directory may take, and whether the oldest items go then. */
  readonly maxDisk: number;
  readonly evicts: boolean;
  readonly keys: readonly string[];
  /** The state before what is not yet committed. */
  committed = 0;
  uniques = new Map<string, Set<bigint>>();
  writes = 0;
  said: string[] = [];

  constructor(readonly seed: number) {
    this.random = new Random(seed);
    this.files = new FaultyFiles(this.random);
    this.files.isFast = seed % 3 === 0;
    this.fsync = this.random.of(["always", "always", "everysec", "no"] as const);
    this.maxDisk = this.random.of([0, 0, 0, 1 << 16]);
    this.evicts = this.random.chance(0.7);
    this.keys = this.maxDisk === 0 ? KEYS.slice(0, 12) : KEYS;
  }

  get state(): State {
    return this.states[this.states.length - 1];
  }

  push(change: (items: Map<string, Entry>) => void, flushAt = this.state.flushAt): void {
    const items = new Map(this.state.items);
    change(items);
    const evicted = new Map([...this.state.evicted].filter(([key]) => !items.has(key)));
    this.states.push({ items, flushAt, evicted });
  }

  /** Another state: this key is no more, nor is what has gone for others of it. */
  delete(key: string): void {
    this.push((items) => items.delete(key));
    const { items, flushAt, evicted } = this.states.pop()!;
    const left = new Map(evicted);
    left.delete(key);
    this.states.push({ items, flushAt, evicted: left });
  }

  /** Another state: what the store has told of has gone for others. */
  evict(key: string): void {
    const { items, flushAt, evicted } = this.state;
    // What was deleted is there again, and goes, where the delete is lost and nobody has been told yet.
    const entry = items.get(key) ??
      this.states.findLast(({ items }) => items.has(key))?.items.get(key);
    if (entry === undefined) return;
    this.wentAfter.set(key, this.states.length - 1);
    const left = new Map(items);
    left.delete(key);
    this.states.push({ items: left, flushAt, evicted: new Map(evicted).set(key, entry) });
  }

  /** Whether what was found is what a state looks like, with what has gone from it for others or is there again. */
  isSeen(number: number, found: ReadonlyMap<string, string>): boolean {
    const state = this.states[number];
    const visible = seen(state, this.clock.time);
    const again = seen({ ...state, items: state.evicted }, this.clock.time);
    return [...visible].every(([key, text]) =>
      found.get(key) === text || !found.has(key) && number <= (this.wentAfter.get(key) ?? -1)
    ) && [...found].every(([key, text]) => (visible.get(key) ?? again.get(key)) === text);
  }

  /** The last state from one on that looks as what was found. */
  lastSeen(from: number, found: ReadonlyMap<string, string>): State | undefined {
    for (let number = this.states.length - 1; number >= from; number--) {
      if (!this.isSeen(number, found)) continue;
      const state = this.states[number];
      const items = new Map(
        [...state.evicted, ...state.items].filter(([key, entry]) =>
          found.has(key) || isExpired(entry, this.clock.time)
        ),
      );
      return { ...state, items };
    }
  }

  async open(): Promise<void> {
    this.store = await callerOf(openDiskStore({
      directory: "d",
      files: this.files.mount(),
      clock: this.clock,
      fsync: this.fsync,
      log: (line) => this.said.push(line),
      memoryLimit: this.random.of([0, 1 << 18, 1 << 21]),
      segmentBytes: this.random.of([512, 2048, 8192]),
      imageItems: this.random.of([0, 1e9, 1e9, 1e9, 1e9]),
      amendFrom: this.random.of([0, 0, 100]),
      placeCost: this.random.of([0, 0, 1e9]),
      maxDisk: this.maxDisk,
      evict: this.evicts,
      onEvicted: ({ key }) => this.evict(binaryString(key)),
    }));
  }

  /** Reads everything, and finds the states that look so. */
  async recover(): Promise<void> {
    const found = await this.visible();
    const there = this.lastSeen(this.durable, found);
    const explain = () =>
      JSON.stringify({
        fsync: this.fsync,
        now: this.clock.time,
        found: [...found],
        durable: [...seen(this.states[this.durable], this.clock.time)],
        last: [...seen(this.state, this.clock.time)],
        said: this.said,
      });
    assert(there !== undefined, `seed ${this.seed}: a state that never was: ${explain()}`);
    let listed = 0;
    for await (const group of this.store.scan()) listed += group.length;
    assertEquals(listed, found.size, `seed ${this.seed}: the listing`);
    // Which pending flush survived cannot be seen: so another takes its place.
    const flushAt = this.clock.time + 1e9;
    await this.store.flush(flushAt);
    const alive = [...there.items].filter(([key]) => found.has(key));
    this.states = [{ items: new Map(alive), flushAt, evicted: there.evicted }];
    this.wentAfter.clear();
    this.durable = this.committed = 0;
    await this.store.close();
    await this.open();
  }

  /** The log takes no more than it may; what a write has left that could not be cut off is another matter. */
  checkRoom(): void {
    this.hasLeftovers ||= this.faults === "truncate";
    if (this.maxDisk === 0 || this.hasLeftovers) return;
    let bytes = 0;
    for (const name of this.files.list("d")) {
      if (/^\d+\./.test(name)) bytes += this.files.content(`d/${name}`).length;
    }
    assert(
      bytes <= this.maxDisk,
      `seed ${this.seed}: ${bytes} of ${this.maxDisk} bytes, ${this.faults}`,
    );
  }

  async commit(): Promise<void> {
    this.checkRoom();
    try {
      await this.store.commit();
      this.committed = this.states.length - 1;
      // Refused bytes that could not even be cut off may come back until something is written.
      if (this.fsync === "always" && this.committed !== this.uncut) this.durable = this.committed;
    } catch (error) {
      assert(error instanceof StoreError, `seed ${this.seed}: ${error}`);
      await this.rolledBack();
    }
  }

  /** After a failed commit the last swaps of the batch, as many as were lost, have not been. */
  async rolledBack(): Promise<void> {
    if (this.failed()) return;
    const { fault } = this.files;
    this.files.fault = () => undefined;
    const found = await this.visible();
    this.files.fault = fault;
    const left = this.lastSeen(this.committed, found);
    assert(left !== undefined, `seed ${this.seed}: half a batch`);
    this.states.push(left);
    this.committed = this.states.length - 1;
    if (this.faults === "truncate") this.uncut = this.committed;
  }

  async visible(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const key of this.keys) {
      const item = await this.store.read(bytesOf(key));
      if (item !== undefined && !isExpired(item, this.clock.time)) found.set(key, textOf(item));
    }
    return found;
  }

  failed(): boolean {
    return this.store.info().own.some(([name, value]) => name === "state" && value === "failed");
  }

  /** Compares all keys with the last state. */
  async check(): Promise<void> {
    for (const key of this.keys) {
      let item: Item | undefined;
      try {
        item = await this.store.read(bytesOf(key));
      } catch (error) {
        assert(error instanceof StoreError, `seed ${this.seed}: ${error}`);
        continue;
      }
      const text = item === undefined || isExpired(item, this.clock.time)
        ? undefined
        : textOf(item);
      const { items, evicted } = this.state;
      const again = evicted.get(key);
      if (text !== undefined && !items.has(key) && text === again?.text) {
        this.push((items) => items.set(key, again));
      }
      assertEquals(text, seen(this.state, this.clock.time).get(key), `seed ${this.seed}: ${key}`);
    }
  }

  async write(): Promise<void> {
    const { random, store, clock } = this;
    // What compaction failed to write out with its own bytes was of this batch.
    if (store.loss !== undefined) await this.commit();
    const key = random.of(this.keys);
    // Known when the store has answered: it may have gone for others before.
    const isThere = () => seen(this.state, clock.time).has(key);
    try {
      if (random.chance(0.2)) {
        const result = await store.swap(bytesOf(key), "any", null);
        // Of what cannot be read nobody knows whether it had expired: it is deleted.
        const unseen = this.faults === "read" && result === 0n;
        const there = isThere() || result === 0n && this.state.evicted.has(key);
        assert(unseen || result === (there ? 0n : "absent"), `seed ${this.seed}: delete ${key}`);
        if (result === 0n) this.delete(key);
        return;
      }
      if (random.chance(0.25)) return await this.touch(key);
      const isLimited = this.maxDisk > 0;
      const size = random.chance(isLimited ? 0.8 : 0.05) ? random.below(5000) : random.below(120);
      // Some are written from memory of their own.
      const value = `${++this.writes}`.padEnd(
        random.chance(0.02) ? LONG - 100 + random.below(200) : size,
        String.fromCharCode(97 + this.writes % 26),
      );
      const flags = random.below(2 ** 32);
      const exptime = random.chance(0.3) ? clock.time + random.below(40_000) - 2000 : 0;
      const next = {
        ...plain,
        value: bytesOf(value),
        flags,
        exptime,
      };
      const absent = random.chance(0.2);
      const cas = await store.swap(bytesOf(key), absent ? "absent" : "any", next);
      if (absent && isThere()) {
        assertEquals(cas, "exists", `seed ${this.seed}: add ${key}`);
        return;
      }
      if (cas === "exists" && this.state.evicted.has(key)) return;
      assert(typeof cas === "bigint", `seed ${this.seed}: set ${key}: ${cas}`);
      const uniques = this.uniques.get(key) ?? new Set();
      assert(!uniques.has(cas), `seed ${this.seed}: the unique ${cas} came again`);
      this.uniques.set(key, uniques.add(cas));
      const text = `${shown(bytesOf(value))}#${flags}#${cas}#${exptime < 0 ? 1 : exptime}`;
      this.push((items) => items.set(key, { text, exptime }));
    } catch (error) {
      assert(error instanceof StoreError, `seed ${this.seed}: ${(error as Error).stack}`);
      // What of the batch is left, the commit tells.
      await this.commit();
    }
  }

  /** Gives an item other attributes, which does not write its value again. */
  async touch(key: string): Promise<void> {
    const { random, store, clock } = this;
    const item = await store.read(bytesOf(key));
    if (item === undefined || isExpired(item, clock.time)) return;
    const exptime = random.chance(0.5) ? clock.time + 1 + random.below(40_000) : 0;
    const next = { ...item, exptime, flags: random.below(2 ** 32) };
    const text = textOf(next);
    const cas = await store.swap(bytesOf(key), item, next);
    if (cas === "absent" && !this.state.items.has(key)) return;
    assertEquals(cas, item.cas, `seed ${this.seed}: touch ${key}`);
    this.push((items) => items.set(key, { text, exptime }));
  }

  async flush(): Promise<void> {
    // Nothing of another batch is lost with a flush that fails.
    await this.commit();
    if (this.failed()) return;
    const later = this.random.chance(0.6);
    const at = later ? this.clock.time + 1 + this.random.below(60_000) : this.clock.time;
    try {
      await this.store.flush(at);
      this.pushFlush(later, at);
    } catch (error) {
      assert(error instanceof StoreError, `seed ${this.seed}: ${error}`);
      // Until it is cut off on the medium too, what was refused may come into force after a power cut.
      const before = this.state;
      this.pushFlush(later, at);
      this.states.push(before);
      await this.rolledBack();
    }
    await this.commit();
  }

  pushFlush(later: boolean, at: number): void {
    if (later) this.push(() => {}, at);
    else this.clear();
  }

  /** All is gone by a flush. */
  clear(): void {
    this.states.push({ items: new Map(), flushAt: 0, evicted: new Map() });
  }

  /** A pending flush whose moment has come is a state of its own. */
  pass(): void {
    const { flushAt } = this.state;
    if (flushAt !== 0 && flushAt <= this.clock.time) this.clear();
  }

  async go(): Promise<void> {
    const { random, files } = this;
    await this.open();
    const cuts = 1 + random.below(4);
    for (let cut = 0; cut < cuts; cut++) {
      this.uncut = -1;
      const faults = this.faults = random.of([
        "none",
        "none",
        "write",
        "short",
        "read",
        "sync",
        "truncate",
        "full",
      ]);
      const likely = random.of([0.02, 0.1, 0.4]);
      const steps = 10 + random.below(120);
      files.fault = (operation, path) => {
        if (faults === "short" && operation === "write" && random.chance(likely)) return "short";
        if (operation === "truncate" && faults === "truncate") return "EIO";
        const asked = faults === "truncate" ? "write" : faults;
        if (operation !== asked || path.includes("MANIFEST")) return undefined;
        return random.chance(likely) ? random.of(["EIO", "ENOSPC"]) : undefined;
      };
      for (let step = 0; step < steps; step++) {
        if (faults === "full" && random.chance(0.1)) {
          files.capacity = random.chance(0.4) ? Infinity : files.used() + random.below(6000);
        }
        const dice = random.below(20);
        if (dice < 11) await this.write();
        else if (dice < 14) await this.commit();
        else if (dice < 15 && random.chance(0.3)) await this.flush();
        else if (dice < 16) {
          await this.commit();
          this.clock.time += random.below(5000);
          this.pass();
        } else if (dice < 18) {
          await this.commit();
          if (!this.failed()) await this.check();
        } else await new Promise((resolve) => setTimeout(resolve, random.below(2)));
        // Whether what was lost was the last state or the one before is known after the next start.
        if (this.failed()) break;
      }
      const missed = this.said.filter((line) => line.includes(MOVED));
      assertEquals(missed, [], `seed ${this.seed}`);
      files.fault = () => undefined;
      files.capacity = Infinity;
      const end = random.below(6);
      if (end === 0) {
        if (!this.failed()) await this.commit();
        await this.store.close().then(
          () => this.durable = this.states.length - 1,
          () => {},
        );
      } else {
        if (end === 1) {
          if (!this.failed()) await this.commit();
          if (!this.failed() && this.committed !== this.uncut) this.durable = this.committed;
        }
        files.powerCut(end === 1);
        await this.store.close().catch(() => {});
      }
      if (random.chance(0.3)) this.clock.time += random.below(30_000);
      try {
        await this.open();
        await this.recover();
      } catch (error) {
        if (error instanceof ExitError) {
          throw new Error(`seed ${this.seed}: ${error.message}`, { cause: error });
        }
        throw error;
      }
      this.pass();
    }
    await this.store.close();
    assertEquals(files.contested, [], `seed ${this.seed}: names that two had`);
  }
}

Deno.test(`${RUNS} seeded lives of faults and power cuts end in states that really were`, async () => {
  let seed = FIRST;
  // Most of a life is waiting: many are lived at a time.
  await Promise.all(Array.from({ length: 64 }, async () => {
    while (seed < FIRST + RUNS) {
      const mine = seed++;
      try {
        await new Run(mine).go();
      } catch (error) {
        throw new Error(`seed ${mine}: ${(error as Error).message}`, { cause: error });
      }
    }
  }));
});
