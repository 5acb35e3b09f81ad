import { assertEquals, assertMatch } from "@std/assert";
import { CoarseClock } from "../../lib/observe/coarse_clock.ts";
import { HotKeys } from "../../lib/observe/hot_keys.ts";
import { Timing } from "../../lib/observe/timing.ts";
import { Harness } from "../server/harness.ts";
import { receiveAll, send } from "../server/wire.ts";

Deno.test("hot keys: a key of every tenth request is found among more keys than are tracked", () => {
  const hot = new HotKeys();
  for (let i = 0; i < 20_000; i++) hot.add(i % 10 === 0 ? "hot" : `cold${i}`);
  const [{ key, count, error }] = hot.top(1);
  assertEquals([key, count >= 2000, count - error <= 2000], ["hot", true, true]);
});

Deno.test("stats hot: shows the keys asked for most, until they are reset", async () => {
  await using harness = new Harness({ context: { timing: new Timing() } });
  await harness.exchange(["get b a%20b a%20b\r\n"]);
  assertEquals(
    await harness.exchange(["stats hot\r\n"]),
    "STAT 1:key a%2520b\r\nSTAT 1:count 2\r\nSTAT 1:error 0\r\n" +
      "STAT 2:key b\r\nSTAT 2:count 1\r\nSTAT 2:error 0\r\nEND\r\n",
  );
  await harness.exchange(["stats reset\r\n"]);
  assertEquals(await harness.exchange(["stats hot\r\n"]), "END\r\n");
});

Deno.test("stats hot and slow: the bytes of a key are percent-encoded, as in a listing", async () => {
  await using harness = new Harness({ context: { timing: new Timing(0) } });
  await harness.exchange(["get caf\xc3\xa9\r\n"]);
  assertMatch(await harness.exchange(["stats hot\r\n"]), /^STAT 1:key caf%C3%A9\r\n/);
  assertMatch(
    await harness.exchange(["stats slow\r\n"]),
    /\d:command get\r\nSTAT \d:key caf%C3%A9\r\n/,
  );
});

Deno.test("stats slow: shows what a request over the threshold asked for", async () => {
  const timing = new Timing(0);
  await using harness = new Harness({ context: { timing } });
  await harness.exchange(["get a\r\nget b\r\n"]);
  const reply = await harness.exchange(["stats slow\r\n"]);
  assertMatch(reply, /^STAT slow_total 1\r\nSTAT 1:time [\d.]+\r\nSTAT 1:ms [\d.]+\r\n/);
  assertMatch(
    reply,
    /1:command get\r\nSTAT 1:key a\r\nSTAT 1:requests 2\r\nSTAT 1:connection 1\r\nEND\r\n$/,
  );
});

Deno.test("stats slow: a batch is slow by the one reading at its end, whoever read the clock before", () => {
  let now = 0;
  const coarse = new CoarseClock(10, () => now);
  using _timer = coarse;
  const timing = new Timing(100, () => now, undefined, coarse);
  const request = { op: "get", bytes: new Uint8Array(1), keyStart: 0, keyEnd: 1 };
  const run = (milliseconds: number) => {
    const batch = timing.begin()!;
    batch.note(request);
    now += milliseconds;
    timing.end(batch, 1);
  };
  run(99);
  run(1);
  assertEquals(timing.slow.total, 0);
  run(100);
  assertEquals(timing.slow.list().map(({ milliseconds }) => milliseconds), [100]);
  run(99);
  assertEquals(timing.slow.total, 1);
});

Deno.test("timing: what a thread has timed is counted by another as if it were its own", () => {
  const here = new Timing(100);
  const there = new Timing(100, undefined, (told) => here.take(told));
  const batch = there.begin()!;
  batch.note({ op: "get", bytes: new TextEncoder().encode("key"), keyStart: 0, keyEnd: 3 });
  there.end(batch, 7);
  assertEquals(here.requests.get("get")?.count, 1);
  assertEquals(there.requests.size, 0);
  assertEquals(here.hot.top(1).map(({ key, count }) => [key, count]), [["key", 1]]);
});

Deno.test("coarse clock: the first reading after a silence is the time as it is", async () => {
  let now = 0;
  using clock = new CoarseClock(1, () => now);
  assertEquals(clock.recent(), 0);
  now = 500;
  while (clock.recent() !== 500) await new Promise((resolve) => setTimeout(resolve, 1));
});

Deno.test("stats slow: remembers the last 128", async () => {
  const timing = new Timing(0);
  await using harness = new Harness({ context: { timing } });
  await harness.exchange(Array.from({ length: 200 }, (_, i) => `get k${i}\r\n`));
  const reply = await harness.exchange(["stats slow\r\n"]);
  assertMatch(reply, /^STAT slow_total 200\r\n[^]*1:key k199\r\n[^]*128:key k72\r\n/);
  assertEquals(reply.includes("129:key"), false);
});

Deno.test("stats slow and stats hot: say that nobody asked for them", async () => {
  await using harness = new Harness();
  assertEquals(
    await harness.exchange(["stats slow\r\nstats hot\r\n"]),
    "STAT slow_status disabled\r\nEND\r\nSTAT hot_status disabled\r\nEND\r\n",
  );
});

Deno.test("stats slow and stats hot: show no keys where listings of keys are forbidden", async () => {
  await using harness = new Harness({ context: { timing: new Timing(0), allowDump: false } });
  assertEquals(
    await harness.exchange(["stats slow\r\nstats hot\r\n"]),
    "CLIENT_ERROR stats slow not allowed\r\nCLIENT_ERROR stats hot not allowed\r\n",
  );
});

Deno.test("-vv: each request is a line with what came of it, and no value or password", async () => {
  await using harness = new Harness();
  harness.context.live.verbosity = 2;
  await harness.exchange(["set k 0 0 6\r\nsecret\r\nget k none\r\nnonsense\r\n"]);
  assertEquals(harness.said, [
    '<1 store "k" >1 stored',
    '<1 get "k" >1 value 0 6',
    '<1 get "none" >1 miss',
    "<1 malformed >1 failed: unknownCommand",
  ]);
});

Deno.test("-vv and -vvv: connections are said, and then each read and write", async () => {
  for (const verbosity of [2, 3]) {
    await using harness = new Harness({}, true);
    harness.context.live.verbosity = verbosity;
    using conn = await harness.connect();
    await send(conn, "get k\r\nquit\r\n");
    await receiveAll(conn);
    while (!harness.said.some((line) => line.includes("connection closed"))) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const lines = harness.said.map((line) => line.replaceAll(/127\.0\.0\.1:\d+/g, "HERE"));
    assertEquals(lines, [
      "<2 new connection from tcp:HERE by tcp:HERE",
      ...verbosity > 2 ? ["<2 read 13 bytes"] : [],
      '<2 get "k" >2 miss',
      "<2 quit >2 ok (noreply)",
      ...verbosity > 2 ? [">2 sent 5 bytes"] : [],
      "<2 connection closed: normal",
    ]);
  }
});
