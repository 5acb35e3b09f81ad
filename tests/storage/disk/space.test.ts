/** Room: compaction, limits, full disks, eviction. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { AdjustableClock } from "../../../lib/clock.ts";
import { ExitError, OutOfSpaceError, StoreError } from "../../../lib/errors.ts";
import { type DiskOptions, openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { itemOf } from "../contract.ts";
import { Buffer } from "node:buffer";
import {
  Kind,
  RecordReader,
  recordSize,
  segmentSeed,
} from "../../../lib/storage/disk/format/record.ts";
import { FaultyFiles, Random } from "./faulty_files.ts";
import { type Caller, callerOf } from "../caller.ts";

const SEGMENT = 1 << 14;

/** Items of which a store has told that they were evicted. */
const gone: string[] = [];

interface Use {
  store: Caller;
  files: FaultyFiles;
  clock: AdjustableClock;
  reopen: (more?: Partial<DiskOptions>) => Promise<void>;
  set: (key: string, value: string, exptime?: number) => Promise<void>;
  get: (key: string) => Promise<string | undefined>;
  own: (name: string) => number;
}

function withStore(
  sentence: string,
  options: Partial<DiskOptions>,
  body: (use: Use) => Promise<void>,
): void {
  Deno.test(sentence, async () => {
    const files = new FaultyFiles(new Random(3));
    const clock = new AdjustableClock();
    const open = (more = options) =>
      callerOf(openDiskStore({
        directory: "d",
        files,
        clock,
        fsync: "no",
        memoryLimit: 1 << 16,
        segmentBytes: SEGMENT,
        log: () => {},
        ...more,
      }));
    const use: Use = {
      files,
      clock,
      store: await open(),
      reopen: async (more) => {
        await use.store.close();
        use.store = await open(more);
      },
      set: async (key, value, exptime = 0) => {
        await use.store.swap(bytesOf(key), "any", itemOf(value, { exptime }));
        await use.store.commit();
      },
      get: async (key) => {
        const item = await use.store.read(bytesOf(key));
        return item && binaryString(item.value);
      },
      own: (name) => Number(new Map(use.store.info().own).get(name)),
    };
    try {
      await body(use);
    } finally {
      await use.store.close();
    }
  });
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

async function until(done: () => boolean): Promise<void> {
  for (let i = 0; !done(); i++) {
    assert(i < 5000, "it does not happen");
    await turn();
  }
}

withStore(
  "overwritten for ever, it stays under twice the live bytes and two segments",
  {},
  async (use) => {
    const random = new Random(1);
    let most = 0;
    const last = new Map<string, string>();
    for (let i = 0; i < 12_000; i++) {
      const key = `k${random.below(600)}`;
      const value = `${i} `.padEnd(random.below(300), "v");
      await use.set(key, value);
      last.set(key, value);
      if (i % 50 === 0) await turn();
      if (i > 3000) most = Math.max(most, use.files.used() - 2 * use.store.info().bytes);
    }
    assert(most < 2 * SEGMENT, `${most} bytes beyond twice the live ones`);
    assert(use.own("compactions") > 20);
    for (const [key, value] of last) assertEquals(await use.get(key), value);
    await use.reopen();
    for (const [key, value] of last) assertEquals(await use.get(key), value);
  },
);

for (const fsync of ["always", "no"] as const) {
  withStore(
    `writers that are faster than compaction wait for it with fsync ${fsync}`,
    { fsync },
    async (use) => {
      const random = new Random(2);
      use.files.isFast = true;
      let most = 0;
      for (let batch = 0; batch < 1000; batch++) {
        for (let i = 0; i < 10; i++) {
          const key = bytesOf(`k${random.below(1000)}`);
          await use.store.swap(key, "any", itemOf("v".repeat(300)));
        }
        await use.store.commit();
        if (batch > 200) most = Math.max(most, use.own("log_bytes") / use.own("live_bytes"));
      }
      assert(most < 2.5, `${most} times the live bytes`);
    },
  );
}

withStore("a segment in which nothing is alive is given up unread", {}, async (use) => {
  let reads = 0;
  use.files.fault = (operation) => {
    if (operation === "read") reads++;
    return undefined;
  };
  for (let i = 0; i < 4000; i++) {
    await use.set(`k${i % 100}`, `${i} `.padEnd(200, "v"));
    if (i % 50 === 0) await turn();
  }
  await until(() => use.own("compactions") > 20);
  assertEquals(reads, 0);
  await use.reopen();
  for (let i = 3900; i < 4000; i++) {
    assertEquals((await use.get(`k${i % 100}`))!.trimEnd().split(" ")[0], `${i}`);
  }
});

withStore("long values that are overwritten at random are moved, and come back", {
  segmentBytes: 1 << 20,
  memoryLimit: 1 << 22,
}, async (use) => {
  const random = new Random(4);
  const last = new Map<string, string>();
  const text = (i: number) => `${i} `.padEnd(65_000 + random.below(40_000), `${i % 10}`);
  for (let i = 0; use.own("compaction_moved_bytes") < 3 << 20; i++) {
    assert(i < 20_000, "nothing is moved");
    const key = `k${random.below(60)}`;
    last.set(key, text(i));
    await use.set(key, last.get(key)!);
    if (i % 5 === 0) await turn();
  }
  for (const [key, value] of last) assertEquals(await use.get(key), value);
  // Without a cache what is on the disk is read.
  await use.reopen({ segmentBytes: 1 << 20, memoryLimit: 0 });
  for (const [key, value] of last) assertEquals(await use.get(key), value);
});

withStore("new keys that are deleted again leave no growing rest behind", {}, async (use) => {
  for (let i = 0; i < 200; i++) await use.set(`cold${i}`, "c".repeat(200));
  for (let i = 0; i < 10_000; i++) {
    await use.set(`k${i}`, "v".repeat(60));
    await use.store.swap(bytesOf(`k${i - 5}`), "any", null);
    if (i % 50 === 0) await turn();
  }
  await use.store.commit();
  const live = use.store.info().bytes;
  await until(() => use.files.used() < 2 * live + 2 * SEGMENT);
  await use.reopen();
  assertEquals(use.store.info().items, 205);
  assertEquals(await use.get("cold7"), "c".repeat(200));
  assertEquals(await use.get("k100"), undefined);
});

withStore("room of items that expired comes back, and they stay away", {}, async (use) => {
  const exptime = use.clock.now() + 10_000;
  for (let i = 0; i < 100; i++) await use.set(`old${i}`, "first".padEnd(100));
  for (let i = 0; i < 1000; i++) await use.set(`old${i}`, "x".repeat(100), exptime);
  for (let i = 0; i < 10; i++) await use.set(`stays${i}`, "s");
  const before = use.files.used();
  use.clock.offset += 40_000;
  await until(() => use.files.used() < before / 3);
  assert(use.store.info().reclaimed >= 900);
  assert(use.store.info().items < 110);
  await use.reopen();
  use.clock.offset -= 45_000;
  assertEquals(await use.get("stays3"), "s");
  // Even to a clock that was put back the value before is not there again.
  for (let i = 0; i < 100; i++) assert(await use.get(`old${i}`) !== "first".padEnd(100));
});

withStore(
  "an item that expired is given up only with what keeps its older value away",
  {},
  async (use) => {
    // The value before is in a segment that stays.
    await use.set("k", "first");
    for (let i = 0; i < 100; i++) await use.set(`stays${i}`, "v".repeat(150));
    while (use.own("segments") < 3) await use.set("fills", "v".repeat(1000));
    const exptime = use.clock.now() + 10_000;
    await use.set("k", "second".padEnd(SEGMENT - 2000), exptime);
    // Nothing else is alive where that is.
    await use.set("fills", "v".repeat(1000));
    await use.store.close();
    const said: string[] = [];
    // There is no room for a segment to say so in.
    use.files.fault = (operation, path) =>
      operation === "open" && path === `d/${String(use.own("segments") + 1).padStart(10, "0")}.log`
        ? "ENOSPC"
        : undefined;
    await use.reopen({ log: (line) => said.push(line) });
    use.clock.offset += 40_000;
    await until(() => said.some((line) => line.startsWith("Compaction stopped: Cannot begin")));
    use.files.fault = () => undefined;
    while (use.files.list("d").includes("0000000003.log")) {
      await use.set("fills", "v".repeat(1000));
      await turn();
    }
    await use.reopen();
    assertEquals(await use.get("k"), undefined);
    assertEquals(use.store.info().items, 101);
  },
);

withStore("a flush gives the room back, and counts read flushed items", {}, async (use) => {
  for (let i = 0; i < 1000; i++) await use.set(`k${i}`, "x".repeat(100));
  const before = use.files.used();
  await use.store.flush(0);
  await use.store.commit();
  const { items, bytes } = use.store.info();
  assertEquals([items, bytes], [0, 0]);
  assertEquals(await use.get("k999"), undefined);
  assertEquals(use.store.info().flushedReads, 1);
  await until(() => use.files.used() < before / 3);
  await use.set("k1", "after");
  await use.reopen();
  assertEquals(await use.get("k1"), "after");
  assertEquals(await use.get("k2"), undefined);
});

withStore("at max-disk sets are refused, gets and deletes go on, and what is freed is used", {
  maxDisk: 20 * SEGMENT,
}, async (use) => {
  let stored = 0;
  await assertRejects(async () => {
    for (;; stored++) await use.set(`k${stored}`, "x".repeat(200));
  }, OutOfSpaceError);
  assert(stored > 600, `${stored}`);
  assert(use.files.used() <= 20 * SEGMENT);
  assertEquals(await use.get("k5"), "x".repeat(200));
  for (let i = 0; i < stored; i += 2) {
    assertEquals(await use.store.swap(bytesOf(`k${i}`), "any", null), 0n);
    await use.store.commit();
  }
  for (let i = 0; i < stored / 4; i++) await use.set(`new${i}`, "y".repeat(200));
  assert(use.files.used() <= 20 * SEGMENT, `${use.files.used()}`);
  assertEquals(await use.get("k5"), "x".repeat(200));
  assertEquals(await use.get("new3"), "y".repeat(200));
});

withStore("at max-disk with evict the oldest items go, and are counted", {
  maxDisk: 20 * SEGMENT,
  evict: true,
}, async (use) => {
  for (let i = 0; i < 5000; i++) {
    await use.set(`k${i}`, "x".repeat(200));
    assert(use.files.used() <= 20 * SEGMENT);
  }
  const { items, evictions } = use.store.info();
  assertEquals(items + evictions, 5000);
  assert(items > 400, `${items} items`);
  assertEquals(await use.get("k0"), undefined);
  assertEquals(await use.get("k4999"), "x".repeat(200));
  await use.reopen();
  assertEquals(await use.get("k0"), undefined);
  assertEquals(use.store.info().items, items);
});

withStore("at max-disk with evict each item that goes is told of", {
  maxDisk: 20 * SEGMENT,
  evict: true,
  onEvicted: (item) => gone.push(binaryString(item.key)),
}, async (use) => {
  for (let i = 0; i < 5000; i++) await use.set(`k${i}`, "x".repeat(200));
  const { evictions } = use.store.info();
  assertEquals(gone.length, evictions);
  assertEquals(new Set(gone).size, evictions);
  assert(gone.includes("k0"));
});

withStore("an item that went for others is not read from memory either", {
  maxDisk: 20 * SEGMENT,
  evict: true,
  memoryLimit: 1 << 23,
}, async (use) => {
  for (let i = 0; i < 3000; i++) await use.set(`k${i}`, "x".repeat(200));
  const { items } = use.store.info();
  assert(items < 3000, `${items} items`);
  let readable = 0;
  for (let i = 0; i < 3000; i++) if (await use.get(`k${i}`) !== undefined) readable++;
  assertEquals(readable, items);
});

withStore("an item that is refused for want of room fails alone, and its batch is committed", {
  maxDisk: 20 * SEGMENT,
}, async (use) => {
  await use.store.swap(bytesOf("before"), "any", itemOf("1"));
  await assertRejects(
    async () => await use.store.swap(bytesOf("k"), "any", itemOf("x".repeat(20 * SEGMENT))),
    OutOfSpaceError,
  );
  await use.store.swap(bytesOf("after"), "any", itemOf("2"));
  await use.store.commit();
  await use.reopen();
  assertEquals([await use.get("before"), await use.get("after")], ["1", "2"]);
});

withStore("a write of compaction's that fails is nobody's", {}, async (use) => {
  let committing = false;
  use.files.fault = (operation, path) =>
    operation === "write" && path.endsWith(".log") && !committing ? "EIO" : undefined;
  for (let i = 0; i < 4000; i++) {
    committing = true;
    await use.set(`k${i % 300}`, `${i}`.padEnd(150));
    committing = false;
    if (i % 50 === 0) await turn();
  }
  assertEquals(use.own("compaction_moved_bytes"), 0);
  use.files.fault = () => undefined;
  await until(() => use.own("compactions") > 0);
  for (let i = 3700; i < 4000; i++) assertEquals(await use.get(`k${i % 300}`), `${i}`.padEnd(150));
});

withStore(
  "what clients have appended is written before what compaction moves, and fails not with it",
  {
    fsync: "always",
  },
  async (use) => {
    for (let i = 0; i < 500; i++) {
      await use.set(i % 25 === 0 ? `cold${i / 25}` : `k${i % 5}`, "v".repeat(100));
    }
    let failed = 0;
    // From here on only compaction writes one of those.
    use.files.fault = (operation, _, bytes) => {
      if (operation !== "write" || !binaryString(bytes!).includes("cold")) return undefined;
      failed++;
      return "EIO";
    };
    for (let i = 0; i < 100_000 && failed < 20; i++) await use.set(`k${i % 5}`, "v".repeat(100));
    assert(failed >= 20, `${failed} writes of compaction failed`);
    use.files.fault = () => undefined;
    for (let i = 0; i < 20; i++) assertEquals(await use.get(`cold${i}`), "v".repeat(100));
  },
);

withStore(
  "what compaction has moved is known to be whole before the originals go",
  {},
  async (use) => {
    const { files } = use;
    // The directory at the moment at which the first segment is removed.
    let then: FaultyFiles | undefined;
    files.fault = (operation, path) => {
      const isFirst = operation === "remove" && path.endsWith(".log") &&
        use.own("compaction_moved_bytes") > 0;
      if (isFirst && then === undefined) {
        then = new FaultyFiles(new Random(3));
        for (const name of files.list("d")) then.place(`d/${name}`, files.content(`d/${name}`));
      }
      return undefined;
    };
    for (let i = 0; then === undefined && i < 20_000; i++) {
      // Nothing else brings a marker with it once compaction has begun.
      if (use.own("compaction_moved_bytes") > 0) {
        await turn();
        continue;
      }
      await use.set(`k${i % 5}`, "v".repeat(100));
      if (i % 3 === 0 && i < 600) await use.set(`cold${i}`, "c".repeat(100));
      if (i % 50 === 0) await turn();
    }
    assert(then !== undefined);
    const { next, hashKey } = JSON.parse(
      binaryString(then.content("d/MANIFEST")).split("\n")[0],
    );
    const tail = then.content(`d/${String(next).padStart(10, "0")}.log`);
    const seed = segmentSeed(new Uint8Array(Buffer.from(hashKey, "hex")), next);
    const record = new RecordReader();
    record.over(tail);
    let last = 0;
    for (let at = 64; record.parse(at, tail.length, seed, at); at += record.size) {
      if (record.kind === Kind.item) last = at;
    }
    // A damaged copy must not be taken for the log's torn end.
    tail[last + 60] ^= 1;
    const options = { directory: "d", files: then, clock: use.clock, log: () => {} };
    await assertRejects(
      () => openDiskStore({ ...options, fsync: "no", memoryLimit: 0 }),
      ExitError,
      "where it was known to be whole",
    );
  },
);

withStore("at max-disk with evict an item that can never fit is refused, and nothing goes for it", {
  maxDisk: 20 * SEGMENT,
  evict: true,
}, async (use) => {
  for (let i = 0; i < 500; i++) await use.set(`k${i}`, "x".repeat(200));
  await assertRejects(
    async () => await use.set("large", "x".repeat(20 * SEGMENT)),
    OutOfSpaceError,
  );
  assertEquals(use.store.info().items, 500);
  assertEquals(use.store.info().evictions, 0);
});

withStore("the room of a record of 32 MiB and more comes back when it is overwritten", {
  fsync: "always",
  segmentBytes: 1 << 16,
}, async (use) => {
  const value = "x".repeat(33 << 20);
  for (let i = 0; i < 4; i++) {
    await use.set("large", value);
    // What was synced is marked in the log, with the next tick if nothing else is written.
    const before = use.own("log_bytes");
    while (use.own("log_bytes") === before) await turn();
    assertEquals(use.own("live_bytes"), recordSize(5, value.length));
  }
  while (use.own("log_bytes") > 2 * value.length) await turn();
  assertEquals(await use.get("large") === value, true);
  await use.store.swap(bytesOf("large"), "any", null);
  await use.store.commit();
  assertEquals(use.store.info().bytes, 0);
});

withStore("the memory for records is set anew while the store runs", {
  memoryLimit: 1 << 22,
}, async (use) => {
  const memory = () => use.own("cache_bytes");
  for (let i = 0; i < 2000; i++) await use.set(`k${i}`, "x".repeat(500));
  assert(memory() > 1 << 20, `${memory()} bytes`);
  assertEquals(use.store.store.limitMemory!(1 << 18), true);
  for (let i = 0; i < 2000; i++) assertEquals(await use.get(`k${i}`), "x".repeat(500));
  assert(memory() <= 1 << 18, `${memory()} bytes`);
  assertEquals(use.store.store.limitMemory!(Number.MAX_SAFE_INTEGER), false);
  assertEquals(await use.get("k7"), "x".repeat(500));
  assert(memory() <= 1 << 18, `${memory()} bytes`);
});

withStore(
  "a full file system refuses sets, not deletes, and forgets it when there is room",
  {},
  async (use) => {
    use.files.capacity = 16 * SEGMENT;
    let stored = 0;
    await assertRejects(async () => {
      for (;; stored++) await use.set(`k${stored}`, "x".repeat(200));
    }, OutOfSpaceError);
    assertEquals(await use.get("k5"), "x".repeat(200));
    assertEquals(await use.store.swap(bytesOf("k5"), "any", null), 0n);
    await use.store.commit();
    assertEquals(await use.get("k5"), undefined);
    use.files.capacity *= 2;
    await use.set("again", "there is room");
    assertEquals(await use.get("again"), "there is room");
  },
);

for (const evict of [false, true]) {
  withStore(
    `compaction ends where a full file system makes segments small and nothing is dead (${
      evict ? "evicting" : "refusing"
    })`,
    { segmentBytes: evict ? 504 : 1 << 12, evict },
    async (use) => {
      // So long that what a segment has beside them is what makes it worth to be given up.
      const value = "x".repeat(evict ? 136 : 970);
      for (let i = 0; i < 60; i++) await use.set(`k${i}`, value);
      await use.reopen();
      // Others have what is left, but for what a little can be moved through.
      use.files.capacity = use.files.used() + 6000;
      await until(() => use.own("free_bytes") <= 6000);
      const done = use.set("more", "x".repeat(3000)).catch(() => {});
      let ends = false;
      done.then(() => ends = true);
      while (!ends && use.own("compactions") < 1000) await turn();
      await until(() => use.own("compacting") === 0 || use.own("compactions") > 1000);
      assert(use.own("compactions") < 1000, "nothing comes of it");
      await done;
    },
  );
}

for (
  const [segmentBytes, length, items, between, reopens, free, fsync] of [
    [512, 209, 32, 1, 1, 1313, "always"],
    [512, 123, 31, 1, 2, 1982, "always"],
    [1024, 135, 17, 2, 3, 2152, "always"],
    [504, 194, 33, 3, 3, 1743, "no"],
    [1024, 148, 19, 3, 2, 3062, "no"],
    [512, 29, 20, 1, 2, 3310, "no"],
  ] as const
) {
  withStore(
    `compaction ends where all that segments would give back is flushes to come and hints (${items} items)`,
    { segmentBytes, fsync },
    async (use) => {
      const at = use.clock.now() + 1e9;
      for (let i = 0; i < items; i++) {
        await use.set(`k${i}`, "x".repeat(length));
        if (i % between === 0) await use.store.flush(at);
      }
      for (let i = 0; i < reopens; i++) {
        await use.reopen();
        if (between !== 2) await use.store.flush(at);
      }
      use.files.capacity = use.files.used() + free;
      const isEndless = () => use.own("compactions") > 1000;
      await until(() => use.own("free_bytes") <= free || isEndless());
      let ends = false;
      const done = use.set("more", "x".repeat(4000)).catch(() => {}).finally(() => ends = true);
      while (!ends && !isEndless()) await turn();
      await until(() => use.own("compacting") === 0 || isEndless());
      assert(!isEndless(), "nothing comes of it");
      await done;
    },
  );
}

withStore(
  "a start on a full file system serves what is there, and writes when there is room",
  {},
  async (use) => {
    await use.set("k", "v");
    await use.store.close();
    use.files.capacity = use.files.used();
    await use.reopen();
    assertEquals(await use.get("k"), "v");
    await assertRejects(async () => await use.set("l", "w"), OutOfSpaceError, "no space left");
    use.files.capacity = Infinity;
    for (let stored = false; !stored; await turn()) {
      stored = await use.set("l", "w").then(() => true, () => false);
    }
    await use.reopen();
    assertEquals([await use.get("k"), await use.get("l")], ["v", "w"]);
  },
);

for (const flushed of [false, true]) {
  withStore(
    `a start on a full file system gives up what is dead by itself (${
      flushed ? "flushed" : "replaced"
    })`,
    {},
    async (use) => {
      const value = "v".repeat(400);
      for (let i = 0; i < 200; i++) await use.set(`replaced${i}`, value);
      for (let i = 0; i < 400; i++) await use.set(`stays${i}`, value);
      for (let i = 0; i < 200; i++) await use.set(`replaced${i}`, "");
      const { files } = use;
      if (flushed) {
        // What the flush has emptied is still there at the next start.
        files.fault = (operation, path) =>
          operation === "open" && path.includes("MANIFEST") ? "EIO" : undefined;
        await use.store.flush(0);
      }
      await use.store.close();
      files.fault = () => undefined;
      const before = files.used();
      files.capacity = before;
      await use.reopen();
      assertEquals(await use.get("stays7"), flushed ? undefined : value);
      await until(() => files.used() < before - 2 * SEGMENT);
      await until(() => new Map(use.store.info().own).get("state") === "ok");
      await until(() => use.own("compacting") === 0);
      const left = files.list("d").filter((name) => !name.startsWith("M"));
      const bytes = left.reduce((sum, name) => sum + files.content(`d/${name}`).length, 0);
      assertEquals(use.own("log_bytes"), bytes, "what is gone takes no room");
      assertEquals(
        left.some((name) => name.endsWith(".hint")),
        !flushed,
        "hints of what lives stay",
      );
      await use.set("l", "w");
      await use.reopen();
      assertEquals(await use.get("l"), "w");
      assertEquals(use.store.info().items, flushed ? 1 : 601);
    },
  );
}

withStore("a full directory that was flushed takes items again, and refuses none", {
  maxDisk: 16 * SEGMENT,
}, async (use) => {
  const value = "x".repeat(400);
  let stored = 0;
  await assertRejects(async () => {
    for (;; stored++) await use.set(`k${stored}`, value);
  }, OutOfSpaceError);
  await use.store.flush(use.clock.now());
  // The segment with the flush itself stays for a while.
  const again = Math.floor(stored * 0.8);
  for (let i = 0; i < again; i++) await use.set(`other ${i}`, value);
  assertEquals(use.store.info().items, again);
});

withStore("a write that the disk refuses is as if it had not been asked for", {}, async (use) => {
  await use.set("k", "before");
  for (const code of ["EIO", "ENOSPC"]) {
    use.files.fault = (operation) => operation === "write" ? code : undefined;
    await use.store.swap(bytesOf("k"), "any", itemOf("refused"));
    await use.store.swap(bytesOf("new"), "any", itemOf("refused"));
    await assertRejects(async () => await use.store.commit(), StoreError, "Cannot write to");
    use.files.fault = () => undefined;
    assertEquals(await use.get("k"), "before");
    assertEquals(await use.get("new"), undefined);
    assertEquals(use.store.info().items, 1);
  }
  await use.set("k", "after");
  await use.reopen();
  assertEquals(await use.get("k"), "after");
});

withStore("after a sync that failed writes are refused with the cause, and reads go on", {
  fsync: "always",
}, async (use) => {
  await use.set("k", "safe");
  use.files.fault = (operation) => operation === "sync" ? "EIO" : undefined;
  await use.store.swap(bytesOf("k"), "any", itemOf("unsure"));
  await use.store.swap(bytesOf("l"), "any", itemOf("unsure"));
  await assertRejects(
    async () => await use.store.commit(),
    StoreError,
    "a sync of 'd' failed: EIO",
  );
  use.files.fault = () => undefined;
  await assertRejects(async () => await use.set("m", "v"), StoreError, "Writes are refused");
  // Nobody can say before the next start which of the two is there.
  await assertRejects(async () => await use.get("k"), StoreError, "a sync of 'd' failed");
  assertEquals(await use.get("other"), undefined);
  const own = new Map(use.store.info().own);
  assertEquals(own.get("state"), "failed");
  assert(String(own.get("state_reason")).includes("EIO"));
  await use.store.close().catch(() => {});
});

withStore(
  "with evict no more is evicted than makes room, also when writers wait for it",
  { maxDisk: 1 << 18, evict: true },
  async ({ store, set }) => {
    let least = Infinity;
    for (let i = 0; i < 3000; i += 4) {
      await Promise.all([0, 1, 2, 3].map((more) => set(`k${i + more}`, "v".repeat(300))));
      if (i >= 800) least = Math.min(least, store.info().items);
    }
    assert(least > 400, `${least} of about 600 items were left`);
    assert(store.info().evictions > 2000);
  },
);

withStore(
  "a listing that nobody takes holds no more than there is room for, and nothing is evicted in vain",
  { maxDisk: 1 << 18, evict: true },
  async ({ store, set, own }) => {
    const fill = async (from: number, count: number) => {
      let refused = 0;
      for (let i = from; i < from + count; i++) {
        await set(`k${i}`, "v".repeat(300)).catch((error) => {
          assert(error instanceof OutOfSpaceError);
          refused++;
        });
        assert(own("log_bytes") + own("held_bytes") <= 1 << 18);
      }
      return refused;
    };
    assertEquals(await fill(0, 1500), 0);
    const listing = store.scan()[Symbol.asyncIterator]();
    await listing.next();
    const { evictions, items } = store.info();
    assert(await fill(1500, 1500) > 0, "what is listed takes its room");
    assert(store.info().evictions - evictions < items / 2, "no more is evicted than makes room");
    await listing.return!();
    assertEquals(await fill(3000, 1500), 0);
    assertEquals(own("held_bytes"), 0);
  },
);

withStore(
  "while a listing holds what is dead, nothing is moved to and fro for it",
  {},
  async ({ store, set, own }) => {
    for (let i = 0; i < 300; i++) await set(`k${i}`, "v".repeat(300));
    const listing = store.scan()[Symbol.asyncIterator]();
    await listing.next();
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 300; i++) await set(`k${i}`, "w".repeat(300));
    }
    // Now nobody writes, and what compaction can do comes to an end.
    while (own("compacting") === 1) await turn();
    assert(own("compaction_moved_bytes") < own("log_bytes"));
    await listing.return!();
    for (let i = 0; i < 300; i++) await set(`k${i}`, "x".repeat(300));
    while (own("log_bytes") > 2 * own("live_bytes") + 3 * SEGMENT) await turn();
  },
);

withStore(
  "while a listing holds what tombstones guard against, they are not moved to and fro",
  {},
  async ({ store, set, own }) => {
    for (let i = 0; i < 1000; i++) await set(`k${i}`, "v");
    const listing = store.scan()[Symbol.asyncIterator]();
    await listing.next();
    for (let i = 0; i < 1000; i++) await store.swap(bytesOf(`k${i}`), "any", null);
    await store.commit();
    while (own("compacting") === 1 && own("compactions") < 1000) await turn();
    assert(own("compactions") < 1000, "compaction comes to an end");
    await listing.return!();
    await set("k", "v");
    while (own("log_bytes") > 3 * SEGMENT) await turn();
  },
);

withStore(
  "what a flush removes while it is listed takes its room until the listing ends",
  { maxDisk: 1 << 18 },
  async ({ store, set, own }) => {
    const fill = async () => {
      let refused = 0;
      for (let i = 0; i < 500; i++) {
        await set(`k${i}`, "v".repeat(300)).catch((error) => {
          assert(error instanceof OutOfSpaceError);
          refused++;
        });
      }
      return refused;
    };
    assertEquals(await fill(), 0);
    const listing = store.scan()[Symbol.asyncIterator]();
    await listing.next();
    await store.flush(0);
    while (own("segments") > 2) await turn();
    assert(own("held_bytes") > 3 * SEGMENT);
    assert(await fill() > 0);
    assert(own("log_bytes") + own("held_bytes") <= 1 << 18);
    await listing.return!();
    assertEquals(own("held_bytes"), 0);
    assertEquals(await fill(), 0);
  },
);
