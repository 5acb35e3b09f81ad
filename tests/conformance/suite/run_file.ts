/**
 * Runs one of memcached's test files to its end, whatever it does.
 *
 * @module
 */

import type { Build } from "./build.ts";
import type { StoreName } from "./page.ts";
import { parseTap, type TapResult, testsOf } from "./tap.ts";

/** What became of a test file. */
export interface Run {
  readonly tap: TapResult;
  /** Why it has not passed, where that is not a failed test; undefined where it ran as it should. */
  readonly broken: string | undefined;
  readonly seconds: number;
  /** All that it has printed, and what its servers have. */
  readonly output: string;
}

/** Of the files that tests leave in /tmp under their process's number, the beginnings of the names. */
const LEFT = ["memcachetest.", "memcachetest", "mc_restart.", "ports.", "extstore."];

/**
 * Runs a file on a store. Its servers are ended with it. The file is ended when it takes longer than
 * `limit` seconds, and when `stop` is aborted.
 */
export async function runFile(
  build: Build,
  file: string,
  store: StoreName,
  limit: number,
  stop: AbortSignal,
): Promise<Run> {
  const scratch = await Deno.makeTempDir({ prefix: "kvs-conformance-" });
  try {
    const data = `${scratch}/data`;
    await Deno.mkdir(data);
    // It is there even of a file that is ended before it has begun.
    await Deno.writeTextFile(`${scratch}/output`, "");
    const began = performance.now();
    const child = new Deno.Command("/bin/sh", {
      // A test that writes to a connection which the server has closed finds that out by its next read.
      // maxconns.t opens more than a thousand connections, and its server takes them.
      args: [
        "-c",
        `trap '' PIPE; ulimit -n "$(ulimit -H -n)"; exec perl "$1" >"$2" 2>&1`,
        "sh",
        `t/${file}`,
        `${scratch}/output`,
      ],
      cwd: build.directory,
      env: build.environment(store, data, file),
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
      // Its servers are of its process group, by which they are ended.
      detached: true,
    }).spawn();
    let ended: string | undefined;
    const end = (reason: string) => {
      ended ??= reason;
      endGroup(child.pid);
    };
    const interrupted = () => end("interrupted");
    if (stop.aborted) interrupted();
    stop.addEventListener("abort", interrupted);
    const timer = setTimeout(() => end(`ended after ${limit} seconds`), limit * 1000);
    const { code, signal } = await child.status;
    clearTimeout(timer);
    stop.removeEventListener("abort", interrupted);
    endGroup(child.pid);
    endUsersOf(data);
    await removeLeft(child.pid);
    const output = new TextDecoder().decode(await Deno.readFile(`${scratch}/output`));
    const tap = parseTap(output);
    const broken = ended ??
      reasonOf(tap, signal === null ? `code ${code}` : `${signal}`, code === 0);
    return { tap, broken, seconds: (performance.now() - began) / 1000, output };
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

/** Why a file has not run as it should, apart from the tests that failed. */
export function reasonOf(tap: TapResult, end: string, clean: boolean): string | undefined {
  if (tap.bailedOut !== undefined) return `bailed out: ${tap.bailedOut}`;
  if (tap.skippedAll !== undefined) return clean ? undefined : `ended with ${end}`;
  const tests = testsOf(tap);
  if (tap.planned === undefined) return `ended with ${end} after ${tests} tests, without a plan`;
  if (tests !== tap.planned) return `ended with ${end} after ${tests} of ${tap.planned} tests`;
  if (!clean && tap.failed.length === 0) return `ended with ${end}`;
  return undefined;
}

/** Ends a process group. */
function endGroup(leader: number): void {
  try {
    Deno.kill(-leader, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Ends the servers that have left their process group (`-d`): they know the directory of their data. */
function endUsersOf(data: string): void {
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const environment = Deno.readTextFileSync(`/proc/${name}/environ`).split("\0");
      if (environment.includes(`SUITE_DATA=${data}`)) Deno.kill(Number(name), "SIGKILL");
    } catch {
      // It has ended meanwhile, or is somebody else's.
    }
  }
}

/** Removes what a file that was ended could not remove. */
async function removeLeft(pid: number): Promise<void> {
  const own = LEFT.map((name) => `${name}${pid}`);
  for (const { name } of Deno.readDirSync("/tmp")) {
    const known = own.find((one) => name.startsWith(one));
    if (known === undefined || /^\d/.test(name.slice(known.length))) continue;
    await Deno.remove(`/tmp/${name}`, { recursive: true }).catch(() => {});
  }
}
