/**
 * The README is held to what the project does: its sessions are run, its options are the table's.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { serverOptions } from "../../lib/server/options.ts";

const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
const root = new URL("../..", import.meta.url).pathname;

/** Commands of the README that something else runs, and what does. */
const runElsewhere = new Map([
  ["deno task test", "CI runs it, and it runs this"],
  ["deno task compile", "tests/house/compile.test.ts runs it"],
]);

/** The bodies of the README's fenced blocks in a language. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp("^```" + language + "\\n([^]*?)^```$", "gm"))]
    .map(([, body]) => body);
}

/** How the README tries the bucket store: an emulator, and a server on it. */
const linesWithEmulator = blocks("sh").find((block) => block.includes("task emulator"))!
  .trim().split("\n");

/** A task that runs, ended when it is disposed of. */
interface Running extends AsyncDisposable {
  /** The part that was asked for of what it said when it was ready. */
  readonly ready: string;
}

/** Starts a task of the README's and waits until it says that it is ready. */
async function run(
  command: string,
  env: Record<string, string>,
  ready: RegExp,
): Promise<Running> {
  const task = new Deno.Command("sh", {
    args: ["-c", `exec ${command} 2>&1`],
    cwd: root,
    env,
    stdout: "piped",
  }).spawn();
  let said = "";
  const reader = task.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let found: string | undefined;
  while (found === undefined) {
    const { done, value } = await reader.read();
    assert(!done, `${command} ended: ${said}`);
    said += value;
    found = ready.exec(said)?.[1];
  }
  return {
    ready: found,
    async [Symbol.asyncDispose]() {
      task.kill("SIGTERM");
      while (!(await reader.read()).done);
      await task.status;
    },
  };
}

/** A server started as the README says, on a free port and a directory of its own. */
async function start(): Promise<AsyncDisposable & { readonly port: number }> {
  const directory = await Deno.makeTempDir();
  const env = { KVS_PORT: "-1", KVS_DATA_DIR: `${directory}/data` };
  const ready = /listening on 127\.0\.0\.1:(\d+), items kept in .*data \(fsync everysec\)/;
  const server = await run("deno task start", env, ready);
  return {
    port: Number(server.ready),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

/** What a command of the README prints, the server of its text replaced by the one at `port`. */
async function outputOf(command: string, port: number): Promise<string> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", command.replaceAll("11211", String(port))],
    cwd: root,
    env: { KVS_SERVERS: `127.0.0.1:${port}` },
    stderr: "inherit",
  }).output();
  return new TextDecoder().decode(stdout).replaceAll("\r\n", "\n");
}

Deno.test("the README's sessions go as they stand there", async () => {
  await using server = await start();
  for (const session of blocks("console")) {
    for (const step of session.split(/^\$ /m).slice(1)) {
      const [, command, expected] = /^(.*)\n([^]*)$/.exec(step)!;
      assertEquals(await outputOf(command, server.port), expected, command);
    }
  }
});

Deno.test("the README's pipe moves one server's items into another", async () => {
  const pipe = blocks("sh").find((block) => block.includes(" dump |"))!;
  await using old = await start();
  await using fresh = await start();
  await outputOf("deno task -q client set moved 'as it was' --flags 7", old.port);
  const command = pipe
    .replace("old:11211", `127.0.0.1:${old.port}`)
    .replace("new:11211", `127.0.0.1:${fresh.port}`)
    .replaceAll("kvs-client", "deno task -q client");
  await outputOf(command, 0);
  assertEquals(
    await outputOf("deno task -q client --json get moved | grep -o '\"flags\":7'", fresh.port),
    '"flags":7\n',
  );
});

Deno.test("the README's bucket without Google takes items", async () => {
  const [first, second] = linesWithEmulator;
  const emulator = first.replace("4443", "0").replace(/ &$/, "");
  await using bucket = await run(emulator, {}, /http:\/\/127\.0\.0\.1:(\d+)\n/);
  const server = second.replace("4443", bucket.ready);
  const ready = /listening on 127\.0\.0\.1:(\d+), items kept in gs:\/\/bucket\/kvs\//;
  await using served = await run(server, { KVS_PORT: "-1" }, ready);
  const port = Number(served.ready);
  await outputOf("deno task -q client set greeting hello", port);
  assertEquals(await outputOf("deno task -q client get greeting", port), "hello\n");
});

Deno.test("every other command of the README is run somewhere", () => {
  const strange = blocks("sh").flatMap((block) => block.trim().split("\n"))
    .filter((line) => line !== "deno task start" && !line.includes(" dump |"))
    .filter((line) => !runElsewhere.has(line) && !linesWithEmulator.includes(line));
  assertEquals(strange, []);
});

Deno.test("the README has every option of the server, and no other", () => {
  const table = /## Options\n([^]*?)\n## /.exec(readme)![1];
  const shown = [...table.matchAll(/^\| (`-[^|]*) \|/gm)]
    .flatMap(([, flags]) => [...flags.matchAll(/`(-[^`]+)`/g)].map(([, flag]) => flag));
  const taken = Object.values(serverOptions)
    .filter((option) => !("ignored" in option || "refusal" in option))
    .flatMap((option) => option.flags.split(", "));
  assertEquals(shown.sort(), taken.sort());
});
