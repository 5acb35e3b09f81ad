/**
 * Several clients over rings and a shelf, on a file system that fails writes and loses power: every answer is
 * explained by one order of all calls, and what was answered is there after the cut. `KVS_FAULT_RUNS` sets how many
 * seeds are run, `KVS_FAULT_SEED` the first.
 */

import { assertEquals } from "@std/assert";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { systemClock } from "../../../lib/clock.ts";
import { StoreError } from "../../../lib/errors.ts";
import { Batch } from "../../../lib/storage/contract.ts";
import { openDiskStore } from "../../../lib/storage/disk/mod.ts";
import type { RemoteStore } from "../../../lib/storage/shared/remote_store.ts";
import { type Event, type State, unexplained } from "../../linearizable.ts";
import { itemOf } from "../contract.ts";
import { FaultyFiles, Random } from "../disk/faulty_files.ts";
import { between } from "./one_thread.ts";

const RUNS = Number(Deno.env.get("KVS_FAULT_RUNS") ?? 60);
const FIRST = Number(Deno.env.get("KVS_FAULT_SEED") ?? 1);
const KEYS = Array.from({ length: 4 }, (_, i) => `key${i}`);
const CLIENTS = 4;

/** A call, noted when it is made, with its end when that comes. */
type Noted = { -readonly [Name in keyof Event]: Event[Name] };

class World {
  readonly random: Random;
  readonly files: FaultyFiles;
  readonly isAlways: boolean;
  store!: RemoteStore;
  /** What each key held when this life began, and what was done since. */
  initial = new Map<string, State>();
  events = new Map<string, Noted[]>();
  ticks = 0;
  written = 0;
  isOver = false;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.files = new FaultyFiles(this.random);
    this.isAlways = this.random.chance(0.7);
  }

  async open(): Promise<void> {
    const behind = await openDiskStore({
      directory: "d",
      files: this.files.mount(),
      clock: systemClock,
      fsync: this.isAlways ? "always" : "everysec",
      log: () => {},
      memoryLimit: this.random.of([0, 1 << 18]),
      segmentBytes: this.random.of([512, 4096]),
    });
    this.store = between(behind, systemClock, {
      shelf: this.random.of([0, 1 << 17]),
      ring: this.random.of([1 << 10, 1 << 14]),
    }).store;
  }

  /** Makes a call. One that fails may have been made or not. */
  async note(
    key: string,
    name: string,
    call: () => Promise<Event["apply"]>,
    unanswered: Event["apply"],
  ): Promise<void> {
    const event: Noted = { name, called: ++this.ticks, returned: Infinity, apply: unanswered };
    this.events.getOrInsertComputed(key, () => []).push(event);
    try {
      const apply = await call();
      if (this.isOver) return;
      event.apply = apply;
      event.returned = ++this.ticks;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }

  /** One client, one call after the other. */
  async client(store: RemoteStore, calls: number): Promise<void> {
    const { random } = this;
    const batch = new Batch(1);
    for (; calls > 0 && !this.isOver; calls--) {
      const key = random.of(KEYS);
      const bytes = bytesOf(key);
      if (random.chance(0.5)) {
        await this.note(key, `read ${key}`, async () => await this.seen(store, key), (state) => ({
          next: state,
        }));
      } else if (random.chance(0.25)) {
        await this.note(key, `delete ${key}`, async () => {
          const swapped = await store.swap(bytes, "any", null, batch);
          return (state) =>
            (state === undefined) === (swapped === "absent") ? { next: undefined } : "impossible";
        }, () => ({ next: undefined }));
      } else {
        const text = `${++this.written}`;
        const item = itemOf(text.padEnd(random.below(100)));
        await this.note(key, `${key} = ${text}`, async () => {
          await store.swap(bytes, "any", item, batch);
          return () => ({ next: text });
        }, () => ({ next: text }));
      }
    }
  }

  async seen(store: RemoteStore, key: string): Promise<Event["apply"]> {
    const item = await store.read(bytesOf(key), new Batch(1));
    const text = item && binaryString(item.value).trimEnd();
    return (state) => state === text ? { next: state } : "impossible";
  }

  async life(): Promise<void> {
    const { random, files } = this;
    const likely = random.of([0, 0, 0.01]);
    files.fault = (operation, path) =>
      operation === "write" && path.endsWith(".log") && random.chance(likely)
        ? random.of(["EIO", "short"])
        : undefined;
    this.isOver = false;
    const { store } = this;
    const calls = random.below(60);
    const clients = Array.from({ length: CLIENTS }, () => this.client(store, calls));
    const end = random.below(200);
    // Some are cut off while they wait.
    const cut = (async () => {
      for (let turns = 0; turns < end; turns++) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await Promise.race([Promise.all(clients), cut]);
    files.fault = () => undefined;
    this.isOver = true;
    files.powerCut(!this.isAlways);
    await store.close().catch(() => {});
    files.powerCut(true);
    await this.open();
    await this.check();
  }

  /** Reads all keys, and looks whether that and all before it is explained. */
  async check(): Promise<void> {
    for (const key of KEYS) {
      const item = await this.store.read(bytesOf(key), new Batch(1), true);
      const text = item && binaryString(item.value).trimEnd();
      const events = this.events.get(key) ?? [];
      events.push({
        name: `${key} after the cut is ${text}`,
        called: ++this.ticks,
        returned: ++this.ticks,
        apply: (state) => state === text ? { next: state } : "impossible",
      });
      assertEquals(unexplained(events, this.initial.get(key)), undefined);
      this.initial.set(key, text);
    }
    this.events = new Map();
  }

  async go(): Promise<void> {
    await this.open();
    for (let lives = 1 + this.random.below(3); lives > 0; lives--) await this.life();
    await this.store.close();
  }
}

Deno.test(`${RUNS} seeded lives of clients of a shared store lose nothing that was answered`, async () => {
  for (let seed = FIRST; seed < FIRST + RUNS; seed++) {
    try {
      await new World(seed).go();
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
});
