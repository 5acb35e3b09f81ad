import { assert, assertEquals, assertMatch } from "@std/assert";
import { runClient, Terminal, tmuxMissing } from "./run_client.ts";
import { startKvs } from "./servers.ts";

/** A shell on a terminal, at its first prompt. */
async function shellOn(server: string, command = "$KVS_CLIENT shell"): Promise<Terminal> {
  const terminal = await Terminal.start(command, { KVS_SERVERS: server });
  await terminal.shows(/exit leaves\.\n[^\n]*>/);
  return terminal;
}

const on = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name: `on a terminal ${name}`, ignore: tmuxMissing, fn });

Deno.test("the shell refuses what would read the lines that are still to come", async () => {
  await using server = await startKvs();
  const { code, stdout, stderr } = await runClient(server.address, ["shell"], {
    stdin: "set k -\nrestore\nrestore -\nset k v\nget k\n",
  });
  assertEquals([code, stdout], [0, "v\n"]);
  assertEquals(
    stderr,
    "VALUE - reads standard input, which the shell has\n" +
      "restore takes a FILE here: the shell has standard input\n".repeat(2),
  );
});

Deno.test("double quotes take redis-cli's escapes, bytes of any value among them", async () => {
  await using server = await startKvs();
  await runClient(server.address, ["shell"], {
    stdin: String.raw`set k "a\nb\x00c\xff\xc3\xa9é\"\\"` + '\nset "k\\xe9" v',
  });
  const { bytes } = await runClient(server.address, ["get", "--raw", "k"]);
  assertEquals([...bytes], [
    ...[97, 10, 98, 0, 99, 0xff, 0xc3, 0xa9, 0xc3, 0xa9, 0x22, 0x5c],
  ]);
  const { stdout } = await runClient(server.address, ["get", "--base64", "a+k="]);
  assertEquals(stdout, "v\n");
});

Deno.test("the shell refuses a line that is not UTF-8", async () => {
  const { code, stderr } = await runClient("127.0.0.1:1", ["shell"], {
    stdin: new Uint8Array([0x67, 0xff, 0x0a]),
  });
  assertEquals([code, stderr], [65, "kvs-client: shell: a line cannot be read: it is not UTF-8\n"]);
});

on("lines that were typed before the shell has started are run", async () => {
  await using server = await startKvs();
  const directory = await Deno.makeTempDir();
  const fifo = `${directory}/go`;
  await new Deno.Command("mkfifo", { args: [fifo] }).output();
  await using terminal = await Terminal.start(`read go <${fifo}; $KVS_CLIENT shell`, {
    KVS_SERVERS: server.address,
  });
  await terminal.type("set ahead 7", "Enter", "incr ahead 4", "Enter");
  await terminal.shows(/incr ahead 4\n/);
  await Deno.writeTextFile(fifo, "go\n");
  await terminal.shows(/stored\n(.*\n)*?[^\n]*\b11\n/);
  await Deno.remove(directory, { recursive: true });
});

on("Ctrl-C ends the command that runs, and the shell goes on", async () => {
  await using server = await startKvs();
  // A file that never ends: its writer holds it open.
  const directory = await Deno.makeTempDir();
  const fifo = `${directory}/items`;
  await new Deno.Command("mkfifo", { args: [fifo] }).output();
  using writer = await Deno.open(fifo, { read: true, write: true });
  await writer.write(new TextEncoder().encode('{"key":"first","value":"1"}\n'));
  await using terminal = await shellOn(server.address);
  await terminal.type(`restore ${fifo}`, "Enter");
  while ((await runClient(server.address, ["get", "first"])).code !== 0);
  await terminal.type("C-c");
  await terminal.shows(/restored 1 item\nrestore: line 2: interrupted\n[^\n]*>/);
  await terminal.type("get first", "Enter");
  await terminal.shows(/> get first\n1\n[^\n]*>/);
  await Deno.remove(directory, { recursive: true });
});

on(
  "Ctrl-C at the prompt gives up the line, Ctrl-D leaves a shell that no command named",
  async () => {
    await using server = await startKvs();
    await using terminal = await shellOn(server.address, "$KVS_CLIENT");
    await terminal.type("set k lost", "Left", "Left", "C-c");
    await terminal.type("get k", "Enter");
    await terminal.shows(/not found: k\n[^\n]*>/);
    await terminal.type("C-d");
    await terminal.shows(/ended with 0/);
  },
);

on("Tab completes commands, options and keys", async () => {
  await using server = await startKvs();
  await runClient(server.address, ["set", "user:anna:name", "Anna"]);
  await using terminal = await shellOn(server.address);
  await terminal.type("ver", "Tab");
  await terminal.shows(/> version/);
  await terminal.type("Enter");
  await terminal.shows(/> version\s*\n1\.6[^]*>/);
  await terminal.type("get us", "Tab");
  await terminal.shows(/> get user:anna:name/);
  await terminal.type("Enter");
  await terminal.shows(/\nAnna\n[^\n]*>/);
  await terminal.type("set k v --fl", "Tab");
  await terminal.shows(/> set k v --flags/);
});

on("a command says what it takes, by help and by -h", async () => {
  await using terminal = await shellOn("127.0.0.1:1");
  await terminal.type("touch -h", "Enter");
  await terminal.shows(/Usage: kvs-client touch KEY TTL\n/);
  await terminal.type("help restore", "Enter");
  const screen = await terminal.shows(/Usage: kvs-client restore \[FILE\]\n[^]*--keep/);
  assertMatch(screen, /Examples:\n {2}kvs-client restore items\.ndjson\n/);
});

on("a value with control characters is quoted, and goes raw into a pipe", async () => {
  await using server = await startKvs();
  const value = "red\x1b[31m\rgone\x9b\n";
  await runClient(server.address, ["set", "k", "-"], { stdin: value });
  const command = "$KVS_CLIENT get k; $KVS_CLIENT gets k; $KVS_CLIENT raw get k; " +
    "$KVS_CLIENT get k --raw | od -An -c";
  await using terminal = await Terminal.start(command, { KVS_SERVERS: server.address });
  const screen = await terminal.shows(/ended with 0/);
  const quoted = String.raw`"red\x1b[31m\rgone\xc2\x9b\n"`;
  assertEquals(screen.split(quoted).length - 1, 3, screen);
  assert(/r {3}e {3}d 033 {3}\[ {3}3 {3}1 {3}m {2}\\r/.test(screen), screen);
});

on("control characters of a message are escapes, and go as they are into a pipe", async () => {
  const command = String.raw`word=$(printf 'a\033[31mb\302\233c'); $KVS_CLIENT "$word"; ` +
    String.raw`$KVS_CLIENT "$word" 2>&1 | od -An -c`;
  await using terminal = await Terminal.start(command, {});
  const screen = await terminal.shows(/ended with 0/);
  assert(screen.includes(String.raw`unknown command 'a\x1b[31mb`), screen);
  assert(/a 033 {3}\[\s+3 {3}1 {3}m {3}b/.test(screen), screen);
});

on("a text of several lines stays as it is", async () => {
  await using server = await startKvs();
  await runClient(server.address, ["set", "k", "one\n\ttwo é"]);
  await using terminal = await Terminal.start("$KVS_CLIENT get k", { KVS_SERVERS: server.address });
  await terminal.shows(/^one\n {8}two é\nended with 0/);
});
