/** The documents' sessions and commands are run as they stand there. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { blocks, pages, root } from "./pages.ts";
import { playSession } from "./session.ts";

const all = await pages();

/** Commands that something else runs: the file, and how the command reads there. */
const runElsewhere: readonly (readonly [command: RegExp, file: string, reads: string])[] = [
  [/^deno task compile$/, "tests/house/compile.test.ts", '"compile"'],
  [/^source <\(kvs-client completion bash\)$/, "tests/house/sessions.test.ts", "source <("],
  [/^deno task compare --parts aims\b/, "tests/bench/programs.test.ts", '"aims", "--quick"'],
  [/^deno task compare --parts upkeep --before \S+$/, "tests/bench/programs.test.ts", '"upkeep"'],
  [/^infra\/create\.sh( --dry-run)?$/, "tests/infra/scripts.test.ts", "create.sh"],
  [/^infra\/destroy\.sh$/, "tests/infra/scripts.test.ts", "destroy.sh"],
  [/^export KVS_PROJECT=demo KVS_STORE=disk$/, "tests/infra/scripts.test.ts", "KVS_STORE"],
  [/^gcloud auth login$/, "infra/lib.sh", "gcloud auth login"],
  [/^gcloud compute ssh /, "infra/create.sh", "compute ssh"],
  [/^gcloud storage buckets create /, "infra/create.sh", "storage buckets create"],
  [/^gcloud storage buckets add-iam-policy-binding /, "infra/create.sh", "add-iam-policy-binding"],
  [/^kvs-client set greeting hello$/, "tests/house/sessions.test.ts", "set greeting hello"],
  [/^kvs-server --store gcs --bucket BUCKET$/, "tests/house/compile.test.ts", '"--bucket"'],
];

/** A task that runs, ended when it is disposed of. */
interface Running extends AsyncDisposable {
  /** The part that was asked for of what it said when it was ready. */
  readonly ready: string;
}

/** Starts a task and waits until it says that it is ready. */
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

/** What a command prints. */
async function outputOf(command: string, port: number): Promise<string> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", command],
    cwd: root,
    env: { KVS_SERVERS: `127.0.0.1:${port}` },
    stderr: "inherit",
  }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test("the documents' sessions go as they stand there", async () => {
  for (const { body } of blocks(all, "console")) {
    // tests/house/compile.test.ts plays it with the programs that were compiled.
    if (body.includes("bin/kvs-server")) continue;
    await using server = await start();
    const env = { KVS_SERVERS: `127.0.0.1:${server.port}` };
    await playSession(body, { cwd: root, env, port: server.port });
  }
});

Deno.test("the README's pipe moves one server's items into another", async () => {
  const { body } = blocks(all, "sh").find(({ body }) => body.includes(" dump |"))!;
  await using old = await start();
  await using fresh = await start();
  await outputOf("deno task -q client set moved 'as it was' --flags 7", old.port);
  const command = body
    .replace("old:11211", `127.0.0.1:${old.port}`)
    .replace("new:11211", `127.0.0.1:${fresh.port}`)
    .replaceAll("kvs-client", "deno task -q client");
  await outputOf(command, 0);
  assertEquals(
    await outputOf("deno task -q client --json get moved | grep -o '\"flags\":7'", fresh.port),
    '"flags":7\n',
  );
});

/** How docs/gcs.md tries the bucket store: an emulator, and a server on it. */
const linesWithEmulator = blocks(all, "sh").find(({ body }) => body.includes("task emulator"))!
  .body.trim().split("\n");

Deno.test("the bucket without Google takes items", async () => {
  const [first, second] = linesWithEmulator;
  const emulator = first!.replace("4443", "0").replace(/ &$/, "");
  await using bucket = await run(emulator, {}, /http:\/\/127\.0\.0\.1:(\d+)\n/);
  const server = second!.replace("4443", bucket.ready);
  const ready = /listening on 127\.0\.0\.1:(\d+), items kept in gs:\/\/bucket\/kvs\//;
  await using served = await run(server, { KVS_PORT: "-1" }, ready);
  const port = Number(served.ready);
  await outputOf("deno task -q client set greeting hello", port);
  assertEquals(await outputOf("deno task -q client get greeting", port), "hello\n");
});

Deno.test("bash takes the completions that the client prints", async () => {
  const line = "source <(kvs-client completion bash)";
  assert(blocks(all, "sh").some(({ body }) => body === `${line}\n`));
  const script = `kvs-client() { deno task -q client "$@"; }
${line} && complete -p kvs-client`;
  const { stdout } = await new Deno.Command("bash", { args: ["-c", script], cwd: root }).output();
  assertMatch(new TextDecoder().decode(stdout), /^complete .* kvs-client\n$/);
});

Deno.test("every other command of a block is run somewhere", async () => {
  for (const { path, body } of blocks(all, "sh")) {
    for (const line of body.trim().split("\n")) {
      if (line.includes(" dump |") || linesWithEmulator.includes(line)) continue;
      const command = line.replace(/ +#.*$/, "");
      const row = runElsewhere.find(([pattern]) => pattern.test(command));
      assert(row !== undefined, `${path}: nothing runs '${command}'`);
      assertStringIncludes(await Deno.readTextFile(root + row[1]), row[2], command);
    }
  }
});
