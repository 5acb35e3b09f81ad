import { assertEquals } from "@std/assert";
import { parseOptions } from "../../../lib/cli/parse.ts";
import { configure } from "../../../lib/server/configuration.ts";
import { type Machine, thisMachine } from "../../../lib/server/threads/default_number.ts";
import { serverOptions } from "../../../lib/server/options.ts";
import { ServerProcess } from "../process.ts";
import { exchangeWith } from "../wire.ts";

const GIB = 2 ** 30;
/** A machine where nothing but cores counts. */
const LARGE = { cores: 64, memory: 64 * GIB, startsThreads: true };

function threadsOf(line: string, machine: Partial<Machine>): number {
  const args = line.split(" ").filter((arg) => arg !== "");
  const { options } = parseOptions(serverOptions, args, new Map());
  return configure(options, () => ({ ...LARGE, ...machine })).threads;
}

const cases: [line: string, machine: Partial<Machine>, threads: number][] = [
  ["", { cores: 1 }, 1],
  ["", { cores: 2 }, 1],
  ["", { cores: 3 }, 2],
  ["", { cores: 4 }, 3],
  ["", { cores: 5 }, 4],
  ["", { cores: 64 }, 4],
  ["--store memory", {}, 4],
  ["-t 1", {}, 1],
  ["-t 9", { cores: 2 }, 9],
  ["--store redis", {}, 1],
  ["--store gcs --bucket b", {}, 1],
  ["-s /tmp/kvs.sock", {}, 1],
  ["-l unix:/tmp/kvs.sock,127.0.0.1", {}, 1],
  ["-Z --ssl-chain-cert c --ssl-key k", {}, 1],
  ["-Z --ssl-chain-cert c --ssl-key k -l notls:127.0.0.1", {}, 4],
  ["-Z --ssl-chain-cert c --ssl-key k -l notls:127.0.0.1,127.0.0.2", {}, 1],
  ["", { startsThreads: false }, 1],
  ["", { memory: 512 * 2 ** 20 }, 4],
  ["", { memory: 400 * 2 ** 20 }, 2],
  ["", { memory: 128 * 2 ** 20 }, 1],
  ["-m 1g --store memory", { memory: 2 * GIB }, 2],
  ["-m 1g", { memory: 2 * GIB }, 4],
  ["--max-client-memory 1m", {}, 1],
  ["--max-client-memory 8m", {}, 2],
  ["-m 4g -I 1g", {}, 4],
  ["-m 4g -I 1g", { memory: 32 * GIB }, 2],
];
for (const [line, machine, threads] of cases) {
  const where = Object.entries(machine).map(([name, value]) => `${name} ${value}`).join(", ");
  Deno.test(`'kvs-server ${line}' with ${where || "a large machine"} ${threads === 1 ? "serves by one thread" : `serves by ${threads} threads`}`, () => {
    assertEquals(threadsOf(line, machine), threads);
  });
}

/** What a command prints. */
async function printed(command: readonly string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(command[0]!, {
    args: command.slice(1),
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return decoder.decode(stdout).trim() || decoder.decode(stderr);
}

/** A program that prints how many cores it may use. */
const cores = [
  Deno.execPath(),
  "eval",
  `import { thisMachine } from "${new URL(
    "../../../lib/server/threads/default_number.ts",
    import.meta.url,
  )}"; console.log(thisMachine().cores)`,
];

/** What runs a command with a file system and a `/proc` of its own. */
const APART = ["unshare", "--user", "--map-root-user", "--mount"];

async function succeeds(...command: string[]): Promise<boolean> {
  try {
    const running = new Deno.Command(command[0]!, { args: command.slice(1), stdin: "null" });
    return (await running.output()).success;
  } catch {
    return false;
  }
}

const hasTaskset = await succeeds("taskset", "--version");
Deno.test({
  name: "cores are those of the mask of affinity" + (hasTaskset ? "" : " (skipped: no taskset)"),
  ignore: !hasTaskset,
  fn: async () => {
    const { stdout } = await new Deno.Command("taskset", { args: ["-cp", `${Deno.pid}`] }).output();
    const allowed = /: (\d+)/.exec(new TextDecoder().decode(stdout))![1]!;
    assertEquals(await printed(["taskset", "-c", allowed, ...cores]), "1");
  },
});

const mayMount = await succeeds(...APART, "mount", "-t", "tmpfs", "tmpfs", "/mnt");
const quotas: [what: string, membership: string, files: Record<string, string>, cores: number][] = [
  ["v2", "0::/kvs", { "kvs/cpu.max": "199999 100000", "kvs/cgroup.controllers": "cpu" }, 1],
  ["v2, of a group above", "0::/kvs/own", {
    "kvs/cpu.max": "150000 100000",
    "kvs/cgroup.controllers": "cpu",
    "kvs/own/cpu.max": "max 100000",
    "kvs/own/cgroup.controllers": "cpu",
  }, 1],
  ["v1", "3:cpu,cpuacct:/kvs", {
    "cpu/kvs/cpu.cfs_quota_us": "150000",
    "cpu/kvs/cpu.cfs_period_us": "100000",
  }, 1],
];
for (const [what, membership, files, expected] of quotas) {
  Deno.test({
    name: `cores are those of the quota of a cgroup ${what}` +
      (mayMount ? "" : " (skipped: nothing can be mounted here)"),
    ignore: !mayMount,
    fn: async () => {
      const root = await Deno.makeTempDir({ prefix: "kvs-cgroup-" });
      try {
        for (const [name, text] of Object.entries(files)) {
          await Deno.mkdir(`${root}/fs/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
          await Deno.writeTextFile(`${root}/fs/${name}`, `${text}\n`);
        }
        await Deno.writeTextFile(`${root}/cgroup`, `${membership}\n`);
        const script = `mount --bind "$0/fs" /sys/fs/cgroup && ` +
          `mount --bind "$0/cgroup" /proc/$$/cgroup && exec "$@"`;
        const command = [...APART, "sh", "-c", script, root, ...cores];
        assertEquals(await printed(command), `${expected}`);
      } finally {
        await Deno.remove(root, { recursive: true });
      }
    },
  });
}

const permissions: [what: string, flags: string[], starts: boolean][] = [
  ["may read what a worker runs and has --unstable-net", ["--allow-read", "--unstable-net"], true],
  ["may not read what a worker runs", ["--allow-read=/proc", "--unstable-net"], false],
  ["has no --unstable-net", ["--allow-read", "--no-config"], false],
];
for (const [what, flags, starts] of permissions) {
  Deno.test(`a process that ${what} starts ${starts ? "" : "no "}threads of itself`, async () => {
    const script = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      await Deno.writeTextFile(script, cores[2]!.replace(".cores", ".startsThreads"));
      const run = [Deno.execPath(), "run", "--quiet", "--no-check", "--no-prompt", ...flags];
      assertEquals(await printed([...run, script]), `${starts}`);
    } finally {
      await Deno.remove(script);
    }
  });
}

Deno.test("a server tells the number of its threads in stats settings", async () => {
  for (const args of [["-t", "2"], []]) {
    await using server = await ServerProcess.start(["-p", "-1", "--store", "memory", ...args]);
    const settings = await exchangeWith(server.port, "stats settings\r\n");
    const expected = args.length > 0 ? 2 : threadsOf("--store memory", thisMachine());
    assertEquals(/num_threads (\d+)/.exec(settings)![1], `${expected}`);
  }
});
