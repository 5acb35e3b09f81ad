import { assertEquals, assertMatch } from "@std/assert";
import type { ServerProcess } from "../server/process.ts";
import { DebianPackage } from "./debian.ts";
import { type Outcome, outcomeOf, testClient } from "./stores.ts";

const tools = new DebianPackage("libmemcached-tools", "/usr/bin/memccapable");

/** A directory of files to be stored, and the tools run in it. */
class Tools implements AsyncDisposable {
  private constructor(private readonly server: ServerProcess, readonly directory: string) {}

  static async with(server: ServerProcess, files: Record<string, string>): Promise<Tools> {
    const directory = await Deno.makeTempDir();
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${directory}/${name}`, text);
    }
    return new Tools(server, directory);
  }

  run(tool: string, ...args: string[]): Promise<Outcome> {
    const servers = `--servers=127.0.0.1:${this.server.port}`;
    return outcomeOf(tool, [servers, ...args], this.directory);
  }

  async codeOf(tool: string, ...args: string[]): Promise<number> {
    return (await this.run(tool, ...args)).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

testClient("memccapable -a finds all of the text protocol", async (server) => {
  const { code, stdout, stderr } = await outcomeOf("memccapable", [
    ...["-h", "127.0.0.1", "-p", String(server.port), "-a"],
  ]);
  const report = stdout + stderr;
  assertEquals(report.match(/\[FAIL\]/g), null, report);
  assertEquals(report.match(/\[pass\]/g)?.length, 27, report);
  assertEquals(code, 0);
}, tools);

testClient("memccp stores files that memccat shows and memcdump lists", async (server) => {
  await using files = await Tools.with(server, { first: "one\n", second: "two\n" });
  assertEquals(await files.codeOf("memccp", "first", "second"), 0);
  const shown = await files.run("memccat", "first", "second");
  assertEquals([shown.code, shown.stdout], [0, "one\n\ntwo\n\n"]);
  const listed = await files.run("memcdump");
  assertEquals([listed.code, listed.stdout.split("\n").sort()], [0, ["", "first", "second"]]);
}, tools);

testClient("memccp --add and --replace heed what is there", async (server) => {
  await using files = await Tools.with(server, { file: "text" });
  assertEquals(await files.codeOf("memccp", "--replace", "file") !== 0, true);
  assertEquals(await files.codeOf("memccp", "--add", "file"), 0);
  assertEquals(await files.codeOf("memccp", "--add", "file") !== 0, true);
  assertEquals(await files.codeOf("memccp", "--replace", "file"), 0);
}, tools);

testClient("memcexist, memctouch and memcrm tell what is there", async (server) => {
  await using files = await Tools.with(server, { file: "text" });
  assertEquals(await files.codeOf("memcexist", "file"), 1);
  assertEquals(await files.codeOf("memccp", "file"), 0);
  assertEquals(await files.codeOf("memcexist", "file"), 0);
  assertEquals(await files.codeOf("memctouch", "--expire=100", "file"), 0);
  assertEquals(await files.codeOf("memctouch", "--expire=100", "none"), 1);
  assertEquals(await files.codeOf("memcrm", "file"), 0);
  assertEquals(await files.codeOf("memcexist", "file"), 1);
  assertEquals(await files.codeOf("memccat", "file"), 1);
}, tools);

testClient("memcflush empties the server", async (server) => {
  await using files = await Tools.with(server, { file: "text" });
  assertEquals(await files.codeOf("memccp", "file"), 0);
  assertEquals(await files.codeOf("memcflush"), 0);
  assertEquals((await files.run("memcdump")).stdout, "");
}, tools);

testClient("memcping and memcstat reach the server", async (server) => {
  await using files = await Tools.with(server, {});
  assertEquals(await files.codeOf("memcping"), 0);
  const { code, stdout } = await files.run("memcstat");
  assertEquals(code, 0);
  assertMatch(stdout, /^\s*version: 1\.6\.45/m);
  assertMatch(stdout, /^\s*curr_items: 0$/m);
}, tools);

testClient("memcaslap finds every value right under load", async (server) => {
  await using files = await Tools.with(server, {});
  const { code, stdout } = await files.run(
    "memcaslap",
    ...["--execute_number=5000", "--concurrency=8", "--threads=1", "--verify=1.0"],
  );
  assertEquals(code, 0, stdout);
  assertMatch(stdout, /^cmd_set: [1-9]/m);
  assertMatch(stdout, /^get_misses: 0$/m);
  assertMatch(stdout, /^verify_misses: 0$/m);
  assertMatch(stdout, /^verify_failed: 0$/m);
}, tools);
