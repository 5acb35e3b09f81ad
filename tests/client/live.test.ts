import { assert, assertEquals, assertMatch } from "@std/assert";
import { Client } from "../../lib/client/client.ts";
import { pattern } from "../../lib/client/commands/pattern.ts";
import { runClient, Terminal, tmuxMissing } from "./run_client.ts";
import { memcachedMissing, startKvs, startMemcached } from "./servers.ts";

/** Does something again and again until a terminal shows it: a watcher sees nothing before it is there. */
async function untilSeen(act: () => Promise<unknown>, seen: Promise<unknown>): Promise<void> {
  let isSeen = false;
  const seeing = seen.finally(() => isSeen = true);
  seeing.catch(() => {});
  while (!isSeen) {
    await act();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await seeing;
}

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

/** A command on a terminal, and what is seen there. */
function on(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `on a terminal ${name}`, ignore: tmuxMissing, fn });
}

/** A text in a colour of the terminal. */
function colour(code: number, text: string): RegExp {
  return new RegExp(`\x1b\\[${code}m${text}`);
}

on("stat shows a head and a row an interval, and Ctrl-C ends it", async () => {
  await using server = await startKvs();
  await using terminal = await Terminal.start("$KVS_CLIENT --stat --interval 10ms", {
    KVS_SERVERS: server.address,
  });
  await terminal.shows(/^ +gets\/s +sets\/s +hit %[^\n]*\n( +[\d,.]+){9}\n( +[\d,.]+){9}\n/);
  await terminal.type("C-c");
  await terminal.shows(/interrupted\nended with 130/);
});

on(
  "latency writes its percentiles over one line, and with --history one below the other",
  async () => {
    await using server = await startKvs();
    const env = { KVS_SERVERS: server.address };
    const row = String.raw`samples \d+ {2}min [\d.]+ {2}p50 [\d.]+[^\n]* max [\d.]+`;
    {
      await using terminal = await Terminal.start("$KVS_CLIENT --latency --interval 10ms", env);
      const [, first] = /samples (\d+)/.exec(await terminal.shows(new RegExp(`^${row}`)))!;
      let samples = first;
      while (samples === first) {
        const screen = await terminal.shows(new RegExp(`^${row}\\n*$`));
        samples = /samples (\d+)/.exec(screen)![1]!;
      }
      await terminal.type("C-c");
      await terminal.shows(/max [\d.]+(\^C)?\nkvs-client: interrupted\nended with 130/);
    }
    const command = "$KVS_CLIENT --latency-history --interval 10ms --count 2";
    await using terminal = await Terminal.start(command, env);
    await terminal.shows(new RegExp(`^${row}\\n${row}\\nended with 0`));
  },
);

on("watch and monitor show what happens in colours", async () => {
  await using server = await startKvs();
  using client = new Client({ servers: [server.address] });
  const env = { KVS_SERVERS: server.address, NO_COLOR: "" };
  await using terminal = await Terminal.start("$KVS_CLIENT watch fetchers mutations", env);
  await untilSeen(
    () => client.set("seen", "v"),
    terminal.shows(colour(33, String.raw`ts=\S+ gid=\d+ type=item_store key=seen status=stored`), {
      colours: true,
    }),
  );
  await using monitoring = await Terminal.start("$KVS_CLIENT monitor 'see*'", env);
  await client.set("hidden", "v");
  await untilSeen(
    () => client.get("seen"),
    monitoring.shows(colour(32, "found"), { colours: true }),
  );
  const screen = await monitoring.shows(/ 127\.0\.0\.1:\d+ +get +found +1 +seen\n/);
  assert(!screen.includes("hidden"));
});

Deno.test("monitor shows who does what to which key on all servers, and ends at its count", async () => {
  await using one = await startKvs();
  await using two = await startKvs();
  using first = new Client({ servers: [one.address] });
  using second = new Client({ servers: [two.address], anyKeys: true });
  await second.get("before");
  let isOver = false;
  const monitoring = runClient(`${one.address},${two.address}`, [
    "monitor",
    ...["*", "--json", "--count", "60"],
  ]).finally(() => isOver = true);
  const odd = new Uint8Array([0xff, 0x20, 0x25]);
  // Until the monitor is there, what happens is not shown.
  while (!isOver) {
    await Promise.all([
      first.set("a b%".replace(" ", "_"), "12345"),
      first.delete("a_b%"),
      second.set(odd, "1"),
      second.get("missing"),
    ]);
  }
  const { code, stdout, stderr } = await monitoring;
  assertEquals([code, stderr], [0, ""]);
  const events = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(events.length, 60);
  const seen = (server: string, wanted: Record<string, unknown>) =>
    events.some((event) =>
      event.server === server &&
      Object.entries(wanted).every(([name, value]) => event[name] === value)
    );
  assert(seen(one.address, { command: "set", key: "a_b%", outcome: "stored", size: 5 }));
  assert(seen(one.address, { command: "delete", key: "a_b%", outcome: "deleted" }));
  assert(seen(two.address, { keyBase64: "/yAl", outcome: "stored" }));
  assert(seen(two.address, { command: "get", key: "missing", outcome: "not_found" }));
  assert(events.every(({ client, time }) => client !== undefined && !isNaN(Date.parse(time))));
  assert(events.some(({ client }) => /^127\.0\.0\.1:\d+$/.test(client)));
});

Deno.test({
  name: "monitor shows what a memcached does, also one that has no stream of deletions",
  ignore: memcachedMissing,
  fn: async () => {
    await using server = await startMemcached();
    using client = new Client({ servers: [server.address] });
    let isOver = false;
    const monitoring = runClient(server.address, ["monitor", "--json", "--count", "4"])
      .finally(() => isOver = true);
    while (!isOver) {
      await client.set("k", "12345");
      await client.get("k");
    }
    const { code, stdout, stderr } = await monitoring;
    assertEquals(code, 0);
    assertMatch(stderr, /^(127\.0\.0\.1:\d+ does not show deletions\n)?$/);
    const outcomes = stdout.trimEnd().split("\n").map((line) => JSON.parse(line).outcome);
    assertEquals(new Set(outcomes), new Set(["stored", "found"]));
  },
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
      ["[c-a]x", "bx", true],
      ["[a-]x", "-x", true],
      ["[\\d\\]]", "d", true],
      ["[\\d\\]]", "]", true],
      ["[\\d]", "5", false],
      ["[\\^.]", ".", true],
      ["[\\^.]", "a", false],
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
    await terminal.shows(/exit leaves\.\n[^\n]*>/);
    await terminal.type("watch", "Enter");
    // Until the watcher is there, what happens is not shown.
    using client = new Client({ servers: [server.address] });
    await untilSeen(
      () => client.set("seen", "v"),
      terminal.shows(/type=item_store key=seen /),
    );
    await terminal.type("C-c");
    await terminal.shows(/\ninterrupted\n[^\n]*>/);
    const { code, stderr } = await runClient(server.address, ["watch", "nothing"]);
    assertEquals(code, 64);
    assertMatch(stderr, /watch: STREAM takes one of fetchers, .*, received 'nothing'/);
  },
});
