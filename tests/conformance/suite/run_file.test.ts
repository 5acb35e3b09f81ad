import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DebianPackage } from "../../clients/debian.ts";
import { type Build, prepare } from "./build.ts";
import { reasonOf, runFile } from "./run_file.ts";
import { parseTap } from "./tap.ts";

const perl = new DebianPackage("perl", "/usr/bin/perl");
const LIMIT = 300;

/** A directory as memcached's source is one, with test files of these texts. */
async function buildOf(
  files: Record<string, string>,
  threads?: number,
): Promise<Build & AsyncDisposable> {
  const directory = await Deno.makeTempDir();
  await Deno.mkdir(`${directory}/t`);
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${directory}/t/${name}`, text);
  }
  const build = await prepare(directory, Deno.cwd(), threads);
  return {
    ...build,
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

/** Waits for a file with a line in it, and returns the line. */
async function lineIn(path: string): Promise<string> {
  for (;;) {
    const text = await Deno.readTextFile(path).catch(() => "");
    if (text.endsWith("\n")) return text.trim();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Waits until a process has ended. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    // One that nobody waits for stays as a zombie.
    const state = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => ") Z ");
    if (/\) Z /.test(state)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const never = new AbortController().signal;

Deno.test({
  name: perl.named("a test file runs in memcached's directory, and its output is read"),
  ignore: perl.skipped,
  async fn() {
    await using build = await buildOf({
      "a.t": 'print -x "./memcached-debug" ? "ok 1\\n" : "not ok 1\\n"; print "1..1\\n";',
    });
    assertEquals(build.files, ["a.t"]);
    const { tap, broken } = await runFile(build, "a.t", "memory", LIMIT, never);
    assertEquals(broken, undefined);
    assertEquals(tap.passed, 1);
  },
});

Deno.test({
  name: perl.named("a file that is ended takes what it started with it, in the background too"),
  ignore: perl.skipped,
  async fn() {
    await using build = await buildOf({
      "a.t": `
        use POSIX;
        $| = 1;
        print "1..2\\nok 1\\n";
        sub note { my ($name) = @_; open(my $f, ">", $name); print $f "$$\\n"; close($f) }
        unless (fork) { note("child"); sleep 1000; exit }
        unless (fork) { POSIX::setsid(); note("daemon"); exec("sleep", "1000") }
        sleep 1000;`,
    });
    const stop = new AbortController();
    const run = runFile(build, "a.t", "disk", LIMIT, stop.signal);
    const pids = await Promise.all(
      ["child", "daemon"].map((name) => lineIn(`${build.directory}/${name}`)),
    );
    stop.abort();
    const { tap, broken } = await run;
    assertEquals(broken, "interrupted");
    assertEquals(tap.passed, 1);
    for (const pid of pids) await gone(Number(pid));
  },
});

Deno.test({
  name: perl.named("a file that takes longer than its limit is ended"),
  ignore: perl.skipped,
  async fn() {
    await using build = await buildOf({ "a.t": "sleep 1000;" });
    const { broken } = await runFile(build, "a.t", "disk", 0.01, never);
    assertEquals(broken, "ended after 0.01 seconds");
  },
});

Deno.test("a file that ends early, without a plan or with a wrong code has not run as it should", () => {
  const reason = (output: string, end: string) => reasonOf(parseTap(output), end, end === "code 0");
  assertEquals(reason("1..1\nok 1\n", "code 0"), undefined);
  assertEquals(reason("1..1\nnot ok 1\n", "code 1"), undefined);
  assertEquals(reason("1..0 # skip\n", "code 0"), undefined);
  assertEquals(reason("1..2\nok 1\n", "SIGSEGV"), "ended with SIGSEGV after 1 of 2 tests");
  assertEquals(reason("ok 1\n", "code 2"), "ended with code 2 after 1 tests, without a plan");
  assertEquals(reason("1..1\nok 1\n", "code 255"), "ended with code 255");
  assertEquals(reason("1..1\nBail out! no\n", "code 255"), "bailed out: no");
});

/** The arguments that the wrapper gives to Deno, for those of a test, behind server.ts. */
function translated(store: "disk" | "memory", ...args: string[]): Promise<string[]> {
  return translatedWith(1, store, ...args);
}

async function translatedWith(
  threads: number,
  store: "disk" | "memory",
  ...args: string[]
): Promise<string[]> {
  await using build = await buildOf({}, threads);
  const data = `${build.directory}/data`;
  await Deno.mkdir(data);
  const deno = `${build.directory}/deno`;
  await Deno.writeTextFile(deno, '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
  const { stdout } = await new Deno.Command(`${build.directory}/memcached-debug`, {
    args,
    env: { ...build.environment(store, data, "cas.t"), SUITE_DENO: deno },
    clearEnv: true,
  }).output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  const at = lines.findIndex((line) => line.endsWith("/server.ts"));
  assert(at > 0 && lines[0] === "run");
  assertEquals(lines.includes(`--allow-run=${deno}`), args.includes("-d"));
  return lines.slice(at + 1).map((line) => line.startsWith(data) ? "DATA" : line);
}

Deno.test("the wrapper gives a server the flags as they come, its store and a new data directory", async () => {
  assertEquals(await translated("disk", "-vv", "-o", "no_modern", "-s", "/tmp/a b"), [
    ...["-vv", "-o", "no_modern", "-s", "/tmp/a b"],
    ...["--store", "disk", "--data-dir", "DATA", "--evict"],
  ]);
  assertEquals(await translated("memory", "-m", "3"), ["-m", "3", "--store", "memory"]);
});

Deno.test("the wrapper limits the disk store to what -m says, and -M keeps its items", async () => {
  assertEquals(
    (await translated("disk", "-m", "3")).slice(2),
    ["--store", "disk", "--data-dir", "DATA", "--max-disk", "3m", "--evict"],
  );
  assertEquals(
    (await translated("disk", "-M", "-m", "3")).slice(3),
    ["--store", "disk", "--data-dir", "DATA", "--max-disk", "3m"],
  );
});

Deno.test("the wrapper leaves the data directory to -e, and lets a server with -d start itself", async () => {
  assertEquals(
    (await translated("disk", "-e", "/tmp/file", "-d")).slice(3),
    ["--store", "disk", "--evict"],
  );
});

Deno.test("the wrapper leaves a UDP port out, and -U 0 in", async () => {
  assertEquals(
    await translated("memory", "-p", "1", "-U", "2", "-v"),
    ["-p", "1", "-v", "--store", "memory"],
  );
  assertEquals(await translated("memory", "-U", "0"), ["-U", "0", "--store", "memory"]);
});

Deno.test("the wrapper gives a server as many threads as the run has, unless the test says how many", async () => {
  assertEquals(await translatedWith(3, "memory"), ["--store", "memory", "-t", "3"]);
  assertEquals(await translatedWith(3, "memory", "-t", "2"), ["-t", "2", "--store", "memory"]);
});

Deno.test("no option of the user's environment reaches a server under test", async () => {
  Deno.env.set("KVS_PORT", "1");
  try {
    await using build = await buildOf({});
    const environment = build.environment("disk", "/nowhere", "cas.t");
    assertEquals(environment.KVS_PORT, undefined);
    assertEquals(environment.SUITE_STORE, "disk");
    assertStringIncludes(environment.SUITE_PERMISSIONS!, "--allow-net");
  } finally {
    Deno.env.delete("KVS_PORT");
  }
});
