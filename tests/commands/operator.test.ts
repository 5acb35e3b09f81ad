/** Commands for operators: limits, counts by prefix, classes, the clock of tests. */

import { assertEquals } from "@std/assert";
import { PrefixCounts } from "../../lib/observe/prefixes.ts";
import { AdjustableClock } from "../../lib/clock.ts";
import { openMemoryStore } from "../../lib/storage/memory/mod.ts";
import { Harness } from "../server/harness.ts";
import { WrappedStore } from "../server/wrapped_store.ts";
import { rules } from "./rules.ts";

const FORMAT = "CLIENT_ERROR bad command line format\r\n";
const USAGE = "CLIENT_ERROR usage: stats detail on|off|dump\r\n";
const TOO_SMALL = "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n";

rules("cache_memlimit", {
  "takes megabytes": [["cache_memlimit 8\r\ncache_memlimit 1024 x\r\n", "OK\r\nOK\r\n"]],
  "refuses less than 8": [
    ["cache_memlimit 7\r\ncache_memlimit 0\r\n", TOO_SMALL + TOO_SMALL],
  ],
  "takes so many as must be bytes for bytes": [
    [
      "cache_memlimit 1000000001\r\n",
      "MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n",
    ],
  ],
  "without a number is an ERROR": [
    ["cache_memlimit\r\ncache_memlimit x\r\ncache_memlimit -8\r\n", "ERROR\r\nERROR\r\nERROR\r\n"],
  ],
  "with noreply is not answered": [[
    "cache_memlimit 8 noreply\r\ncache_memlimit 1 noreply\r\n",
    "",
  ]],
});

Deno.test("cache_memlimit moves the limit of the store, which stats and settings tell", async () => {
  await using harness = new Harness();
  await harness.exchange(["cache_memlimit 9\r\n"]);
  assertEquals(
    /limit_maxbytes (\d+)/.exec(await harness.exchange(["stats\r\n"]))![1],
    `${9 * 2 ** 20}`,
  );
  assertEquals(harness.context.live.memoryLimit, 9 * 2 ** 20);
});

Deno.test("cache_memlimit to less than there is throws items out at the next store", async () => {
  const clock = new AdjustableClock();
  const store = openMemoryStore({ clock, log: () => {}, limit: 2 ** 26, evict: true });
  await using harness = new Harness({ clock, store: () => store });
  const value = "x".repeat(2 ** 19);
  for (let i = 0; i < 20; i++) {
    await harness.exchange([`set k${i} 0 0 ${value.length}\r\n${value}\r\n`]);
  }
  await harness.exchange(["cache_memlimit 8\r\nset k 0 0 1\r\na\r\n"]);
  assertEquals(store.info().bytes <= 8 * 2 ** 20, true);
  assertEquals(
    await harness.exchange(["get k0\r\nget k\r\n"]),
    "END\r\nVALUE k 0 1\r\na\r\nEND\r\n",
  );
});

Deno.test("cache_memlimit of a store that has no such limit fails", async () => {
  await using harness = new Harness({ store: () => new WrappedStore(new AdjustableClock()) });
  assertEquals(
    await harness.exchange(["cache_memlimit 8\r\n"]),
    "MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust\r\n",
  );
});

const SET = "set a:1 0 0 1\r\nx\r\n";
rules("stats detail", {
  "counts nothing before it is on": [
    [`${SET}get a:1\r\nstats detail dump\r\n`, "STORED\r\nVALUE a:1 0 1\r\nx\r\nEND\r\nEND\r\n"],
  ],
  "counts by what stands before the first delimiter": [
    ["stats detail on\r\n", "OK\r\n"],
    [`${SET}set a:b:2 0 0 1\r\nx\r\nset :c 0 0 1\r\nx\r\n`, "STORED\r\n".repeat(3)],
    [
      "stats detail dump\r\n",
      "PREFIX a get 0 hit 0 set 2 del 0\r\nPREFIX  get 0 hit 0 set 1 del 0\r\nEND\r\n",
    ],
  ],
  "counts gets, hits, sets and deletes": [
    ["stats detail on\r\n", "OK\r\n"],
    [
      `${SET}get a:1 a:2 a:3\r\ndelete a:1\r\ndelete a:2\r\n`,
      "STORED\r\nVALUE a:1 0 1\r\nx\r\nEND\r\nDELETED\r\nNOT_FOUND\r\n",
    ],
    ["stats detail dump\r\n", "PREFIX a get 3 hit 1 set 1 del 2\r\nEND\r\n"],
  ],
  "counts meta commands": [
    ["stats detail on\r\n", "OK\r\n"],
    ["ms a:1 1\r\nx\r\nmg a:1\r\nmg a:2\r\nmd a:1\r\n", "HD\r\nHD\r\nEN\r\nHD\r\n"],
    ["stats detail dump\r\n", "PREFIX a get 2 hit 1 set 1 del 1\r\nEND\r\n"],
  ],
  "counts no key without the delimiter": [
    [
      "stats detail on\r\nset a 0 0 1\r\nx\r\nget a\r\n",
      "OK\r\nSTORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n",
    ],
    ["stats detail dump\r\n", "END\r\n"],
  ],
  "keeps its counts when it is off, until a reset": [
    [`stats detail on\r\n${SET}stats detail off\r\n${SET}`, "OK\r\nSTORED\r\nOK\r\nSTORED\r\n"],
    ["stats detail dump\r\n", "PREFIX a get 0 hit 0 set 1 del 0\r\nEND\r\n"],
    ["stats reset\r\nstats detail dump\r\n", "RESET\r\nEND\r\n"],
  ],
  "says how it is used": [
    ["stats detail\r\nstats detail x\r\nstats detail onx\r\n", USAGE.repeat(3)],
  ],
});

rules("stats detail", {
  "is refused where listings are": [
    [
      "stats detail on\r\nstats detail dump\r\n",
      "CLIENT_ERROR stats detail not allowed\r\n".repeat(2),
    ],
  ],
}, { context: { allowDump: false } });

Deno.test("stats detail takes the delimiter that it is given", async () => {
  await using harness = new Harness({ context: { prefixes: new PrefixCounts("/", true) } });
  await harness.exchange(["get a/b:c\r\n"]);
  assertEquals(
    await harness.exchange(["stats detail dump\r\n"]),
    "PREFIX a get 1 hit 0 set 0 del 0\r\nEND\r\n",
  );
});

Deno.test("stats detail counts a bounded number of prefixes", async () => {
  await using harness = new Harness({ context: { prefixes: new PrefixCounts(":", true) } });
  const gets = Array.from({ length: 10_100 }, (_, i) => `p${i}:`).join(" ");
  await harness.exchange([`get ${gets}\r\n`]);
  const dump = await harness.exchange(["stats detail dump\r\n"]);
  assertEquals(dump.split("\r\n").length, 10_000 + 2);
});

rules("stats sizes", {
  "counts items by their size in steps of 32 bytes": [
    [
      `set a 0 0 1\r\nx\r\nset b 0 0 4\r\nxxxx\r\nset c 0 0 5\r\nxxxxx\r\nset d 0 0 100\r\n${
        "x".repeat(100)
      }\r\n`,
      "STORED\r\n".repeat(4),
    ],
    ["stats sizes\r\n", "STAT 64 2\r\nSTAT 96 1\r\nSTAT 160 1\r\nEND\r\n"],
    ["stats sizes x\r\n", "STAT 64 2\r\nSTAT 96 1\r\nSTAT 160 1\r\nEND\r\n"],
  ],
  "of nothing has nothing": [["stats sizes\r\n", "END\r\n"]],
}, { context: { trackSizes: true } });

rules("lru_crawler", {
  "class 1 has all items, the others none": [
    ["set k 0 0 1\r\na\r\n", "STORED\r\n"],
    ["lru_crawler mgdump 1\r\n", "OK\r\nmg k\r\nEN\r\n"],
    ["lru_crawler mgdump 5\r\n", "OK\r\nEN\r\n"],
    ["lru_crawler mgdump 63\r\n", "OK\r\nEN\r\n"],
    ["lru_crawler mgdump 2,1,3\r\n", "OK\r\nmg k\r\nEN\r\n"],
    ["lru_crawler metadump 2,3\r\n", "OK\r\nEND\r\n"],
  ],
  "a class that is none is told so": [
    ...["0", "64", "999", "abc", "1,999", "-1"].map((id) =>
      [`lru_crawler metadump ${id}\r\n`, "BADCLASS invalid class id\r\n"] as const
    ),
    [
      "lru_crawler crawl abc\r\nlru_crawler crawl 64\r\n",
      "BADCLASS invalid class id\r\n".repeat(2),
    ],
  ],
  "a word too many is an ERROR": [
    ["lru_crawler metadump all x\r\nlru_crawler enable x\r\n", "ERROR\r\nERROR\r\n"],
  ],
  "a sleep and a tocrawl without a number have a bad format": [
    ["lru_crawler sleep x\r\nlru_crawler tocrawl x\r\n", FORMAT + FORMAT],
  ],
});

Deno.test("debugtime moves the clock of a server under test", async () => {
  const clock = new AdjustableClock();
  await using harness = new Harness({ clock, context: { debugClock: clock } });
  clock.pause();
  await harness.exchange(["set k 0 10 1\r\na\r\n"]);
  assertEquals(await harness.exchange(["debugtime 9\r\nmg k t\r\n"]), "OK\r\nHD t1\r\n");
  assertEquals(await harness.exchange(["debugtime 1\r\nmg k t\r\n"]), "OK\r\nEN\r\n");
  assertEquals(
    await harness.exchange(["debugtime -1\r\ndebugtime p\r\ndebugtime r\r\n"]),
    "OK\r\n".repeat(3),
  );
  assertEquals(await harness.exchange(["debugtime\r\ndebugtime x\r\n"]), "ERROR\r\nERROR\r\n");
});

rules("debugtime", {
  "is unknown to a server that is not under test": [["debugtime 9\r\n", "ERROR\r\n"]],
});
