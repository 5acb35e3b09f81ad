import { assert, assertEquals, assertMatch } from "@std/assert";
import { helpText } from "../../lib/cli/help.ts";
import { optionGroups } from "../../lib/server/option_groups.ts";
import { serverManual, serverOptions } from "../../lib/server/options.ts";

const server = new URL("../../server.ts", import.meta.url).pathname;

async function run(args: string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--no-check", server, ...args],
    env,
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test("every option that works is in one group of the help, and stands there once", () => {
  const working = Object.entries(serverOptions)
    .filter(([, option]) => !("ignored" in option || "refusal" in option))
    .map(([name]) => name);
  assertEquals(optionGroups.flatMap(([, names]) => names).sort() as string[], working.sort());
  const help = helpText(serverManual, serverOptions);
  for (const [title] of optionGroups) assert(help.includes(`\n\n${title}:\n`), title);
  for (const line of help.split("\n")) assert(line.length <= 100, line);
});

Deno.test("an option of another store is refused with a sentence, wherever it is set", async () => {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, '{"bucket": "b"}');
  for (
    const [args, env, message] of [
      [
        ["--store", "memory", "--fsync", "no"],
        {},
        "--fsync is an option of --store disk, and the store is memory",
      ],
      [["--bucket", "b"], {}, "--bucket is an option of --store gcs, and the store is disk"],
      [
        ["--store", "disk", "--prefix", "p"],
        {},
        "--prefix is an option of --store redis or gcs, and the store is disk",
      ],
      [
        ["--store", "redis"],
        { KVS_DATA_DIR: "/data" },
        "KVS_DATA_DIR is an option of --store disk, and the store is redis",
      ],
      [
        ["config", "--config", file],
        {},
        `'bucket' in '${file}' is an option of --store gcs, and the store is disk`,
      ],
    ] as [string[], Record<string, string>, string][]
  ) {
    const { code, err } = await run(args, env);
    assertEquals([code, err], [64, `kvs-server: ${message}\n`]);
  }
  await Deno.remove(file);
});

Deno.test("config prints each option with its value and where that is from, and no password", async () => {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, '{"conn-limit": 50}');
  const { code, out } = await run(["config", "-p", "12", "--config", file, "--store", "redis"], {
    KVS_MEMORY_LIMIT: "128m",
    KVS_REDIS_URL: "redis://user:secret@127.0.0.1:6379",
    KVS_REDIS_SENTINEL_AUTH: "secret",
  });
  await Deno.remove(file);
  assertEquals(code, 0);
  assertMatch(out, /^port +12 +-p\/--port$/m);
  assertMatch(out, /^conn-limit +50 +'conn-limit' in '.*'$/m);
  assertMatch(out, /^memory-limit +128m +KVS_MEMORY_LIMIT$/m);
  assertMatch(out, /^data-dir +\(none\) +default$/m);
  assertMatch(out, /^copy-interval +10s +default$/m);
  assertMatch(out, /^fsync +"everysec" +default$/m);
  assertMatch(out, /^redis-url +\["redis:\/\/user:…@127\.0\.0\.1:6379"\] +KVS_REDIS_URL$/m);
  assert(!out.includes("secret"));
});

Deno.test("config prints what is in force where an option says nothing, or another one says it", async () => {
  const usual = (await run(["config"])).out;
  assertMatch(usual, /^store +"disk" +default$/m);
  assertMatch(usual, /^data-dir +"\.\/data" +default$/m);
  assertMatch(usual, /^protocol +"auto" +default$/m);
  assertMatch(usual, /^threads +[1-4] +default$/m);
  assertMatch(usual, /^max-client-memory +\d+[kmgt]? +default$/m);
  const args = ["-e", "/dir", "-l", "unix:/socket", "-o", "idle_timeout=5", "-S"];
  const { out } = await run(["config", ...args], { MEMCACHED_SASL_PWDB: "/users" });
  assertMatch(out, /^data-dir +"\/dir" +-e\/--memory-file$/m);
  assertMatch(out, /^unix-socket +"\/socket" +-l\/--listen$/m);
  assertMatch(out, /^threads +1 +default$/m);
  assertMatch(out, /^idle-timeout +5s +-o\/--extended$/m);
  assertMatch(out, /^protocol +"binary" +default$/m);
  assertMatch(out, /^auth-file +"\/users" +MEMCACHED_SASL_PWDB$/m);
});

Deno.test("a variable that is no option's is warned of, with the one that was meant", async () => {
  const { code, err } = await run(["config"], { KVS_FOO: "1", KVS_PROT: "12", KVS_TEST_X: "1" });
  assertEquals([code, err], [
    0,
    "kvs-server: warning: the variable KVS_FOO is no option's\n" +
    "kvs-server: warning: the variable KVS_PROT is no option's; did you mean 'KVS_PORT'?\n",
  ]);
});
