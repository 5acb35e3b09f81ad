/** The disk store in a process of its own, under limits of the system that only a process can have. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { binaryString } from "../../lib/bytes.ts";
import { systemFiles } from "../../lib/storage/disk/fs/files.ts";
import { client, runClient } from "../client/run_client.ts";
import { ServerProcess } from "./process.ts";
import { exchangeWith } from "./wire.ts";

/** Whether a program is here, which the test says where it is not. */
async function has(program: string): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args: ["--version"], stdout: "null" }).output())
      .success;
  } catch {
    return false;
  }
}

const hasPrlimit = await has("prlimit");

Deno.test({
  name: "a limit of the size of files (SIGXFSZ) ends no server, and what it acknowledges is kept" +
    (hasPrlimit ? "" : " (skipped: no prlimit)"),
  ignore: !hasPrlimit,
  async fn() {
    const directory = await Deno.makeTempDir();
    const args = ["--data-dir", `${directory}/data`, "--fsync", "always", "-p", "-1"];
    const value = "v".repeat(100_000);
    const stored: number[] = [];
    {
      await using server = await ServerProcess.start(args);
      const limit = ["--pid", `${server.pid}`, "--fsize=1000000"];
      assert((await new Deno.Command("prlimit", { args: limit }).output()).success);
      for (let i = 0; i < 40; i++) {
        const reply = await exchangeWith(server.port, `set k${i} 0 0 100000\r\n${value}\r\n`);
        if (reply === "STORED\r\n") stored.push(i);
        else assertMatch(reply, /^SERVER_ERROR out of memory storing object/);
      }
      assert(stored.length >= 38, `${stored} of 40 are stored`);
      server.kill("SIGTERM");
      assertEquals(await server.exit(), 0);
    }
    await using server = await ServerProcess.start(args);
    for (const i of stored) {
      assertEquals(
        await exchangeWith(server.port, `get k${i}\r\n`),
        `VALUE k${i} 0 100000\r\n${value}\r\nEND\r\n`,
      );
    }
    server.kill("SIGTERM");
    assertEquals(await server.exit(), 0);
    await Deno.remove(directory, { recursive: true });
  },
});

Deno.test("a server that stops while writes are refused says why, and ends with 74", async () => {
  const place = await Deno.makeTempDir();
  const args = ["--data-dir", `${place}/data`, "-p", "-1"];
  {
    await using server = await ServerProcess.start(args);
    assertEquals(await exchangeWith(server.port, "set k 0 0 1\r\nv\r\n"), "STORED\r\n");
    // What is written from here on no start would find.
    await Deno.rename(`${place}/data`, `${place}/moved`);
    await server.says(/Writes are refused: /);
    const reply = await exchangeWith(server.port, "set k 0 0 1\r\nw\r\n");
    assertMatch(reply, /^SERVER_ERROR Writes are refused: [^\r\n]+ was removed/);
    server.kill("SIGTERM");
    assertEquals(await server.exit(), 74);
    assertMatch(server.said, /kvs-server: stopped, but Writes are refused: [^\n]+\n$/);
  }
  await Deno.rename(`${place}/moved`, `${place}/data`);
  await using server = await ServerProcess.start(args);
  const reply = await exchangeWith(server.port, "get k\r\n");
  assertEquals(reply, "VALUE k 0 1\r\nv\r\nEND\r\n");
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
  await Deno.remove(place, { recursive: true });
});

for (const threads of ["1", "2"]) {
  Deno.test(`where a record is damaged the client lists and dumps the others, and ends with 70, with -t ${threads}`, async () => {
    const directory = await Deno.makeTempDir();
    const args = ["--data-dir", directory, "-p", "-1", "-t", threads];
    {
      await using server = await ServerProcess.start(args);
      const set = (key: string) => `set ${key} 0 0 8\r\nvalue of\r\n`;
      await exchangeWith(server.port, `${set("a:1")}set b 0 0 6\r\ndamage\r\n${set("a:2")}`);
      server.kill("SIGTERM");
      assertEquals(await server.exit(), 0);
    }
    const log = `${directory}/0000000001.log`;
    const bytes = await Deno.readFile(log);
    bytes[binaryString(bytes).indexOf("damage")] ^= 1;
    await Deno.writeFile(log, bytes);
    await using server = await ServerProcess.start(args);
    const missing = "SERVER_ERROR 1 damaged record is missing from the list";
    for (
      const [command, expected] of [
        ["keys", /^a:1\na:2\n$/],
        ["dump", /^[^\n]*"a:1"[^\n]*\n[^\n]*"a:2"[^\n]*\n$/],
        ["bigkeys", /^[^\n]*bytes[^\n]*\n[^\n]* 2 {2}a:[^\n]*\n$/],
      ] as const
    ) {
      const { code, stdout, stderr } = await runClient(`127.0.0.1:${server.port}`, [command]);
      assertEquals(code, 70, `${command}: ${stderr}`);
      assertMatch(stdout, expected, command);
      assert(stderr.includes(missing), stderr);
    }
    // Once its key is stored again, nothing is missing.
    await exchangeWith(server.port, "set b 0 0 2\r\nok\r\n");
    const { code, stdout } = await runClient(`127.0.0.1:${server.port}`, ["keys"]);
    assertEquals([code, stdout.split("\n").toSorted().join(" ")], [0, " a:1 a:2 b"]);
    server.kill("SIGTERM");
    assertEquals(await server.exit(), 0);
    await Deno.remove(directory, { recursive: true });
  });
}

Deno.test("a directory that is locked is synced without being opened: nobody may be out of descriptors for that", async () => {
  const directory = await Deno.makeTempDir();
  const lock = systemFiles.lock(directory);
  // Whoever would open it by its name finds none.
  await Deno.rename(directory, `${directory}.moved`);
  await systemFiles.syncDirectory(directory);
  lock.close();
  await assertRejects(() => systemFiles.syncDirectory(directory));
  await Deno.remove(`${directory}.moved`, { recursive: true });
});

Deno.test("a client whose output finds no room says so in a sentence, and ends with 74", async () => {
  await using server = await ServerProcess.start(["--store", "memory", "-p", "-1"]);
  await exchangeWith(server.port, "set k 0 0 5\r\nvalue\r\n");
  for (const command of ["get k", "stats", "keys", "dump"]) {
    const { code, stderr } = await new Deno.Command("sh", {
      args: [
        ...["-c", 'exec "$@" >/dev/full', "sh", Deno.execPath(), "run", "-A", "--no-check"],
        ...["--quiet", client, ...command.split(" ")],
      ],
      env: { KVS_SERVERS: `127.0.0.1:${server.port}`, NO_COLOR: "1" },
      stderr: "piped",
    }).output();
    const said = new TextDecoder().decode(stderr);
    assertEquals(code, 74, `${command}: ${said}`);
    assertMatch(said, /^kvs-client: [^\n]*[Nn]o space left[^\n]*\n$/, command);
  }
});
