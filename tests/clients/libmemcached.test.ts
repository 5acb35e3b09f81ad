import { assertEquals, assertMatch } from "@std/assert";
import type { ServerProcess } from "../server/process.ts";
import { DebianPackage } from "./debian.ts";
import { type Outcome, outcomeOf, testClient } from "./stores.ts";

const needs = [new DebianPackage("libmemcached-tools", "/usr/bin/memccapable")];

type Protocol = "text" | "binary";

/** A directory of files to be stored, and the tools run in it. */
class Tools implements AsyncDisposable {
  readonly #server: ServerProcess;
  readonly #protocol: Protocol;

  private constructor(
    server: ServerProcess,
    protocol: Protocol,
    readonly directory: string,
  ) {
    this.#server = server;
    this.#protocol = protocol;
  }

  static async with(
    server: ServerProcess,
    protocol: Protocol,
    files: Record<string, string> = {},
  ): Promise<Tools> {
    const directory = await Deno.makeTempDir();
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${directory}/${name}`, text);
    }
    return new Tools(server, protocol, directory);
  }

  run(tool: string, ...args: string[]): Promise<Outcome> {
    const options = [`--servers=127.0.0.1:${this.#server.port}`];
    if (this.#protocol === "binary") options.push("--binary");
    return outcomeOf(tool, [...options, ...args], { cwd: this.directory });
  }

  async codeOf(tool: string, ...args: string[]): Promise<number> {
    return (await this.run(tool, ...args)).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** Registers a test for each protocol. */
function testTools(
  name: string,
  body: (server: ServerProcess, protocol: Protocol) => Promise<void>,
): void {
  for (const protocol of ["text", "binary"] as const) {
    testClient(`${name}, in ${protocol}`, (server) => body(server, protocol), needs);
  }
}

testTools("memccapable finds all of the protocol", async (server, protocol) => {
  const { code, stdout, stderr } = await outcomeOf("memccapable", [
    ...["-h", "127.0.0.1", "-p", String(server.port), protocol === "text" ? "-a" : "-b"],
  ]);
  const report = stdout + stderr;
  assertEquals(report.match(/\[FAIL\]/g), null, report);
  assertEquals(report.match(/\[pass\]/g)?.length, 27, report);
  assertEquals(code, 0);
});

testTools("memccp stores files that memccat shows", async (server, protocol) => {
  await using files = await Tools.with(server, protocol, { first: "one\n", second: "two\n" });
  assertEquals(await files.codeOf("memccp", "--flag=7", "first", "second"), 0);
  const shown = await files.run("memccat", "first", "second");
  assertEquals([shown.code, shown.stdout], [0, "one\n\ntwo\n\n"]);
  const flags = await files.run("memccat", "--flags", "first");
  assertEquals([flags.code, flags.stdout], [0, "7\none\n\n"]);
});

// It has no binary form.
testClient("memcdump lists what is there", async (server) => {
  await using files = await Tools.with(server, "text", { first: "one\n", second: "two\n" });
  assertEquals(await files.codeOf("memccp", "first", "second"), 0);
  const listed = await files.run("memcdump");
  assertEquals([listed.code, listed.stdout.split("\n").sort()], [0, ["", "first", "second"]]);
}, needs);

testTools("memccp --add and --replace heed what is there", async (server, protocol) => {
  await using files = await Tools.with(server, protocol, { file: "text" });
  assertEquals(await files.codeOf("memccp", "--replace", "file") !== 0, true);
  assertEquals(await files.codeOf("memccp", "--add", "file"), 0);
  assertEquals(await files.codeOf("memccp", "--add", "file") !== 0, true);
  assertEquals(await files.codeOf("memccp", "--replace", "file"), 0);
});

testTools("memcexist, memctouch and memcrm tell what is there", async (server, protocol) => {
  await using files = await Tools.with(server, protocol, { file: "text" });
  assertEquals(await files.codeOf("memcexist", "file"), 1);
  assertEquals(await files.codeOf("memctouch", "--expire=100", "file"), 1);
  assertEquals(await files.codeOf("memccp", "file"), 0);
  assertEquals(await files.codeOf("memcexist", "file"), 0);
  assertEquals(await files.codeOf("memctouch", "--expire=100", "file"), 0);
  assertEquals(await files.codeOf("memcrm", "file"), 0);
  assertEquals(await files.codeOf("memcrm", "file"), 1);
  assertEquals(await files.codeOf("memccat", "file"), 1);
});

testTools("memcflush empties the server", async (server, protocol) => {
  await using files = await Tools.with(server, protocol, { file: "text" });
  assertEquals(await files.codeOf("memccp", "file"), 0);
  assertEquals(await files.codeOf("memcflush"), 0);
  assertEquals(await files.codeOf("memccat", "file"), 1);
});

testTools("memcstat shows the statistics", async (server, protocol) => {
  await using files = await Tools.with(server, protocol);
  const { code, stdout } = await files.run("memcstat");
  assertEquals(code, 0);
  assertMatch(stdout, /^\s*version: 1\.6\.45/m);
  assertMatch(stdout, /^\s*curr_items: 0$/m);
});

// It has no binary form.
testClient("memcping reaches the server", async (server) => {
  await using files = await Tools.with(server, "text");
  assertEquals(await files.codeOf("memcping"), 0);
}, needs);

testTools("memcaslap finds every value right under load", async (server, protocol) => {
  await using files = await Tools.with(server, protocol);
  const { code, stdout } = await files.run(
    "memcaslap",
    ...["--execute_number=5000", "--concurrency=8", "--threads=1", "--verify=1.0"],
  );
  assertEquals(code, 0, stdout);
  assertMatch(stdout, /^cmd_set: [1-9]/m);
  assertMatch(stdout, /^get_misses: 0$/m);
  assertMatch(stdout, /^verify_misses: 0$/m);
  assertMatch(stdout, /^verify_failed: 0$/m);
});

testTools("memcslap sets, gets and gets several at a time", async (server, protocol) => {
  await using files = await Tools.with(server, protocol);
  for (const kind of ["set", "get", "mget"]) {
    const { code, stderr } = await files.run(
      "memcslap",
      ...[`--test=${kind}`, "--concurrency=4", "--execute-number=500", "--flush"],
    );
    assertEquals([code, stderr], [0, ""], kind);
  }
});
