import { assert, assertEquals, assertMatch } from "@std/assert";
import { runClient, Terminal, tmuxMissing } from "./run_client.ts";
import { startKvs } from "./servers.ts";

const item = (index: number, value = "v") => JSON.stringify({ key: `key${index}`, value });
const items = (count: number) => Array.from({ length: count }, (_, i) => item(i)).join("\n") + "\n";

async function itemsOf(server: string): Promise<number> {
  return (await runClient(server, ["keys"])).stdout.split("\n").length - 1;
}

for (
  const [kind, bad, why] of [
    ["is no JSON", "nonsense\n", /Unexpected token/],
    ["is cut off", '{"key":"cut","val', /JSON/],
    ["is not UTF-8", new Uint8Array([0x22, 0xff, 0x0a]), /it is not UTF-8/],
    ["has half a character", '{"key":"k","value":"\\ud800"}\n', /"value" has half a character/],
    ["has no base64", '{"key":"k","valueBase64":"a b!"}\n', /"valueBase64" is not base64/],
  ] as const
) {
  Deno.test(`restore stores all before a line that ${kind}, names it and counts`, async () => {
    await using server = await startKvs();
    const head = new TextEncoder().encode(items(600));
    const end = typeof bad === "string" ? new TextEncoder().encode(bad) : bad;
    const { code, stderr } = await runClient(server.address, ["restore"], {
      stdin: new Uint8Array([...head, ...end, ...new TextEncoder().encode(item(700))]),
    });
    const [counts, where] = stderr.split("\n");
    assertEquals([code, counts], [65, "restored 600 items"]);
    assert(where!.startsWith("kvs-client: restore: line 601: "), where);
    assert(why.test(where!), where);
    assertEquals(await itemsOf(server.address), 600);
  });
}

Deno.test("restore sums up what a full server refuses", async () => {
  await using server = await startKvs("-M", "-m", "1", "-I", "512k");
  const values = Array.from({ length: 300 }, (_, i) => item(i, "x".repeat(10_000))).join("\n");
  const { code, stderr } = await runClient(server.address, ["restore"], { stdin: values });
  assertEquals(code, 70);
  const lines = stderr.trimEnd().split("\n");
  assertEquals(lines.length, 2, stderr);
  const [, more] = /^restore: line \d+ and (\d+) more: SERVER_ERROR out of memory storing object$/
    .exec(lines[0]!)!;
  const [, restored, refused] = /^restored (\d+) items, (\d+) were refused$/.exec(lines[1]!)!;
  assertEquals(Number(more) + 1, Number(refused));
  assertEquals(Number(restored) + Number(refused), 300);
});

Deno.test("restore ends at the first line where nobody may store anything", async () => {
  const users = await Deno.makeTempFile();
  await Deno.writeTextFile(users, "ann:secret\n");
  await using server = await startKvs("-Y", users);
  await Deno.remove(users);
  const [stranger, wrong] = await Promise.all([
    runClient(server.address, ["restore"], { stdin: items(1000) }),
    runClient(server.address, ["restore", "--user", "ann"], {
      stdin: items(1000),
      env: { KVS_PASSWORD: "wrong" },
    }),
  ]);
  assertEquals([stranger.code, stranger.stderr], [
    70,
    "restored 0 items\nkvs-client: restore: line 1: the server answered: " +
    "CLIENT_ERROR bad authentication token format; --user NAME logs in\n",
  ]);
  assertEquals(wrong.code, 70);
  assertMatch(
    wrong.stderr,
    /^restored 0 items\nkvs-client: restore: line 1: [\d.:]+ refuses user 'ann'/,
  );
});

Deno.test("restore names the line at which the server was lost", async () => {
  const { code, stderr } = await runClient("127.0.0.1:1", ["restore"], { stdin: items(1000) });
  assertEquals(code, 69);
  assert(
    stderr.startsWith("restored 0 items\nkvs-client: restore: line 1: cannot reach 127.0.0.1:1"),
    stderr,
  );
});

Deno.test("a dump of values that no memory holds together goes out piece by piece", async () => {
  await using server = await startKvs("-m", "400m", "-I", "16m");
  const value = new Uint8Array(11 * 2 ** 20).fill(0x78);
  const keys = Array.from({ length: 20 }, (_, i) => `large${i}`);
  await Promise.all(
    keys.map((key) => runClient(server.address, ["set", key, "-"], { stdin: value })),
  );
  const { code, bytes, stderr } = await runClient(server.address, ["dump"]);
  assertEquals(code, 0);
  // On a loaded machine it tells how far it is.
  assert(/^(dumped \d+ items, .*\n)*dumped 20 items\n$/.test(stderr), stderr);
  assert(bytes.length > 20 * value.length);
});

Deno.test("a dump of one item counts it as one", async () => {
  await using server = await startKvs();
  await runClient(server.address, ["set", "k", "v"]);
  assertEquals((await runClient(server.address, ["dump"])).stderr, "dumped 1 item\n");
});

Deno.test({
  name: "on a terminal a long restore writes its progress over one line, and takes it away",
  ignore: tmuxMissing,
  fn: async () => {
    await using server = await startKvs();
    const directory = await Deno.makeTempDir();
    const fifo = `${directory}/items`;
    await new Deno.Command("mkfifo", { args: [fifo] }).output();
    {
      await using terminal = await Terminal.start(`$KVS_CLIENT restore ${fifo}`, {
        KVS_SERVERS: server.address,
      });
      using items = await Deno.open(fifo, { write: true });
      await items.write(new TextEncoder().encode(`${item(0)}\n`));
      await terminal.shows(/^restored 1 item, \d+ a second/);
      await items.write(new TextEncoder().encode(`${item(1)}\n`));
      items.close();
      await terminal.shows(/^restored 2 items\nended with 0/);
    }
    await Deno.remove(directory, { recursive: true });
  },
});
