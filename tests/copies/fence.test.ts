/**
 * Two servers on one destination, in every order of what they may do: of four steps, or more with
 * `KVS_TEST_STEPS`.
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { binaryString, bytesOf } from "../../lib/bytes.ts";
import { chooseMoment } from "../../lib/copies/choose.ts";
import { Copier } from "../../lib/copies/copier.ts";
import { behindPlace, ownOfMoment } from "../../lib/copies/place.ts";
import { PauseEnded } from "../../lib/copies/copy_clock.ts";
import { Copying } from "../../lib/copies/copying.ts";
import { DestinationError } from "../../lib/copies/destination.ts";
import { currentNumber, encodeHead } from "../../lib/copies/head.ts";
import type { CopyManifest } from "../../lib/copies/manifest.ts";
import { momentsOf, nameOfNumber, readManifest } from "../../lib/copies/moments.ts";
import { pieceName } from "../../lib/copies/names.ts";
import { copyDirectoryOnce } from "../../lib/copies/once.ts";
import { FencedError, readHead, Tenure } from "../../lib/copies/tenure.ts";
import { segmentName } from "../../lib/storage/disk/log/segment.ts";
import { repairDirectory } from "../../lib/storage/disk/mod.ts";
import type { Moment } from "../../lib/storage/moment.ts";
import { FaultyFiles, Random } from "../storage/disk/faulty_files.ts";
import { LEASE, TestClock } from "./history.ts";
import { contentOf, DIRECTORY, Machine, openStore, restored } from "./machine.ts";
import { MemoryBucket, MemoryDestination } from "./memory_destination.ts";

const STEPS = Number(Deno.env.get("KVS_TEST_STEPS") ?? 4);
const HASH_KEY = new Uint8Array(16);

/** One place, and two servers that want it. */
class Duel {
  readonly bucket = new MemoryBucket();
  readonly clock = new TestClock();
  readonly a = new Server(this, "a");
  readonly b = new Server(this, "b");
  /** What each manifest that was created has. */
  readonly wrote = new Map<string, string>();

  /** Every moment that counts has what one server had, and each goes on from the one before it. */
  async check(what: string): Promise<void> {
    const destination = this.bucket.open();
    const { head } = (await readHead(destination))!;
    let before = "";
    for await (const { name } of momentsOf(destination, head)) {
      const text = await this.textOf((await readManifest(destination, name))!);
      assertEquals(text, this.wrote.get(name), `${what}: ${name}`);
      assert(text.startsWith(before), `${what}: '${text}' does not go on from '${before}'`);
      before = text;
    }
    // Whoever copies has everything that counts.
    for (const server of [this.a, this.b]) {
      if (server.isCopying && server.epoch === head.epoch) {
        assert(server.text.startsWith(before), `${what}: ${server.name} has '${server.text}'`);
      }
    }
  }

  textOf(manifest: CopyManifest): string {
    return manifest.segments.flatMap(({ pieces }) => pieces)
      .map((piece) => binaryString(this.bucket.names.get(pieceName(piece))!.bytes)).join("");
  }
}

/** A server whose data is a text that grows. */
class Server {
  text = "";
  isCopying = false;
  isFenced = false;
  /** A copy that stands still before its head is replaced. */
  held: { readonly open: () => void; readonly done: Promise<unknown> } | undefined;
  files = new FaultyFiles(new Random(1));
  #tenure: Tenure | undefined;
  #copier: Copier | undefined;
  #destination: MemoryDestination;
  #gate: Promise<void> | undefined;

  constructor(readonly duel: Duel, readonly name: string) {
    this.#destination = this.#open();
  }

  get epoch(): number {
    return this.#tenure?.head.epoch ?? 0;
  }

  #open(): MemoryDestination {
    const destination = this.duel.bucket.open();
    const replace = destination.replace.bind(destination);
    destination.replace = async (...args) => {
      await this.#gate;
      return await replace(...args);
    };
    const create = destination.create.bind(destination);
    destination.create = (name, source) => {
      if (name.startsWith("manifests/")) this.duel.wrote.set(name, this.text);
      return create(name, source);
    };
    return destination;
  }

  moment(): Promise<Moment> {
    this.files.place(`d/${segmentName(1)}`, bytesOf(this.text));
    return Promise.resolve({
      ...{ disk: 2, hashKey: HASH_KEY, items: 0, time: this.duel.clock.time },
      position: this.text.length,
      next: this.text === "" ? 1 : 2,
      sequence: this.text.length,
      segments: this.text === "" ? [] : [[1, this.text.length, undefined]],
    });
  }

  /** Takes the head, if nobody holds it; into an empty directory what is there comes first. */
  async take(isEmpty: boolean): Promise<void> {
    const destination = this.#destination;
    const { clock } = this.duel;
    // Whoever lives says so while it is waited for.
    const other = this === this.duel.a ? this.duel.b : this.duel.a;
    const waiting = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      sleep: async (milliseconds: number) => {
        await clock.sleep(milliseconds);
        await other.beat();
      },
    };
    const { files } = this;
    const now = await this.moment();
    try {
      this.#tenure = await Tenure.take({
        ...{ place: destination, destination, files, directory: "d", clock: waiting, isEmpty },
        ...{ lease: LEASE, by: this.name, isImpatient: true },
        behind: (place) => behindPlace(files, "d", now, place),
      }, isEmpty ? undefined : await ownOfMoment(files, "d", now));
    } catch (error) {
      if (error instanceof FencedError) this.isFenced = true;
      else assert(error instanceof DestinationError && error.retry, String(error));
      return;
    }
    if (isEmpty) {
      const { head } = this.#tenure;
      const name = await nameOfNumber(destination, head, currentNumber(head));
      this.text = this.duel.textOf((await readManifest(destination, name!))!);
    }
    this.isCopying = true;
    this.isFenced = false;
    const moment = () => this.moment();
    this.#copier = await Copier.begin(
      { destination, files, directory: "d", clock, moment, held: 0 },
      this.#tenure,
    );
  }

  /** Writes and copies; with a gate, stands still before the head is replaced. */
  async copy(isHeld: boolean): Promise<void> {
    if (!this.isCopying || this.held !== undefined) return;
    this.text += `${this.name}${this.text.length} `;
    const gate = Promise.withResolvers<void>();
    if (isHeld) this.#gate = gate.promise;
    const done = this.#copier!.round().catch((error) => {
      if (!(error instanceof FencedError)) throw error;
      this.isFenced = true;
      this.isCopying = false;
    });
    if (!isHeld) return void await done;
    this.held = { open: gate.resolve, done };
    // Up to the gate.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Goes on with what stood still. */
  async goOn(): Promise<void> {
    if (this.held === undefined) return;
    this.#gate = undefined;
    this.held.open();
    await this.held.done;
    this.held = undefined;
  }

  async beat(): Promise<void> {
    if (!this.isCopying || this.held !== undefined) return;
    await this.#tenure!.replace({}).catch((error) => {
      assert(error instanceof FencedError);
      this.isFenced = true;
      this.isCopying = false;
    });
  }

  /** Ends without a word: what it still has under way does not end. */
  die(): void {
    this.isCopying = false;
    this.#destination.killed = true;
    this.held?.open();
    this.held = undefined;
    this.#gate = undefined;
    this.#destination = this.#open();
  }

  async release(): Promise<void> {
    if (!this.isCopying || this.held !== undefined) return;
    await this.#tenure!.release().catch((error) => {
      assert(error instanceof FencedError);
      this.isFenced = true;
    });
    this.isCopying = false;
  }
}

/** What may happen. */
const steps: Record<string, (duel: Duel) => Promise<void>> = {
  "a copies": ({ a }) => a.copy(false),
  "a stands still in the middle of a copy": ({ a }) => a.copy(true),
  "a goes on": ({ a }) => a.goOn(),
  "a dies and starts again": async ({ a }) => {
    // A process that is dead ends nothing, and its promise is nobody's.
    a.held?.done.catch(() => {});
    a.die();
    await a.take(false);
  },
  "a is stopped": ({ a }) => a.release(),
  "b takes over an empty directory": async ({ b }) => {
    if (!b.isCopying) await b.take(true);
  },
  "b copies": ({ b }) => b.copy(false),
  "b is stopped": ({ b }) => b.release(),
};

Deno.test(`of two servers one copies, in every order of ${STEPS} things that they may do`, async () => {
  const names = Object.keys(steps);
  let [fenced, takeovers] = [0, 0];
  for (let order = 0; order < names.length ** STEPS; order++) {
    const duel = new Duel();
    await duel.a.take(false);
    await duel.a.copy(false);
    const done: string[] = [];
    for (let left = order, step = 0; step < STEPS; step++, left = Math.floor(left / names.length)) {
      const name = names[left % names.length]!;
      done.push(name);
      try {
        await steps[name]!(duel);
      } catch (error) {
        throw new Error(`${done.join(", ")}: ${error}`, { cause: error });
      }
    }
    await duel.a.goOn();
    await duel.check(done.join(", "));
    if (duel.a.isFenced) fenced++;
    if (duel.b.epoch > 0) takeovers++;
  }
  assert(fenced > 0 && takeovers > 0, `${fenced} times fenced of ${takeovers}`);
});

Deno.test("a server that comes back after it was taken over from is fenced, and what it uploaded counts for nothing", async () => {
  const duel = new Duel();
  const { a, b } = duel;
  await a.take(false);
  await a.copy(false);
  await a.copy(true);
  await b.take(true);
  await b.copy(false);
  await a.goOn();
  assertEquals([a.isFenced, b.isFenced], [true, false]);
  await duel.check("after all");
  const destination = duel.bucket.open();
  const { head } = (await readHead(destination))!;
  const counted = await Array.fromAsync(momentsOf(destination, head));
  assertEquals(counted.map(({ epoch }) => epoch), [1, 2]);
  // Its manifest is there, and is none that counts.
  assertEquals(duel.wrote.size, 3);
  // Neither does it get the head back by a restart.
  a.die();
  await b.release();
  await a.take(false);
  assertEquals([a.isFenced, a.isCopying], [true, false]);
});

Deno.test("a lease is waited for by one's own clock alone, and a head that changes is not taken", async () => {
  const duel = new Duel();
  const { a, b } = duel;
  await a.take(false);
  await a.copy(false);
  const began = duel.clock.time;
  // It beats while b waits.
  await b.take(true);
  assertEquals([a.isCopying, b.isCopying], [true, false]);
  // It has died: b waits for a whole lease from its own first look on.
  a.die();
  const looked = duel.clock.time;
  await b.take(true);
  assertEquals(b.isCopying, true);
  assert(duel.clock.time - looked >= LEASE && looked > began);
});

Deno.test("a head that was released is taken without waiting", async () => {
  const duel = new Duel();
  const { a, b } = duel;
  await a.take(false);
  await a.copy(false);
  await a.release();
  const began = duel.clock.time;
  await b.take(true);
  assertEquals([b.isCopying, duel.clock.time], [true, began]);
});

Deno.test("a server that waits for the head goes on where copy --once has had it meanwhile for the same directory", async () => {
  const destination = new MemoryBucket().open();
  const machine = await new Machine(destination).start();
  await machine.set("k", "v");
  await machine.copy();
  // It is killed, and started again.
  machine.files.powerCut(true);
  await machine.store.close().catch(() => {});
  const { clock, files } = machine;
  let isCopied = false;
  const waiting = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    sleep: async (milliseconds: number) => {
      if (!isCopied) {
        isCopied = true;
        await copyDirectoryOnce({
          ...{ destination, place: destination, files: files.mount(), directory: DIRECTORY, clock },
          ...{ retention: Infinity, lease: LEASE, held: 0, by: "cron", say: () => {} },
        });
      }
      await clock.sleep(milliseconds);
    },
  };
  const again = new Machine(destination, clock, files);
  again.store = await openStore(files);
  const moment = await again.store.store.moment!(false);
  const mounted = files.mount();
  const tenure = await Tenure.take({
    ...{ place: destination, destination, files: mounted, directory: DIRECTORY, clock: waiting },
    ...{ lease: LEASE, by: "server" },
    behind: (place) => behindPlace(mounted, DIRECTORY, moment, place),
  }, await ownOfMoment(mounted, DIRECTORY, moment));
  assertEquals([isCopied, tenure.head.epoch], [true, 3]);
  await again.store.close();
});

Deno.test("a foreign directory on a used prefix is fenced, with who has it and the way out", async () => {
  const duel = new Duel();
  await duel.a.take(false);
  await duel.a.copy(false);
  await duel.a.release();
  const { b } = duel;
  b.text = "other";
  const destination = duel.bucket.open();
  const options = {
    ...{ place: destination, destination, directory: "d", clock: duel.clock, lease: LEASE },
    files: b.files,
    by: "b",
    behind: () => Promise.resolve(undefined),
  };
  const error = await assertRejects(() => Tenure.take(options, undefined), FencedError);
  assertEquals(
    error.message,
    "memory:copies takes no copies of this directory: a has it, in epoch 1; restore it into an empty " +
      "directory, or copy to another prefix",
  );
});

Deno.test("a disk that was set back to a snapshot is fenced, and so is one with other bytes", async () => {
  const duel = new Duel();
  const { a } = duel;
  await a.take(false);
  await a.copy(false);
  const earlier = a.text;
  await a.copy(false);
  for (const text of [earlier, a.text.replace("a0", "x0")]) {
    a.die();
    a.text = text;
    await a.take(false);
    assertEquals([a.isFenced, a.isCopying], [true, false], text);
  }
});

Deno.test("a directory whose last segment was repaired is fenced, and both ways out that it is told lead out", async () => {
  const bucket = new MemoryBucket();
  const destination = bucket.open();
  const machine = await new Machine(destination).start();
  for (let i = 0; i < 10; i++) await machine.set(`k${i}`, `${i}`.padEnd(1000));
  await machine.copy();
  await machine.stop();
  const { files, clock } = machine;
  const whole = await contentOf(files);
  const last = files.list(DIRECTORY).filter((name) => name.endsWith(".log")).at(-1)!;
  // The record behind the segment's header.
  files.content(`${DIRECTORY}/${last}`)[200]! ^= 1;
  const { damaged } = await repairDirectory({ directory: DIRECTORY, files: files.mount() });
  assertEquals(damaged.length, 1);
  const kept = await contentOf(files);
  assert(kept.size < whole.size);
  const fenced = new Machine(destination, clock, files);
  const error = await assertRejects(() => fenced.start(), FencedError);
  await fenced.store.close();
  assertMatch(
    error.message,
    /^'d' has not all that was copied to memory:copies \(its segment \d+ has (\d+ bytes, and \d+ were copied|other bytes than were copied)\), as after a --repair or on a disk that was set back: restore the copies into an empty directory \(kvs-server restore --from memory:copies --data-dir NEW\) and serve that, or copy this one to another prefix \(--copy-to\)$/,
  );
  // What was cut off is in the copies, and the restored directory goes on in them.
  const chosen = await chooseMoment(destination, destination);
  const fresh = await restored(destination, chosen, clock);
  assertEquals(await contentOf(fresh), whole);
  await using again = await new Machine(destination, clock, fresh).start();
  await again.set("more", "1");
  assertEquals((await again.copy())!.number, chosen.manifest.number + 1);
  // What was kept goes on elsewhere.
  const elsewhere = new MemoryDestination(new MemoryBucket(), "memory:other", () => undefined);
  await using other = await new Machine(elsewhere, clock, files).start();
  assertEquals((await other.copy())!.number, 1);
  const copied = await restored(elsewhere, await chooseMoment(elsewhere, elsewhere), clock);
  assertEquals(await contentOf(copied), kept);
});

Deno.test("a clone of a disk is fenced when the other has started first, whichever that is", async () => {
  for (const first of ["a", "b"] as const) {
    const duel = new Duel();
    const { a, b } = duel;
    await a.take(false);
    await a.copy(false);
    a.die();
    b.text = a.text;
    for (const name of a.files.list("d")) b.files.place(`d/${name}`, a.files.content(`d/${name}`));
    const second = first === "a" ? b : a;
    await duel[first].take(false);
    await duel[first].copy(false);
    await duel[first].release();
    await second.take(false);
    assertEquals([duel[first].isFenced, second.isFenced], [false, true]);
    await duel.check(`${first} first`);
  }
});

Deno.test("copies that are gone are not begun anew by a directory that had some", async () => {
  const duel = new Duel();
  const { a } = duel;
  await a.take(false);
  await a.copy(false);
  a.die();
  // As where a disk is not mounted.
  duel.bucket.names.clear();
  await a.take(false);
  assertEquals([a.isCopying, a.isFenced, duel.bucket.names.size], [false, false, 0]);
});

Deno.test("a server without changes learns by its sign of life that it was taken over from", async () => {
  const bucket = new MemoryBucket();
  const place = bucket.open();
  const clock = new TestClock();
  const store = await openStore(new FaultyFiles(new Random(1)));
  /** The pauses that are under way, by their length: the test says when they end. */
  const pauses = new Map<number, () => void>();
  const paused = Promise.withResolvers<void>();
  const fenced = Promise.withResolvers<string>();
  const copying = new Copying({
    ...{ destination: place, place, directory: DIRECTORY, lease: LEASE, held: 0, by: "one" },
    ...{ files: new FaultyFiles(new Random(2)).mount(), interval: 15_000, retention: 0 },
    clock: {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      sleep(milliseconds, signal) {
        if (milliseconds < 3000) return Promise.resolve();
        return new Promise((resolve, reject) => {
          pauses.set(milliseconds, resolve);
          signal?.addEventListener("abort", () => reject(new PauseEnded("woken")));
          if (pauses.size === 2) paused.resolve();
        });
      },
    },
    moment: async (whole) => ({ ...await store.store.moment!(whole), segments: [] }),
    report: ({ state, reason }) => {
      if (state === "fenced") fenced.resolve(reason);
    },
    say: () => {},
  });
  copying.start();
  await paused.promise;
  const { head, generation } = (await readHead(place))!;
  await place.replace(
    "head",
    encodeHead({ ...head, claim: "0".repeat(32), by: "two" }),
    generation,
  );
  clock.time += LEASE;
  pauses.get(LEASE / 3)!();
  assertStringIncludes(await fenced.promise, "two has it");
  await copying.ended();
  await store.close();
});
