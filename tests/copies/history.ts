/**
 * A directory with its copies, from a seed: writes, rounds, retention, kills at any moment, disks thrown
 * away; and a model that knows every state there was.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { binaryString, bytesOf } from "../../lib/bytes.ts";
import { StoreError } from "../../lib/errors.ts";
import { Copier, CopyError } from "../../lib/copies/copier.ts";
import { behindPlace, ownOfMoment } from "../../lib/copies/place.ts";
import type { CopyClock } from "../../lib/copies/copy_clock.ts";
import { type Destination, DestinationError } from "../../lib/copies/destination.ts";
import type { CopyManifest } from "../../lib/copies/manifest.ts";
import { momentsOf, readManifest } from "../../lib/copies/moments.ts";
import { pieceName } from "../../lib/copies/names.ts";
import { finishRestore, restoreMoment } from "../../lib/copies/restore.ts";
import { chooseMoment } from "../../lib/copies/choose.ts";
import { Retention } from "../../lib/copies/retention.ts";
import { readHead, Tenure } from "../../lib/copies/tenure.ts";
import type { Fsync } from "../../lib/storage/disk/mod.ts";
import { openDiskStore } from "../../lib/storage/disk/mod.ts";
import type { Moment } from "../../lib/storage/moment.ts";
import { type Caller, callerOf } from "../storage/caller.ts";
import { itemOf } from "../storage/contract.ts";
import { FaultyFiles, Random } from "../storage/disk/faulty_files.ts";
import { type Asked, KilledError, MemoryBucket, type Wrong } from "./memory_destination.ts";

const DIRECTORY = "d";
const HOUR = 3_600_000;
export const LEASE = 30_000;

type State = ReadonlyMap<string, string>;

/** A clock that moves when somebody sleeps. */
export class TestClock implements CopyClock {
  time = 1_790_000_000_000;

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await new Promise((resolve) => setImmediate(resolve));
    this.time += milliseconds;
  }
}

/** A destination whose process may die, and where several have one. */
type Mortal = Destination & { killed: boolean };
interface MortalBucket {
  open(wrong?: (asked: Asked, name: string) => Wrong): Mortal;
}

/** What a process has of its copies. */
interface Process {
  readonly destination: Mortal;
  copier: Copier;
  retention: Retention;
  tenure: Tenure;
}

/** One history. */
export class History {
  readonly random: Random;
  readonly clock = new TestClock();
  readonly retention: number;
  readonly fsync: Fsync;
  files: FaultyFiles;
  store: Caller | undefined;
  process: Process | undefined;
  /** By the number of the change that came last: the states there were, and those of half a change after them. */
  readonly states = new Map<number, State>([[0, new Map()]]);
  readonly halves = new Map<number, State[]>();
  readonly uniques = new Set<bigint>();
  state: State = new Map();
  /** The last change, and the last that was acknowledged and is on the medium. */
  last = 0;
  changes = 0;
  durable = 0;
  /** Of each manifest, the change that it must have at least. */
  readonly least = new Map<number, number>();
  moments = 0;
  kills = 0;

  constructor(readonly seed: number, readonly bucket: MortalBucket = new MemoryBucket()) {
    this.random = new Random(seed);
    this.files = new FaultyFiles(this.random);
    this.fsync = this.random.of(["always", "always", "everysec", "no"] as const);
    this.retention = this.random.of([2 * HOUR, 24 * HOUR]);
  }

  /** Runs it to its end. */
  async run(steps: number): Promise<void> {
    await this.open();
    for (let step = 0; step < steps; step++) {
      try {
        await this.step();
      } catch (error) {
        if (!this.isOfKill(error)) throw error;
        await this.restart();
      }
    }
    this.disarm();
    await this.copyWhole();
    await this.checkAll();
    await this.checkClean();
    await this.store?.close();
  }

  async step(): Promise<void> {
    const { random } = this;
    this.clock.time += 1000;
    const what = random.below(100);
    if (random.chance(0.15)) this.arm();
    if (what < 55) await this.write(1 + random.below(30));
    else if (what < 80) await this.round();
    else if (what < 86) await this.retain();
    else if (what < 90) this.clock.time += random.of([1000, HOUR, 6 * HOUR]);
    else if (what < 94) {
      this.kill();
      await this.restart();
    } else if (what < 96) await this.throwAway(false);
    else if (what < 97) await this.throwAway(true);
    else await this.checkOne();
    this.disarm();
  }

  /** Lets the process die somewhere in what it does next, or its destination fail. */
  arm(): void {
    const { random } = this;
    let left = random.below(25);
    const by = random.below(3);
    if (by === 0) {
      this.files.fault = () => {
        if (left-- !== 0) return undefined;
        this.kill();
        return "EIO";
      };
      return;
    }
    const faults = random.chance(0.5);
    this.wrong = () => {
      if (faults) return random.of(["lost", "refused", undefined, undefined, undefined] as const);
      if (left-- !== 0) return undefined;
      this.kill();
      return random.chance(0.5) ? "lost" : undefined;
    };
  }

  /** Whether the process was killed, and there is no other yet. */
  isDead = false;
  wrong: () => "lost" | "refused" | undefined = () => undefined;

  disarm(): void {
    this.files.fault = () => undefined;
    this.wrong = () => undefined;
  }

  kill(): void {
    this.kills++;
    this.isDead = true;
    if (this.process !== undefined) this.process.destination.killed = true;
    this.files.powerCut(this.random.chance(0.4));
    this.files.fault = () => undefined;
  }

  /** Whether an error is what a dead process sees. */
  isOfKill(error: unknown): boolean {
    return error instanceof KilledError || this.isDead && error instanceof Error &&
        (/EIO/.test(String(error)) || /EIO/.test(String((error as { code?: string }).code)) ||
          error instanceof StoreError);
  }

  /** Another process on what is there. */
  async restart(): Promise<void> {
    this.disarm();
    // What the dead process still does it does in vain.
    this.store?.close().catch(() => {});
    await this.open();
    const found = await stateOf(this.store!);
    this.adopt(found, "after a kill");
  }

  /** Goes on from a state that was found. */
  adopt(found: State, when: string): void {
    this.last = this.assertWas(found, when);
    assert(this.last >= this.durable, `seed ${this.seed}: ${when}: ${this.durable} was durable`);
    // It may be one with half a change: then both are states that were.
    this.state = new Map(found);
    this.halves.set(this.last, [...this.halves.get(this.last) ?? [], this.state]);
    this.durable = this.last;
  }

  async open(): Promise<void> {
    this.process = undefined;
    this.isDead = false;
    this.store = await callerOf(openDiskStore({
      directory: DIRECTORY,
      files: this.files.mount(),
      clock: this.clock,
      fsync: this.fsync,
      log: () => {},
      memoryLimit: 0,
      segmentBytes: this.random.of([1024, 4096, 16384]),
    }));
  }

  /** Takes the head and begins to copy, if that is not done. */
  async copies(): Promise<Process> {
    if (this.isDead) throw new KilledError();
    if (this.process !== undefined) return this.process;
    const destination = this.bucket.open(() => this.wrong());
    const files = this.files.mount();
    const moment = (whole: boolean) => this.moment(whole);
    const now = await moment(false);
    const { clock } = this;
    this.process = { destination } as Process;
    try {
      const tenure = await Tenure.take({
        ...{ place: destination, destination, files, directory: DIRECTORY, clock },
        lease: LEASE,
        by: "test",
        behind: (place) => behindPlace(files, DIRECTORY, now, place),
      }, await ownOfMoment(files, DIRECTORY, now));
      const held = this.random.of([0, 1 << 14, 1 << 30]);
      const copier = await Copier.begin(
        { destination, files, directory: DIRECTORY, clock, moment, held },
        tenure,
      );
      const retention = new Retention(
        { destination, retention: this.retention },
        tenure,
      );
      return this.process = { destination, copier, retention, tenure };
    } catch (error) {
      if (!destination.killed) this.process = undefined;
      throw error;
    }
  }

  async moment(whole: boolean): Promise<Moment> {
    const { durable } = this;
    const moment = await this.store!.store.moment!(whole);
    this.leastNow = durable;
    return { ...moment, time: this.clock.time };
  }

  leastNow = 0;

  async write(count: number): Promise<void> {
    const { random } = this;
    const store = this.store!;
    for (let i = 0; i < count; i++) {
      const key = `key${random.below(20)}`;
      const next = new Map(this.state);
      if (random.chance(0.02)) {
        next.clear();
        await store.flush(this.clock.time);
      } else if (random.chance(0.2)) {
        next.delete(key);
        await store.swap(bytesOf(key), "any", null);
      } else {
        const text = `${this.changes}`.padEnd(random.of([10, 100, 1500]), ".");
        next.set(key, text);
        this.given(await store.swap(bytesOf(key), "any", itemOf(text)));
      }
      const half = new Map(next);
      const number = ++this.changes;
      next.set("n", String(number));
      this.halves.set(this.last, [...this.halves.get(this.last) ?? [], half]);
      this.states.set(number, next);
      this.state = next;
      this.last = number;
      this.given(await store.swap(bytesOf("n"), "any", itemOf(String(number))));
    }
    await store.commit();
    if (this.fsync === "always") this.durable = this.last;
  }

  /** Notes a cas unique, which must be new. */
  given(unique: unknown): void {
    assert(typeof unique === "bigint", String(unique));
    assert(!this.uniques.has(unique), `seed ${this.seed}: the unique ${unique} comes twice`);
    this.uniques.add(unique);
  }

  /** Copies; what the destination refuses is no error. */
  async round(): Promise<CopyManifest | undefined> {
    try {
      const { copier } = await this.copies();
      const { manifest } = await copier.round(this.random.chance(0.3));
      if (manifest === undefined) return undefined;
      this.moments++;
      this.least.set(manifest.number, this.leastNow);
      return manifest;
    } catch (error) {
      if (!(error instanceof DestinationError) && !(error instanceof CopyError)) throw error;
      assert(!(error instanceof CopyError), `seed ${this.seed}: ${error}`);
      assert((error as DestinationError).retry, `seed ${this.seed}: ${error}`);
    }
  }

  async retain(): Promise<void> {
    try {
      const { retention, tenure } = await this.copies();
      await tenure.replace({});
      while (await retention.step()) await tenure.replace({});
    } catch (error) {
      if (!(error instanceof DestinationError)) throw error;
    }
  }

  /** The disk is gone: what was copied goes on, perhaps from an earlier moment. */
  async throwAway(earlier: boolean): Promise<void> {
    if ((await readHead(this.bucket.open()))?.head.last === undefined) return;
    this.disarm();
    await this.store?.close().catch(() => {});
    if (this.process !== undefined) this.process.destination.killed = true;
    const destination = this.bucket.open();
    let at: number | undefined;
    if (earlier) {
      const { head } = (await readHead(destination))!;
      const moments = await Array.fromAsync(momentsOf(destination, head));
      at = this.random.of(moments).time;
    }
    const chosen = await chooseMoment(destination, destination, at);
    this.files = new FaultyFiles(this.random);
    const options = {
      ...{ destination, place: destination, directory: DIRECTORY, clock: this.clock },
      files: this.files.mount(),
    };
    await restoreMoment(options, chosen);
    await finishRestore(options, chosen);
    await this.open();
    const found = await stateOf(this.store!);
    this.durable = 0;
    this.adopt(found, "after a restore");
    if (!earlier) {
      const least = this.least.get(chosen.manifest.number) ?? 0;
      assert(
        this.last >= least,
        `seed ${this.seed}: ${this.last} was restored, ${least} was durable`,
      );
    }
  }

  /** Copies all there is, without faults. */
  async copyWhole(): Promise<void> {
    for (;;) {
      try {
        const { copier, tenure } = await this.copies();
        await copier.round(true);
        await this.retain();
        await tenure.release();
        return;
      } catch (error) {
        if (!this.isOfKill(error)) throw error;
        await this.restart();
      }
    }
  }

  /** When all is past, what is there is what two moments need, and nothing else. */
  async checkClean(): Promise<void> {
    this.kill();
    await this.restart();
    for (let moment = 0; moment < 2; moment++) {
      for (let part = 0; part < 10; part++) {
        await this.write(3);
        await this.copyWhole();
      }
      this.clock.time += this.retention + 2 * HOUR;
    }
    await this.write(1);
    await this.copyWhole();
    const destination = this.bucket.open();
    const { head } = (await readHead(destination))!;
    const moments = await Array.fromAsync(momentsOf(destination, head));
    const needed = new Set(["head", ...moments.map(({ name }) => name)]);
    for (const { name } of moments) {
      for (const { pieces } of (await readManifest(destination, name))!.segments) {
        for (const piece of pieces) needed.add(pieceName(piece));
      }
    }
    const there = (await Array.fromAsync(destination.list(""))).map(({ name }) => name);
    assertEquals(there, [...needed].sort(), `seed ${this.seed}`);
    assertEquals([moments.length, head.epochs], [2, []]);
  }

  /** Restores any moment. */
  async checkOne(): Promise<void> {
    const destination = this.bucket.open();
    const found = await readHead(destination);
    if (found === undefined) return;
    const moments = await Array.fromAsync(momentsOf(destination, found.head));
    if (moments.length === 0) return;
    await this.check(this.random.of(moments).name);
  }

  /** Restores all moments; the last must be what is there. */
  async checkAll(): Promise<void> {
    const destination = this.bucket.open();
    const { head } = (await readHead(destination))!;
    const moments = await Array.fromAsync(momentsOf(destination, head));
    assert(moments.length > 0);
    let state: State = new Map();
    for (const { name } of moments) state = await this.check(name);
    assertEquals(state, this.state, `seed ${this.seed}: the last copy`);
  }

  async check(name: string): Promise<State> {
    const destination = this.bucket.open();
    const { head } = (await readHead(destination))!;
    const manifest = (await readManifest(destination, name))!;
    const files = new FaultyFiles(new Random(this.seed));
    const options = {
      destination,
      place: destination,
      directory: DIRECTORY,
      files: files.mount(),
      clock: this.clock,
    };
    await restoreMoment(options, { head, manifest });
    await finishRestore(options, { head, manifest });
    const store = await callerOf(openDiskStore({
      ...{ directory: DIRECTORY, files: files.mount(), clock: this.clock, memoryLimit: 0 },
      fsync: "no",
      log: () => {},
    }));
    const found = await stateOf(store);
    await store.close();
    const number = this.assertWas(found, name);
    const least = this.least.get(manifest.number);
    assert(
      number >= (least ?? 0),
      `seed ${this.seed}: ${name} has ${number}, ${least} was durable`,
    );
    return found;
  }

  /** The number of the last change of a state, which must be one that was. */
  assertWas(found: State, what: string): number {
    const told = found.get("n");
    // A flush takes the number with it, until the next record brings it back.
    const numbers = told === undefined ? [...this.states.keys()].reverse() : [Number(told)];
    for (const number of numbers) {
      const candidates = [this.states.get(number)!, ...this.halves.get(number) ?? []];
      if (candidates.some((state) => isSame(state, found))) return number;
    }
    throw new Error(
      `seed ${this.seed}: ${what}: a state that never was: ${JSON.stringify([...found])}`,
    );
  }
}

function isSame(a: State, b: State): boolean {
  return a.size === b.size && [...a].every(([key, text]) => b.get(key) === text);
}

/** Everything that a store has. */
export async function stateOf(store: Caller): Promise<State> {
  const keys: Uint8Array[] = [];
  for await (const group of store.scan()) keys.push(...group.map(({ key }) => key.slice()));
  const state = new Map<string, string>();
  for (const key of keys) {
    const item = await store.read(key);
    if (item !== undefined) state.set(binaryString(key), binaryString(item.value));
  }
  return new Map([...state].sort(([a], [b]) => a < b ? -1 : 1));
}
