import { assert, assertEquals, assertMatch } from "@std/assert";
import { Client } from "../../lib/client/client.ts";
import { pattern } from "../../lib/client/commands/pattern.ts";
import { runClient, Terminal, tmuxMissing } from "./run_client.ts";
import { startKvs } from "./servers.ts";

Deno.test("stat prints a line an interval, with a head, and JSON for programs", async () => {
  await using server = await startKvs();
  const args = ["--interval", "10ms", "--count", "2"];
  const { code, stdout } = await runClient(server.address, ["--stat", ...args]);
  const lines = stdout.trimEnd().split("\n");
  assertEquals([code, lines.length], [0, 3]);
  assertMatch(lines[0]!, /^ +gets\/s +sets\/s +hit % +items +bytes +conns/);
  const json = await runClient(server.address, ["stat", "--json", ...args]);
  const rows = json.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(rows.map(({ items }) => items), [0, 0]);
});

Deno.test("latency prints percentiles that do not fall", async () => {
  await using server = await startKvs();
  for (const name of [["--latency"], ["--latency-history"], ["latency", "--history"]]) {
    const args = [...name, "--interval", "50ms", "--count", "2", "--json"];
    const { code, stdout } = await runClient(server.address, args);
    assertEquals(code, 0);
    for (const line of stdout.trimEnd().split("\n")) {
      const { samples, ...figures } = JSON.parse(line);
      assert(samples > 0);
      const values = Object.values(figures);
      assertEquals(values, values.toSorted((a, b) => Number(a) - Number(b)));
    }
  }
});

Deno.test("bigkeys sums up sizes by prefix, the largest first", async () => {
  await using server = await startKvs();
  using client = new Client({ servers: [server.address] });
  await client.set("user:1", "x".repeat(100));
  await client.set("user:2", "x".repeat(3000));
  await client.set("page:1", "x".repeat(500));
  await client.set("plain", "x");
  const { code, stdout } = await runClient(server.address, ["--bigkeys", "--json"]);
  const rows = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(
    [code, ...rows.map(({ prefix, items, largest }) => [prefix, items, largest])],
    [0, ["user:", 2, "user:2"], ["page:", 1, "page:1"], ["", 1, "plain"]],
  );
  assert(rows[0].bytes > 3100 && rows[0].largestBytes > 3000);
});

Deno.test("keys takes a pattern and a limit", async () => {
  await using server = await startKvs();
  using client = new Client({ servers: [server.address] });
  await Promise.all(["user:1", "user:2", "user:30", "page:1"].map((key) => client.set(key, "v")));
  const keys = async (...args: string[]) =>
    (await runClient(server.address, ["keys", ...args])).stdout.trimEnd().split("\n").sort();
  assertEquals(await keys("user:*"), ["user:1", "user:2", "user:30"]);
  assertEquals(await keys("user:?"), ["user:1", "user:2"]);
  assertEquals((await keys("user:*", "--limit", "2")).length, 2);
});

Deno.test("a pattern fits as a shell's does, and no letter in it is more than itself", () => {
  const fits = (text: string, key: string) => pattern(text)(new TextEncoder().encode(key));
  for (
    const [text, key, fit] of [
      ["*", "", true],
      ["a.c", "abc", false],
      ["a.c", "a.c", true],
      ["[a-c]x", "bx", true],
      ["[^a-c]x", "bx", false],
      ["\\*", "*", true],
      ["\\*", "a", false],
      ["a[", "a[", true],
      ["é?", "éa", true],
      ["(a|b)+$", "(a|b)+$", true],
      ["line*end", "line\n end", true],
    ] as const
  ) assertEquals(fits(text, key), fit, `${text} ${key}`);
});

Deno.test("ttl says when an item expires, and gat moves that", async () => {
  await using server = await startKvs();
  const { code, stdout, stderr } = await runClient(server.address, ["shell"], {
    stdin: "set k v\nttl k\ngat 31d k\nttl k --json\nttl none\n",
  });
  const [never, value, json] = stdout.split("\n");
  assertEquals([code, never, value, stderr], [1, "-1", "v", "not found: none\n"]);
  const { ttl } = JSON.parse(json!);
  assert(ttl > 30 * 86_400 && ttl <= 31 * 86_400, String(ttl));
});

Deno.test({
  name: "watch prints what happens until Ctrl-C, and refuses a stream that there is not",
  ignore: tmuxMissing,
  fn: async () => {
    await using server = await startKvs();
    await using terminal = await Terminal.start("$KVS_CLIENT shell", {
      KVS_SERVERS: server.address,
    });
    await terminal.type("watch", "Enter");
    // Until the watcher is there, what happens is not shown.
    using client = new Client({ servers: [server.address] });
    const setting = (async () => {
      let shown = false;
      terminal.shows(/type=item_store key=seen /).then(() => shown = true, () => shown = true);
      while (!shown) {
        await client.set("seen", "v").then(() => new Promise((r) => setTimeout(r, 20)));
      }
    })();
    await setting;
    await terminal.type("C-c");
    await terminal.shows(/\ninterrupted\n[^\n]*>/);
    const { code, stderr } = await runClient(server.address, ["watch", "nothing"]);
    assertEquals(code, 64);
    assertMatch(stderr, /watch: STREAM takes one of fetchers, .*, received 'nothing'/);
  },
});
