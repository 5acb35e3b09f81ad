import { assertEquals, assertMatch } from "@std/assert";
import { HotKeys } from "../../lib/observe/hot_keys.ts";
import { Timing } from "../../lib/observe/timing.ts";
import { Harness } from "../server/harness.ts";

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
    '<1 get "k" >1 value',
    '<1 get "none" >1 miss',
    "<1 malformed >1 failed: unknownCommand",
  ]);
});
