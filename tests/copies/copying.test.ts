/** Copies as long as a server runs, with clocks that a test moves. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type CopyClock, PauseEnded } from "../../lib/copies/copy_clock.ts";
import { Copying, type CopyReport } from "../../lib/copies/copying.ts";
import { decodeHead, encodeHead } from "../../lib/copies/head.ts";
import { copyDirectoryOnce } from "../../lib/copies/once.ts";
import { readHead, Tenure } from "../../lib/copies/tenure.ts";
import { bytesOf } from "../../lib/bytes.ts";
import type { Caller } from "../storage/caller.ts";
import { itemOf } from "../storage/contract.ts";
import { FaultyFiles, Random } from "../storage/disk/faulty_files.ts";
import { LEASE, TestClock } from "./history.ts";
import { DIRECTORY, momentNames, openStore } from "./machine.ts";
import { type Asked, MemoryBucket, type Wrong } from "./memory_destination.ts";

/** A clock whose pauses end when the test lets time pass. */
class StepClock implements CopyClock {
  time = 1_790_000_000_000;
  /** By how much the clock that may jump was set. */
  set = 0;
  readonly #waiting: { readonly due: number; readonly end: () => void }[] = [];

  now(): number {
    return this.time + this.set;
  }

  monotonic(): number {
    return this.time;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(new PauseEnded());
      const waiter = { due: this.time + milliseconds, end: resolve };
      this.#waiting.push(waiter);
      signal?.addEventListener("abort", () => {
        const at = this.#waiting.indexOf(waiter);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(new PauseEnded());
      }, { once: true });
    });
  }

  /** Lets so much time pass, a pause after the other. */
  async pass(milliseconds: number): Promise<void> {
    const until = this.time + milliseconds;
    for (;;) {
      await settled();
      this.#waiting.sort((a, b) => a.due - b.due);
      const next = this.#waiting[0];
      if (next === undefined || next.due > until) break;
      this.#waiting.shift();
      this.time = Math.max(this.time, next.due);
      next.end();
    }
    this.time = until;
  }
}

/** Everything that needs no more than turns of the loop is done. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A store that is copied. */
class Running implements AsyncDisposable {
  readonly clock = new StepClock();
  readonly bucket = new MemoryBucket();
  readonly files = new FaultyFiles(new Random(1));
  readonly said: string[] = [];
  readonly destination = this.bucket.open((asked, name) => this.wrong(asked, name));
  wrong: (asked: Asked, name: string) => Wrong = () => undefined;
  last!: CopyReport;
  readonly reports: CopyReport[] = [];
  store!: Caller;
  copying!: Copying;

  /** When the head is replaced from now on: a list that grows. */
  timesOfReplacements(): readonly number[] {
    const times: number[] = [];
    const { clock, destination } = this;
    const replace = destination.replace.bind(destination);
    destination.replace = (...args) => {
      times.push(clock.time);
      return replace(...args);
    };
    return times;
  }

  async start(interval = 10_000): Promise<this> {
    this.store = await openStore(this.files);
    const { destination } = this;
    this.copying = new Copying({
      ...{ destination, place: destination, files: this.files.mount(), directory: DIRECTORY },
      ...{ interval, retention: 86_400_000, lease: LEASE, held: 0, by: "test", clock: this.clock },
      moment: async (whole) => ({
        ...await this.store.store.moment!(whole),
        time: this.clock.now(),
      }),
      report: (report) => this.reports.push(this.last = report),
      say: (line) => this.said.push(line),
    });
    this.copying.start();
    return this;
  }

  async set(key: string, value: string): Promise<void> {
    await this.store.swap(bytesOf(key), "any", itemOf(value));
    await this.store.commit();
  }

  async stop(): Promise<void> {
    this.copying.stop();
    await this.copying.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.store.close();
  }
}

Deno.test("copying: a bucket that is away for an hour loses nothing, and copies go on by themselves", async () => {
  await using running = await new Running().start();
  await running.clock.pass(60_000);
  assertEquals(running.last.state, "copying");
  await running.set("before", "v");
  await running.clock.pass(20_000);
  const moments = (await momentNames(running.bucket.open())).length;
  running.wrong = () => "refused";
  for (let minute = 0; minute < 60; minute++) {
    await running.set(`k${minute}`, "v".padEnd(1000));
    await running.clock.pass(60_000);
  }
  assertEquals(running.last.state, "failing");
  assertMatch(running.last.reason, /was refused/);
  const { sentBytes } = running.last;
  running.wrong = () => undefined;
  await running.clock.pass(120_000);
  assertEquals(running.last.state, "copying");
  assert(running.last.sentBytes - sentBytes > 60_000);
  assert((await momentNames(running.bucket.open())).length > moments);
  // Said once when it began, and once when it ended.
  assertEquals(running.said.map((line) => line.split(":")[0]), [
    "copies go to memory",
    "copies fail",
    "copies go to memory",
  ]);
  assert((await readHead(running.bucket.open()))!.head.last!.time > running.clock.time - 120_000);
});

Deno.test("copying: a destination that is away is told of also where nothing is written, whatever the interval", async () => {
  for (const interval of [10_000, 3_600_000]) {
    await using running = await new Running().start(interval);
    await running.set("k", "v");
    await running.clock.pass(60_000);
    assertEquals(running.last.state, "copying", `${interval}`);
    running.wrong = () => "refused";
    await running.clock.pass(60_000);
    assertEquals(running.last.state, "failing", `${interval}`);
    running.wrong = () => undefined;
    await running.clock.pass(120_000);
    assertEquals(running.last.state, "copying", `${interval}`);
  }
});

Deno.test("copying: a server that writes nothing finds out that another has taken over, within a lease", async () => {
  for (const interval of [10_000, 3_600_000]) {
    await using running = await new Running().start(interval);
    await running.set("k", "v");
    await running.clock.pass(60_000);
    const { bucket, clock } = running;
    // Another has waited for a lease while this one stood still.
    const files = new FaultyFiles(new Random(2));
    const destination = bucket.open();
    const { head, generation } = (await readHead(destination))!;
    await destination.replace(
      "head",
      encodeHead({ ...head, released: true }),
      generation,
    );
    await Tenure.take({
      ...{ place: destination, destination, files: files.mount(), directory: "other", clock },
      ...{ lease: LEASE, by: "other", isEmpty: true },
      behind: () => Promise.resolve(undefined),
    }, undefined);
    await clock.pass(LEASE);
    assertEquals(running.last.state, "fenced", `${interval}`);
    assertMatch(running.last.reason, /other has it, in epoch 2/);
    await running.copying.ended();
  }
});

Deno.test("copying: a stop copies what was acknowledged last, and releases the head", async () => {
  const running = await new Running().start();
  await running.set("k", "1");
  await running.clock.pass(60_000);
  await running.set("k", "2");
  await running.stop();
  const { head } = (await readHead(running.bucket.open()))!;
  assertEquals([head.released, head.last!.number], [true, 2]);
  await running.store.close();
});

Deno.test("copying: a stop while a head is waited for ends immediately, and leaves it", async () => {
  const running = await new Running().start();
  await running.clock.pass(60_000);
  await running.set("k", "1");
  await running.clock.pass(60_000);
  // It dies, and another process waits for its lease.
  running.wrong = () => "refused";
  await running.stop();
  running.wrong = () => undefined;
  await running.store.close();
  await running.start();
  await running.clock.pass(1000);
  assertEquals(running.last.state, "waiting");
  await running.stop();
  assertEquals((await readHead(running.bucket.open()))!.head.epoch, 1);
  await running.store.close();
});

Deno.test("copying: the head of a process that lives is replaced three times in a lease, whenever its moments come", async () => {
  await using running = await new Running().start(8000);
  const { clock } = running;
  const times = running.timesOfReplacements();
  // A moment that comes just before a sign of life is due is one itself, and the next is due a third later.
  for (let i = 0; i < 10; i++) {
    if (i % 3 === 0) await running.set("k", `${i}`);
    await clock.pass(8000);
  }
  const gaps = times.slice(1).map((time, i) => time - times[i]!);
  assert(Math.max(...gaps) <= LEASE / 3, `${gaps}`);
});

Deno.test("copying: two replacements of the head are 2 seconds apart, also after one that failed", async () => {
  await using running = await new Running().start(1000);
  const { clock } = running;
  await running.set("k", "v");
  await clock.pass(5000);
  running.wrong = () => "refused";
  await clock.pass(60_000);
  running.wrong = () => undefined;
  await clock.pass(10_000);
  assertEquals(running.last.state, "copying");
  const times = running.timesOfReplacements();
  for (let i = 0; i < 10; i++) {
    await running.set("k", `${i}`);
    await clock.pass(1000);
  }
  assert(times.length > 3);
  const gaps = times.slice(1).map((time, i) => time - times[i]!);
  assert(Math.min(...gaps) >= 2000, `${gaps}`);
});

Deno.test("copying: a sign of life that comes while a stop releases the head does not take that back", async () => {
  await using running = await new Running().start();
  const { clock, destination } = running;
  await running.set("k", "v");
  await clock.pass(60_000);
  const replace = destination.replace.bind(destination);
  destination.replace = async (name, bytes, generation) => {
    const head = decodeHead(bytes);
    // The destination takes so long that the next sign is due meanwhile.
    if (head !== undefined && "claim" in head && head.released) await clock.pass(LEASE);
    return await replace(name, bytes, generation);
  };
  await running.stop();
  await clock.pass(LEASE);
  assertEquals((await readHead(running.bucket.open()))!.head.released, true);
});

Deno.test("copying: a stop copies what was acknowledged last also where nothing can be removed", async () => {
  await using running = await new Running().start();
  await running.set("k", "1");
  await running.clock.pass(60_000);
  running.wrong = (asked) => asked === "list" ? "refused" : undefined;
  await running.clock.pass(120_000);
  assertEquals(running.last.state, "failing");
  await running.set("k", "2");
  await running.stop();
  const { head } = (await readHead(running.bucket.open()))!;
  assertEquals([head.released, head.last!.number], [true, 2]);
});

Deno.test("copying: a clock that is years ahead removes no moment before its time", async () => {
  await using running = await new Running().start();
  const { clock, bucket } = running;
  const copy = async (times: number) => {
    for (let i = 0; i < times; i++) {
      await running.set(`k${i}`, `${clock.time}`);
      await clock.pass(20_000);
    }
  };
  await copy(5);
  const moments = await momentNames(bucket.open());
  const assertKept = async () => {
    const names = await momentNames(bucket.open());
    assertEquals(names.slice(0, moments.length), moments);
    assertEquals(running.last.removed, 0);
  };
  // At a start, as before the time has come by the network.
  await running.stop();
  await running.store.close();
  clock.set = 10 * 365 * 86_400_000;
  await running.start();
  await clock.pass(3_600_000);
  await assertKept();
  clock.set = 0;
  await clock.pass(3_600_000);
  await assertKept();
  // And while it copies.
  await copy(1);
  clock.set = 10 * 365 * 86_400_000;
  await copy(2);
  await clock.pass(3_600_000);
  await assertKept();
  clock.set = 0;
  // What is due is due all the same.
  clock.time += 2 * 86_400_000;
  await clock.pass(3_600_000);
  assert(running.last.removed > 0);
  assert(!(await momentNames(bucket.open())).includes(moments[0]!));
  // What it leaves behind is told, once.
  const warnings = () => running.said.filter((line) => line.includes("clock is behind"));
  assertEquals(warnings(), []);
  await copy(3);
  assertMatch(warnings().join("\n"), /^the clock is behind .* memory:copies, of 2036-\S+: .*$/);
});

Deno.test("copying: where the destination has a clock, one that is years ahead since several starts removes nothing", async () => {
  await using running = await new Running().start();
  const { clock, bucket, destination } = running;
  for (let start = 0; start < 4; start++) {
    for (let i = 0; i < 3; i++) {
      await running.set(`k${i}`, `${clock.time}`);
      await clock.pass(20_000);
    }
    destination.time = clock.time;
    clock.set = 10 * 365 * 86_400_000;
    await running.stop();
    await running.store.close();
    await running.start();
    await clock.pass(3_600_000);
    assertEquals(running.last.removed, 0);
  }
  const { head } = (await readHead(bucket.open()))!;
  assert(head.epoch > 2 && head.last!.time > clock.time + 86_400_000);
});

Deno.test("copying: a clock that is set back does not hide how old what is copied is", async () => {
  await using running = await new Running().start();
  const { clock, destination } = running;
  await running.set("k", "1");
  await clock.pass(60_000);
  clock.set = -3_600_000;
  const create = destination.create.bind(destination);
  let sent = 0;
  destination.create = async (...args) => {
    // The upload takes a minute.
    if (sent++ === 0) await clock.pass(60_000);
    return await create(...args);
  };
  await running.set("k", "2");
  await clock.pass(10_000);
  await clock.pass(70_000);
  const { lastSuccess, cleanAt } = running.reports.find(({ manifests }) => manifests === 2)!;
  assert(lastSuccess - cleanAt >= 60_000, `${lastSuccess - cleanAt}`);
});

Deno.test("copying: a server that waits for the head has what it writes meanwhile, also where copy --once has copied that", async () => {
  await using running = await new Running().start();
  await running.set("k", "v");
  await running.clock.pass(60_000);
  // It is killed, and started again.
  running.wrong = () => "refused";
  await running.stop();
  running.wrong = () => undefined;
  running.files.powerCut(true);
  await running.store.close().catch(() => {});
  await running.start();
  await running.clock.pass(1000);
  assertEquals(running.last.state, "waiting");
  for (let i = 0; i < 20; i++) await running.set(`k${i}`, `${i}`.padEnd(5000));
  const destination = running.bucket.open();
  const { manifest } = await copyDirectoryOnce({
    ...{ destination, place: destination, files: running.files.mount(), directory: DIRECTORY },
    ...{ retention: Infinity, lease: LEASE, held: 0, by: "cron", say: () => {} },
    clock: new TestClock(),
  });
  assert(manifest!.segments.length > 10);
  await running.clock.pass(2 * LEASE);
  assertEquals([running.last.state, running.last.reason], ["copying", ""]);
});
