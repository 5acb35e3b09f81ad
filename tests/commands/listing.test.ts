import { assertEquals } from "@std/assert";
import { ask, Opcode, storing } from "../protocol/binary/frames.ts";
import { Harness } from "../server/harness.ts";
import { rules } from "./rules.ts";

const now = Math.floor(Date.now() / 1000);
const BAD_CLASS = "BADCLASS invalid class id\r\n";
const FORMAT = "CLIENT_ERROR bad command line format\r\n";

/** The lines of `reply` in one order: a listing has the order of the index, which is nobody's. */
function sorted(reply: string): string[] {
  return reply.split(/(?<=\n)/).sort();
}

/** What a second's difference between storing and asking may change. */
function steady(dump: string): string {
  return dump.replaceAll(/ la=\d+/g, " la=N");
}

Deno.test("metadump: tells each item in a line of its own, which a line feed alone ends", async () => {
  await using harness = new Harness();
  await harness.exchange([`set a 7 ${now + 1000} 3\r\nabc\r\nset b 0 0 0\r\n\r\nget b\r\n`]);
  const dump = await harness.exchange(["lru_crawler metadump all\r\n"]);
  assertEquals(
    sorted(steady(dump).replace(/fetch=\w+/g, "")),
    sorted(
      "OK\r\n" +
        `key=a exp=${now + 1000} la=N cas=1  cls=1 size=67 flags=7 \n` +
        "key=b exp=-1 la=N cas=2  cls=1 size=60 flags=0 \n" +
        "END\r\n",
    ),
  );
});

Deno.test("metadump: encodes a key as in a URI", async () => {
  await using harness = new Harness();
  await harness.exchange(["set a%b\x00\xff\t/~-._Z9 0 0 0\r\n\r\n"]);
  const dump = await harness.exchange(["lru_crawler metadump all\r\n"]);
  assertEquals(/key=(\S*)/.exec(dump)?.[1], "a%25b%00%FF%09%2F~-._Z9");
});

Deno.test("metadump: leaves out what has expired and what was flushed", async () => {
  await using harness = new Harness();
  await harness.exchange([
    "set a 0 0 0\r\n\r\nflush_all\r\nset b 0 1 0\r\n\r\nset c 0 0 0\r\n\r\n",
  ]);
  harness.advance(2);
  const dump = await harness.exchange(["lru_crawler metadump all\r\n"]);
  assertEquals([...dump.matchAll(/key=(\S*)/g)].map(([, key]) => key), ["c"]);
});

Deno.test("metadump: returns every key of a large store, and the connection goes on", async () => {
  await using harness = new Harness();
  const names = Array.from({ length: 10_000 }, (_, i) => `key-${i}`);
  await harness.exchange(names.map((name) => `set ${name} 0 0 0 noreply\r\n\r\n`));
  const dump = await harness.exchange(["lru_crawler metadump all\r\n", "get none\r\n"]);
  assertEquals([...dump.matchAll(/key=(\S*)/g)].map(([, key]) => key).sort(), names.sort());
  assertEquals(dump.endsWith("END\r\nEND\r\n"), true);
});

Deno.test("mgdump: returns each key in a form that mg takes", async () => {
  await using harness = new Harness();
  await harness.exchange(["set plain 0 0 0\r\n\r\nset \x01\xff 0 0 0\r\n\r\n"]);
  for (const what of ["all", "hash", "1"]) {
    const dump = await harness.exchange([`lru_crawler mgdump ${what}\r\n`]);
    assertEquals(sorted(dump), sorted("OK\r\nmg plain\r\nmg Af8= b\r\nEN\r\n"));
  }
});

Deno.test("cachedump: returns key, length and expiry, of as many as were asked for", async () => {
  await using harness = new Harness();
  await harness.exchange([`set a 0 0 3\r\nabc\r\nset b 0 ${now + 1000} 0\r\n\r\n`]);
  const items = ["ITEM a [3 b; 0 s]\r\n", `ITEM b [0 b; ${now + 1000} s]\r\n`];
  const all = await harness.exchange(["stats cachedump 1 0\r\n"]);
  assertEquals(sorted(all), sorted(items.join("") + "END\r\n"));
  const one = await harness.exchange(["stats cachedump 1 1\r\n"]);
  assertEquals(items.map((item) => item + "END\r\n").includes(one), true, one);
  assertEquals(await harness.exchange(["stats cachedump 2 0\r\n"]), "END\r\n");
});

rules("listing", {
  "an empty store has an empty list": [
    ["lru_crawler metadump all\r\n", "OK\r\nEND\r\n"],
    ["lru_crawler mgdump all\r\n", "OK\r\nEN\r\n"],
    ["stats cachedump 1 0\r\n", "END\r\n"],
  ],
  "what is no class is refused": [
    ["lru_crawler metadump x\r\n", BAD_CLASS],
    ["lru_crawler mgdump -1\r\n", BAD_CLASS],
    ["lru_crawler metadump 1,x\r\n", BAD_CLASS],
  ],
  "what follows it is answered after it": [
    ["lru_crawler mgdump all\r\nversion\r\n", "OK\r\nEN\r\nVERSION 1.6.45-kvs-test\r\n"],
  ],
  "the crawler's other commands have nothing to do": [
    ["lru_crawler enable\r\n", "ERROR failed to start lru crawler thread\r\n"],
    ["lru_crawler disable\r\n", "OK\r\n"],
    ["lru_crawler metadump all\r\n", "CLIENT_ERROR lru crawler disabled\r\n"],
    ["lru_crawler enable\r\n", "OK\r\n"],
    ["lru_crawler sleep 100\r\n", "OK\r\n"],
    ["lru_crawler sleep 1000001\r\n", "CLIENT_ERROR sleep must be one second or less\r\n"],
    ["lru_crawler sleep x\r\n", FORMAT],
    ["lru_crawler tocrawl 100\r\n", "OK\r\n"],
    ["lru_crawler crawl 1,5\r\n", "OK\r\n"],
    ["lru_crawler crawl abc\r\n", "BADCLASS invalid class id\r\n"],
    ["lru_crawler\r\n", "ERROR\r\n"],
    ["lru_crawler other\r\n", "ERROR\r\n"],
  ],
  "cachedump takes a class and a limit": [
    ["stats cachedump\r\n", "CLIENT_ERROR bad command line\r\n"],
    ["stats cachedump 1\r\n", "CLIENT_ERROR bad command line\r\n"],
    ["stats cachedump x 1\r\n", FORMAT],
    ["stats cachedump 1 x\r\n", FORMAT],
    ["stats cachedump 63 1\r\n", "END\r\n"],
    ["stats cachedump 64 1\r\n", "CLIENT_ERROR Illegal slab id\r\n"],
  ],
});

rules("listing", {
  "it is refused where it is forbidden": [
    ["lru_crawler metadump all\r\n", "ERROR metadump not allowed\r\n"],
    ["lru_crawler mgdump all\r\n", "ERROR key dump not allowed\r\n"],
    ["stats cachedump 1 0\r\n", "CLIENT_ERROR stats cachedump not allowed\r\n"],
  ],
}, { context: { allowDump: false } });

Deno.test("cachedump: leaves out what came in a frame and would break its lines", async () => {
  await using harness = new Harness();
  for (const key of ["a b", "a\nb", "a\x00b"]) {
    await harness.exchange([ask(Opcode.set, { key, extras: storing() })]);
  }
  assertEquals(
    await harness.exchange(["stats cachedump 1 0\r\n"]),
    "ITEM a\x00b [0 b; 0 s]\r\nEND\r\n",
  );
});

Deno.test("listing: it may not follow a reply that waits to be sent", async () => {
  await using harness = new Harness();
  const sent = "version\r\nlru_crawler metadump all\r\nlru_crawler mgdump all\r\nversion\r\n";
  assertEquals(
    await harness.exchange([sent]),
    "VERSION 1.6.45-kvs-test\r\n" +
      "ERROR cannot pipeline other commands before metadump\r\n" +
      "ERROR cannot pipeline other commands before mgdump\r\n" +
      "VERSION 1.6.45-kvs-test\r\n",
  );
});
