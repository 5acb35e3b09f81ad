/**
 * Builds `bin/kvs-server`, `bin/kvs-client` and `bin/kvs-bench`: one file each, that needs no Deno where
 * it runs.
 *
 *     deno task compile [--target x86_64-unknown-linux-gnu|aarch64-unknown-linux-gnu|aarch64-apple-darwin]
 *         [--out bin] [--stand-ins]
 *
 * Stand-ins of `offline/` get into the files with `--stand-ins` alone, or with `KVS_STAND_INS=yes` in the
 * environment, for tasks that this one is a part of: no hash of the lock is about them.
 *
 * `deno compile` makes them. It downloads its runtime, and where that cannot be had this machine's own
 * Deno takes the runtime's place: the file is then a shell header with both packed behind it
 * (self-extracting.sh), of the same name and use, for machines like this one only.
 */
import { gzipSync } from "node:zlib";
import { createHash } from "node:crypto";
import { parseArgs } from "@std/cli";
import { ensureDir, exists } from "@std/fs";
import { networkFailure } from "../offline/network.ts";

interface Program {
  name: string;
  entry: string;
  /** The flags that say what it may do. */
  permissions: string[];
  /** Whether it is a server, which the end of its terminal does not end. */
  isServer: boolean;
  /** Modules that it starts as threads; each has a file of its own beside the program's. */
  threads?: string[];
}

const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "aarch64-apple-darwin",
];
const HASH_LENGTH = 16;

function fail(message: string, code: number): never {
  console.error(`compile: ${message}`);
  Deno.exit(code);
}

/** The programs, allowed exactly what the task allows that runs them from source. */
async function programs(): Promise<Program[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile("deno.json"));
  const permissions = (task: string): string[] =>
    tasks[task].command.match(/--(no-prompt|allow-[^\s']+|unstable-[^\s']+)/g);
  return [
    {
      name: "kvs-server",
      entry: "server.ts",
      permissions: permissions("start"),
      isServer: true,
      threads: [
        "lib/server/threads/worker.ts",
        "lib/server/copies/copies_worker.ts",
        "lib/server/copies/reader_worker.ts",
      ],
    },
    { name: "kvs-client", entry: "client.ts", permissions: permissions("client"), isServer: false },
    {
      name: "kvs-bench",
      entry: "multiclient.ts",
      permissions: permissions("multiclient"),
      isServer: false,
      threads: ["lib/load/worker.ts"],
    },
  ];
}

async function deno(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  if (!success) fail(`Cannot run deno ${args.join(" ")}\n${new TextDecoder().decode(stderr)}`, 70);
}

async function denoDirectory(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

/** Why `deno compile` cannot have its runtime for `target`; nothing where it can. */
async function runtimeMissing(target: string): Promise<string | undefined> {
  const path = `release/v${Deno.version.deno}/denort-${target}.zip`;
  if (Deno.env.has("DENORT_BIN") || await exists(`${await denoDirectory()}/dl/${path}`)) return;
  return networkFailure(`https://dl.deno.land/${path}`);
}

function hash(content: Uint8Array | string): string {
  return createHash("sha256").update(content).digest("hex");
}

/** A file behind the header. */
interface Packed {
  name: string;
  hash: string;
  gzipped: Uint8Array;
}

function pack(name: string, content: Uint8Array): Packed {
  return { name, hash: hash(content), gzipped: gzipSync(content) };
}

/** The header for the files of a program and a runtime, which follow it in this order. */
async function header(program: Program, files: Packed[], runtime: Packed): Promise<string> {
  const template = await Deno.readTextFile(new URL("self-extracting.sh", import.meta.url));
  let start = 1;
  const places = files.map(({ name, gzipped: { length } }) => {
    const place = `${name} ${start} ${length}`;
    start += length;
    return place;
  });
  const values: Record<string, string | number> = {
    NAME: program.name,
    PERMISSIONS: program.permissions.join(" "),
    ENDING: program.isServer ? "INT TERM USR1" : "HUP INT TERM USR1",
    // docs/operations.md, "Huge pages".
    ENVIRONMENT: program.isServer
      ? 'export GLIBC_TUNABLES="${GLIBC_TUNABLES-glibc.malloc.hugetlb=1}" LD_BIND_NOW=1'
      : "",
    PAYLOAD_LINE: template.split("\n").length,
    PROGRAM_HASH: hash(files.map((file) => file.hash).join()).slice(0, HASH_LENGTH),
    FILES: places.join(" "),
    RUNTIME_HASH: runtime.hash.slice(0, HASH_LENGTH),
    RUNTIME_START: start,
    RUNTIME_SIZE: runtime.gzipped.length,
  };
  return template.replaceAll(/@([A-Z_]+)@/g, (_, name) => String(values[name]));
}

/**
 * A program as plain JavaScript, the file to start last. What it imports only when it is needed stays in files of
 * its own: a server on disk would take twice as long to start with the packages of the other stores before it, and
 * each of its threads 50 MiB more. Program and threads share these files.
 */
async function bundle({ entry, threads = [] }: Program): Promise<Packed[]> {
  const directory = await Deno.makeTempDir();
  const written = (module: string) => `${directory}/${module.replace(/ts$/, "js")}`;
  try {
    // Not minified: ioredis tells errors apart by the names of their classes.
    await deno("bundle", "--quiet", "--code-splitting", "--outdir", directory, entry, ...threads);
    const parts = Array.from(Deno.readDirSync(directory))
      .filter(({ name, isFile }) => isFile && name !== written(entry).split("/").at(-1))
      .map(({ name }) => pack(name, Deno.readFileSync(`${directory}/${name}`)));
    for (const thread of threads) {
      // Under the name by which the program starts it, in the directory of all others.
      const code = await Deno.readTextFile(written(thread));
      const moved = code.replaceAll(/"(?:\.\.\/)+([^/"]+\.js)"/g, '"./$1"');
      parts.push(pack(thread.split("/").at(-1)!, new TextEncoder().encode(moved)));
    }
    return [
      ...parts.sort((a, b) => a.name < b.name ? -1 : 1),
      pack("main.js", await Deno.readFile(written(entry))),
    ];
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function packSelfExtracting(programs: Program[], directory: string): Promise<void> {
  const runtime = pack("deno", await Deno.readFile(Deno.execPath()));
  for (const program of programs) {
    const files = await bundle(program);
    const head = new TextEncoder().encode(await header(program, files, runtime));
    const parts = [...files, runtime].map(({ gzipped }) => gzipped);
    await install(`${directory}/${program.name}`, [head, ...parts]);
  }
}

/** Replaces a file that may be running. */
async function install(path: string, parts: Uint8Array[]): Promise<void> {
  const staged = `${path}.${Deno.pid}`;
  using file = await Deno.open(staged, { write: true, create: true, truncate: true, mode: 0o755 });
  for (const part of parts) {
    for (let at = 0; at < part.length;) at += await file.write(part.subarray(at));
  }
  await Deno.rename(staged, path);
}

async function writeChecksums(programs: Program[], directory: string): Promise<void> {
  const lines = await Promise.all(
    programs.map(async ({ name }) =>
      `${hash(await Deno.readFile(`${directory}/${name}`))}  ${name}`
    ),
  );
  await Deno.writeTextFile(`${directory}/SHA256SUMS`, lines.join("\n") + "\n");
}

/** Ends where the packages in `vendor/` are stand-ins, unless they are wanted. */
async function refuseStandIns(wanted: boolean): Promise<void> {
  if (!await exists("vendor/jsr.io/stand-ins")) return;
  if (wanted) {
    console.error("Building with the stand-ins of offline/ instead of jsr.io's packages.");
    return;
  }
  const failure = await networkFailure("https://jsr.io/@std/assert/meta.json");
  const remedy = failure === undefined
    ? "remove vendor/ and try again"
    : `jsr.io cannot be reached (${failure}); '--stand-ins' builds with them all the same`;
  fail(
    `The packages in vendor/ are the stand-ins of offline/, which the lock has no hashes of: ${remedy}`,
    65,
  );
}

const options = parseArgs(Deno.args, {
  string: ["target", "out"],
  boolean: ["stand-ins"],
  default: { target: Deno.build.target, out: "bin" },
  unknown: (option) =>
    fail(`Cannot use '${option}': the options are --target, --out and --stand-ins`, 64),
});
const { target, out } = options;
if (target !== Deno.build.target && !TARGETS.includes(target)) {
  fail(`Cannot build for --target '${target}': it is one of ${TARGETS.join(", ")}`, 64);
}

await refuseStandIns(options["stand-ins"] || Deno.env.get("KVS_STAND_INS") === "yes");
await ensureDir(out);
const toBuild = await programs();
const missing = await runtimeMissing(target);
if (missing === undefined) {
  for (const { name, entry, permissions, threads = [] } of toBuild) {
    // The lock names packages of the tests too.
    const included = threads.map((thread) => `--include=${thread}`);
    const flags = [
      "--quiet",
      "--target",
      target,
      "--exclude-unused-npm",
      ...included,
      ...permissions,
    ];
    await deno("compile", ...flags, "-o", `${out}/${name}`, entry);
  }
} else if (target === Deno.build.target) {
  console.error(
    `Cannot reach dl.deno.land (${missing}): packing this machine's Deno ${Deno.version.deno} instead.`,
  );
  await packSelfExtracting(toBuild, out);
} else {
  fail(`Cannot build for ${target}: it takes a runtime of dl.deno.land (${missing})`, 69);
}
await writeChecksums(toBuild, out);
for (const { name } of toBuild) console.log(`${out}/${name}`);
