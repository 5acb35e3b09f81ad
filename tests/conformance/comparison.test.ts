import { assert, assertEquals } from "@std/assert";
import { AdjustableClock } from "../../lib/clock.ts";
import { openDiskStore } from "../../lib/storage/disk/mod.ts";
import { Harness } from "../server/harness.ts";
import { exchangeWith } from "../server/wire.ts";
import { differences } from "./differences.ts";
import { memcachedPackage, startMemcached } from "./memcached.ts";
import { type Scripts, scripts } from "./scripts.ts";
import { Uniques } from "./uniques.ts";

type Address = Parameters<typeof exchangeWith>[0];

/** Sends the scripts to a server, each after a flush, and returns its replies. */
async function replies(address: Address, scripts: Scripts): Promise<Map<string, string[]>> {
  const all = new Map<string, string[]>();
  for (const [name, sends] of Object.entries(scripts)) {
    assertEquals(await exchangeWith(address, "flush_all\r\n"), "OK\r\n");
    const uniques = new Uniques();
    const received: string[] = [];
    for (const sent of sends) {
      received.push(uniques.hide(await exchangeWith(address, uniques.fill(sent))));
    }
    all.set(name, received);
  }
  return all;
}

/** What kvs must answer: what memcached answers, but for the differences that are listed. */
function expectedFrom(memcached: Map<string, string[]>): Map<string, string[]> {
  const expected = new Map([...memcached].map(([name, received]) => [name, received.slice()]));
  for (const { why, answers } of differences) {
    for (const [name, send, reply] of answers) {
      const received = expected.get(name);
      assert(received !== undefined && send < received.length, `${name}: there is no send ${send}`);
      assert(received[send] !== reply, `${name}: there is no difference any more (${why})`);
      received[send] = reply;
    }
  }
  return expected;
}

function compare(store: string, harness: () => Promise<Harness & AsyncDisposable>): void {
  Deno.test({
    name: memcachedPackage.named(
      `kvs (${store}) answers ${Object.keys(scripts).length} scripts byte for byte as memcached ` +
        "1.6.18 does, but for the differences listed",
    ),
    ignore: memcachedPackage.skipped,
    fn: async () => {
      memcachedPackage.require();
      // A thread that walks the items holds them for moments, which shows in how numbers are padded.
      await using memcached = await startMemcached("-o", "no_lru_maintainer");
      await using kvs = await harness();
      const expected = expectedFrom(
        await replies({ transport: "unix", path: memcached.path }, scripts),
      );
      const found = await replies(kvs.port, scripts);
      const mistakes = [...found].flatMap(([name, received]) =>
        received.flatMap((reply, i) => {
          const wanted = expected.get(name)![i];
          return reply === wanted ? [] : [{ name, sent: scripts[name][i], wanted, reply }];
        })
      );
      assertEquals(mistakes, []);
    },
  });
}

compare("memory", () => Promise.resolve(new Harness({}, true)));

compare("disk", async () => {
  const directory = await Deno.makeTempDir();
  const clock = new AdjustableClock();
  const store = await openDiskStore({
    clock,
    log: () => {},
    directory,
    memoryLimit: 8 * 2 ** 20,
    fsync: "no",
    maxDisk: 0,
    evict: false,
  });
  const harness = new Harness({ clock, store: () => store }, true);
  return Object.assign(harness, {
    async [Symbol.asyncDispose]() {
      await Harness.prototype[Symbol.asyncDispose].call(harness);
      await Deno.remove(directory, { recursive: true });
    },
  });
});

Deno.test({
  name: memcachedPackage.named("stats has the names of memcached 1.6.18 in its order"),
  ignore: memcachedPackage.skipped,
  fn: async () => {
    memcachedPackage.require();
    await using memcached = await startMemcached();
    await using kvs = new Harness({}, true);
    const namesOf = (stats: string) => [...stats.matchAll(/STAT (\S+) /g)].map(([, name]) => name);
    const address = { transport: "unix", path: memcached.path } as const;
    const theirs = namesOf(await exchangeWith(address, "stats\r\n"));
    const ours = namesOf(await exchangeWith(kvs.port, "stats\r\n"));
    // Later memcacheds tell why pages are not reassigned, and no more what that evicts.
    const later = ["slab_reassign_busy_nomem", "slab_reassign_last_busy_status"];
    assertEquals(
      ours.filter((name) => !later.includes(name)),
      theirs.filter((name) => name !== "slab_reassign_evictions_nomem"),
    );
  },
});
