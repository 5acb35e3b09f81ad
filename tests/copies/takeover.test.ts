import { assert, assertEquals, assertRejects } from "@std/assert";
import { PauseEnded } from "../../lib/copies/copy_clock.ts";
import { DestinationError } from "../../lib/copies/destination.ts";
import { readRestoring } from "../../lib/copies/identity.ts";
import { chooseMoment } from "../../lib/copies/choose.ts";
import { MANIFEST } from "../../lib/storage/disk/format/manifest.ts";
import { restoreIfEmpty, type TakeoverOptions } from "../../lib/copies/takeover.ts";
import { FencedError, readHead } from "../../lib/copies/tenure.ts";
import { bytesOf } from "../../lib/bytes.ts";
import { itemOf } from "../storage/contract.ts";
import { FaultyFiles, Random } from "../storage/disk/faulty_files.ts";
import { LEASE, TestClock } from "./history.ts";
import { contentOf, DIRECTORY, Machine, openStore, restored } from "./machine.ts";
import { MemoryBucket, type MemoryDestination } from "./memory_destination.ts";

function optionsOf(
  destination: MemoryDestination,
  files: FaultyFiles,
  clock: TestClock,
): TakeoverOptions {
  return {
    ...{ destination, place: destination, files: files.mount(), directory: DIRECTORY, clock },
    ...{ lease: LEASE, retention: Infinity, by: "fresh", say: () => {} },
  };
}

/** A machine that has copied, and has gone. */
async function gone(bucket: MemoryBucket, clock: TestClock): Promise<void> {
  const machine = await new Machine(bucket.open(), clock).start();
  for (let i = 0; i < 20; i++) await machine.set(`k${i}`, `${i}`.padEnd(1000));
  await machine.copy();
  machine.files.powerCut(true);
  await machine.store.close().catch(() => {});
}

Deno.test("restore if empty: a fresh machine takes over, restores the newest state, and copies on", async () => {
  const bucket = new MemoryBucket();
  const clock = new TestClock();
  await gone(bucket, clock);
  const files = new FaultyFiles(new Random(3));
  const began = clock.time;
  const taken = (await restoreIfEmpty(optionsOf(bucket.open(), files, clock)))!;
  assert(clock.time - began >= LEASE);
  assertEquals([taken.tenure.head.epoch, taken.tenure.head.by], [2, "fresh"]);
  assertEquals((await contentOf(files)).get("k7"), "7".padEnd(1000));
  await using machine = await new Machine(bucket.open(), clock, files).start();
  await machine.set("more", "v");
  const manifest = (await machine.copy())!;
  // Of the pieces that were there all but one are named again.
  assertEquals(manifest.dropped, []);
});

Deno.test("restore if empty: a destination without copies, and a directory with something, are left as they are", async () => {
  const bucket = new MemoryBucket();
  const clock = new TestClock();
  const files = new FaultyFiles(new Random(3));
  assertEquals(await restoreIfEmpty(optionsOf(bucket.open(), files, clock)), undefined);
  assertEquals([files.list(DIRECTORY), bucket.names.size], [[], 0]);
  await gone(bucket, clock);
  await using machine = await new Machine(new MemoryBucket().open(), clock, files).start();
  await machine.set("own", "v");
  assertEquals(await restoreIfEmpty(optionsOf(bucket.open(), files, clock)), undefined);
  assertEquals((await readHead(bucket.open()))!.head.epoch, 1);
});

Deno.test("restore if empty: a destination that is away is an error, and never an empty server", async () => {
  const bucket = new MemoryBucket();
  const clock = new TestClock();
  await gone(bucket, clock);
  const files = new FaultyFiles(new Random(3));
  const away = bucket.open(() => "refused");
  await assertRejects(() => restoreIfEmpty(optionsOf(away, files, clock)), DestinationError);
  assertEquals(files.list(DIRECTORY), []);
});

Deno.test("restore if empty: whenever it dies on the way, the next start goes on and has all of it", async () => {
  let died = 0;
  for (let at = 0;; at++) {
    const bucket = new MemoryBucket();
    const clock = new TestClock();
    await gone(bucket, clock);
    const files = new FaultyFiles(new Random(at));
    let left = at;
    const first = bucket.open(() => {
      if (left-- !== 0) return undefined;
      first.killed = true;
      files.powerCut(at % 2 === 0);
      return at % 3 === 0 ? "lost" : undefined;
    });
    const whole = await restoreIfEmpty(optionsOf(first, files, clock)).then(
      () => true,
      () => false,
    );
    if (whole && left >= 0) break;
    died++;
    // One may die in a sign of life when nothing is left to do.
    const isDone = readRestoring(files.mount(), DIRECTORY) === undefined &&
      files.list(DIRECTORY).includes(MANIFEST);
    const taken = await restoreIfEmpty(optionsOf(bucket.open(), files, clock));
    assertEquals(taken === undefined, isDone, `died at ${at}`);
    assertEquals(readRestoring(files.mount(), DIRECTORY), undefined);
    assertEquals((await contentOf(files)).size, 20, `died at ${at}`);
    await using machine = await new Machine(bucket.open(), clock, files).start();
    await machine.set("more", "v");
    assert(await machine.copy() !== undefined);
  }
  assert(died > 10, `${died}`);
});

Deno.test("restore if empty: of two fresh machines the second waits, and takes over when the first has gone", async () => {
  const bucket = new MemoryBucket();
  const clock = new TestClock();
  await gone(bucket, clock);
  const [one, two] = [new FaultyFiles(new Random(1)), new FaultyFiles(new Random(2))];
  const first = (await restoreIfEmpty(optionsOf(bucket.open(), one, clock)))!;
  // The first gives signs as long as it lives, which is for ten looks of the second.
  let looks = 0;
  const waiting = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    sleep: async (milliseconds: number, signal?: AbortSignal) => {
      await clock.sleep(milliseconds, signal);
      if (looks++ < 10) await first.tenure.replace({});
    },
  };
  const options = { ...optionsOf(bucket.open(), two, clock), clock: waiting };
  const second = (await restoreIfEmpty(options))!;
  assert(looks > 10);
  assertEquals(second.tenure.head.epoch, 3);
  await assertRejects(() => first.tenure.replace({}), FencedError);
  assertEquals(await contentOf(two), await contentOf(one));
});

Deno.test("a restore by hand is fenced if anything was copied since, and may be made again", async () => {
  const bucket = new MemoryBucket();
  const clock = new TestClock();
  const machine = await new Machine(bucket.open(), clock).start();
  await machine.set("k", "1");
  await machine.copy();
  const destination = bucket.open();
  const early = await restored(
    destination,
    await chooseMoment(destination, destination),
    clock,
    new FaultyFiles(new Random(1)),
  );
  await machine.set("k", "2");
  await machine.copy();
  await machine.stop();
  await assertRejects(() => new Machine(bucket.open(), clock, early).start(), FencedError);
  const late = await restored(
    destination,
    await chooseMoment(destination, destination),
    clock,
    new FaultyFiles(new Random(2)),
  );
  await using again = await new Machine(bucket.open(), clock, late).start();
  assertEquals(again.tenure.head.epoch, 2);
});

Deno.test("a directory restored to an earlier moment is the newest state from its first start on", async () => {
  const bucket = new MemoryBucket();
  const clock = new TestClock();
  const machine = await new Machine(bucket.open(), clock).start();
  await machine.set("k", "1");
  await machine.copy(1);
  const at = clock.time - 1;
  await machine.set("k", "2");
  await machine.copy(1);
  await machine.stop();
  const destination = bucket.open();
  const files = await restored(
    destination,
    await chooseMoment(destination, destination, at),
    clock,
    new FaultyFiles(new Random(1)),
  );
  // It has taken the head, and copied nothing yet, when its disk is lost as well.
  const early = await new Machine(bucket.open(), clock, files).start();
  await early.store.close();
  const { manifest } = await chooseMoment(destination, destination);
  assertEquals(manifest.number, 1);
  const fresh = new FaultyFiles(new Random(2));
  await restoreIfEmpty(optionsOf(bucket.open(), fresh, clock));
  assertEquals((await contentOf(fresh)).get("k"), "1");
});

Deno.test("where everything is locked by a policy the head lies elsewhere, and a fresh machine finds it there", async () => {
  const [locked, free] = [new MemoryBucket(), new MemoryBucket()];
  // Nothing that was written may be replaced or removed.
  locked.held = () => true;
  const clock = new TestClock();
  const options = (files: FaultyFiles): TakeoverOptions => ({
    ...optionsOf(locked.open(), files, clock),
    place: free.open(undefined, "memory:head"),
  });
  const machine = await new Machine(
    locked.open(),
    clock,
    new FaultyFiles(new Random(1)),
    1,
    free.open(),
  ).start();
  for (let i = 0; i < 40; i++) {
    await machine.set("k", `${i}`.padEnd(1000));
    await machine.copy(1);
  }
  await machine.retain();
  assert(machine.retention.kept > 0);
  await machine.stop();
  assertEquals([...free.names.keys()], ["head"]);
  assert(!locked.names.has("head"));
  const files = new FaultyFiles(new Random(2));
  await restoreIfEmpty(options(files));
  assertEquals((await contentOf(files)).get("k"), "39".padEnd(1000));
  // Who forgets to say where the head is does not begin anew.
  const forgetful = new FaultyFiles(new Random(3));
  await assertRejects(
    () => restoreIfEmpty(optionsOf(locked.open(), forgetful, clock)),
    DestinationError,
  );
  const other = new Machine(locked.open(), clock, new FaultyFiles(new Random(4)));
  await assertRejects(() => other.start(), FencedError);
  await other.store.close();
});

Deno.test("restore if empty: a directory on which a server has started and written nothing is empty, and one that has lost all items is not", async () => {
  const bucket = new MemoryBucket();
  const clock = new TestClock();
  await gone(bucket, clock);
  // As a start without --restore-if-empty leaves it, which is fenced.
  const files = new FaultyFiles(new Random(3));
  await (await openStore(files)).close();
  assert(files.list(DIRECTORY).includes("MANIFEST"));
  assert(await restoreIfEmpty(optionsOf(bucket.open(), files, clock)) !== undefined);
  assertEquals((await contentOf(files)).size, 20);
  // All that was written is deleted, and may be gone from the log as well.
  const other = new FaultyFiles(new Random(4));
  const store = await openStore(other);
  await store.swap(bytesOf("k"), "any", itemOf("v"));
  await store.swap(bytesOf("k"), "any", null);
  await store.commit();
  await store.close();
  assertEquals(await restoreIfEmpty(optionsOf(bucket.open(), other, clock)), undefined);
});

Deno.test("restore if empty: what the server before had in no moment is not asked of the one that follows when it starts again", async () => {
  for (const hasCopied of [false, true]) {
    const bucket = new MemoryBucket();
    const clock = new TestClock();
    const machine = await new Machine(bucket.open(), clock).start();
    for (let i = 0; i < 20; i++) await machine.set(`k${i}`, `${i}`.padEnd(1000));
    if (hasCopied) await machine.copy();
    await machine.set("more", "v");
    await machine.stop();
    // It starts again with more than was copied, takes the head, and is lost.
    await new Machine(bucket.open(), clock, machine.files).start();
    const files = new FaultyFiles(new Random(3));
    const options = optionsOf(bucket.open(), files, clock);
    const { tenure } = (await restoreIfEmpty(options))!;
    await tenure.release();
    // What it has been told since is in no moment either.
    const store = await openStore(files);
    await store.swap(bytesOf("own"), "any", itemOf("v"));
    await store.commit();
    await store.close();
    await using again = await new Machine(bucket.open(), clock, files).start();
    assertEquals(again.tenure.head.epoch, 4, `${hasCopied}`);
    await again.copy();
    const destination = bucket.open();
    const chosen = await chooseMoment(destination, destination);
    const content = await contentOf(await restored(destination, chosen, clock));
    assertEquals(content.size, hasCopied ? 21 : 1);
  }
});

Deno.test("restore if empty: who has lost the head while it restored is fenced, and serves nothing", async () => {
  const bucket = new MemoryBucket();
  const clock = new TestClock();
  await gone(bucket, clock);
  const [one, two] = [new FaultyFiles(new Random(1)), new FaultyFiles(new Random(2))];
  const slow = bucket.open();
  const stream = slow.stream.bind(slow);
  let second: Promise<unknown> | undefined;
  slow.stream = async function* (...args) {
    // It stands still for longer than a lease, and another takes over.
    await (second ??= restoreIfEmpty(optionsOf(bucket.open(), two, clock)));
    yield* stream(...args);
  };
  // Its own signs of life stand still with it.
  const standing = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    sleep: async (milliseconds: number, signal?: AbortSignal) => {
      if (milliseconds <= LEASE / 6) return await clock.sleep(milliseconds, signal);
      const { promise, reject } = Promise.withResolvers<never>();
      signal?.addEventListener("abort", () => reject(new PauseEnded("it ends")), { once: true });
      await promise;
    },
  };
  const options = { ...optionsOf(slow, one, clock), clock: standing };
  await assertRejects(() => restoreIfEmpty(options), FencedError);
  assert(second !== undefined && readRestoring(one.mount(), DIRECTORY) !== undefined);
  assertEquals((await readHead(bucket.open()))!.head.epoch, 3);
});
