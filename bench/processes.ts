/**
 * The processes that are measured: started on a free port, ended when they are disposed of.
 *
 * @module
 */

import { echoAnswers } from "./frames.ts";

/** A process that listens. */
export interface Server extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** How it was started, for the reader of a report. */
  readonly command: string;
}

/** How long a server may take to listen, and to end, in milliseconds. */
const START_LIMIT = 20_000;

/** What `deno task start` has in its environment, and so every loop of Deno that kvs is measured beside. */
const ENVIRONMENT = { GLIBC_TUNABLES: "glibc.malloc.hugetlb=1", LD_BIND_NOW: "1" };

/** The program of this repository, run by the Deno that runs this. */
export function denoScript(path: string, ...args: string[]): [string, ...string[]] {
  const script = new URL(`../${path}`, import.meta.url).pathname;
  return [Deno.execPath(), "run", "--no-prompt", "-A", script, ...args];
}

/** kvs on a port, with one thread: as many as what it is compared with, or the least that there is to look at. */
export function kvsScript(port: number, ...args: string[]): [string, ...string[]] {
  return denoScript("server.ts", "-p", `${port}`, "-t", "1", ...args);
}

/** The echo server, for requests with such a key and values of so many bytes. */
export function echoScript(port: number, key: string, valueSize: number): [string, ...string[]] {
  return denoScript("bench/echo.ts", `${port}`, JSON.stringify(echoAnswers(key, valueSize)));
}

/**
 * Starts a server; `command` gets the free port that it is to listen on.
 *
 * @throws {Error} with what the server said, if it does not come to listen.
 */
export async function startServer(
  command: (port: number) => readonly [string, ...string[]],
): Promise<Server> {
  const port = freePort();
  const [program, ...args] = command(port);
  const child = new Deno.Command(program, {
    args,
    env: program === Deno.execPath() ? ENVIRONMENT : {},
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let said = "";
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      said = (said + text).slice(-4096);
    }
  })();
  const end = async () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
    await child.status;
    await reading;
  };
  let ended = false;
  child.status.then(() => ended = true);
  const limit = performance.now() + START_LIMIT;
  while (!await listens(port)) {
    if (ended || performance.now() > limit) {
      await end();
      throw new Error(`${program} does not listen on port ${port}: ${said.trim()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { port, pid: child.pid, command: shown(program, args), [Symbol.asyncDispose]: end };
}

/** CPU time of a process so far in seconds, user and system, of all its threads. */
export function cpuSeconds(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The second field is the program's name in parentheses, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
}

/** CPU time of the threads that a process has, in seconds, to the nanosecond; a thread that ends takes its own with it. */
export function threadSeconds(pid: number): number {
  let nanoseconds = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    try {
      const schedstat = Deno.readTextFileSync(`/proc/${pid}/task/${name}/schedstat`);
      nanoseconds += Number(schedstat.split(" ")[0]);
    } catch {
      // It has ended meanwhile.
    }
  }
  return nanoseconds / 1e9;
}

/** The thread of a process that has run the most so far. */
export function busiestThread(pid: number): number {
  let busiest = pid;
  let most = -1;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    const time = Number(Deno.readTextFileSync(`/proc/${pid}/task/${name}/schedstat`).split(" ")[0]);
    if (time > most) [busiest, most] = [Number(name), time];
  }
  return busiest;
}

/** How long a thread has waited for a processor so far, in milliseconds. */
export function threadWaited(pid: number, thread: number): number {
  const schedstat = Deno.readTextFileSync(`/proc/${pid}/task/${thread}/schedstat`);
  return Number(schedstat.split(" ")[1]) / 1e6;
}

/** Resident memory of a process, this one unless another is named, in bytes. */
export function residentBytes(process: number | "self" = "self"): number {
  const pages = Deno.readTextFileSync(`/proc/${process}/statm`).split(" ")[1];
  return Number(pages) * PAGE;
}

/** How long this thread has run or wanted to run, in seconds. */
export function busySeconds(): number {
  const [running, waiting] = Deno.readTextFileSync("/proc/self/schedstat").split(" ");
  return (Number(running) + Number(waiting)) / 1e9;
}

/** CPU time of the whole machine so far in seconds: what was used, and what there was. */
function machineCpu(): { busy: number; total: number } {
  const line = Deno.readTextFileSync("/proc/stat").split("\n", 1)[0]!;
  // user nice system idle iowait irq softirq steal
  const times = line.trim().split(/\s+/).slice(1, 9).map((ticks) => Number(ticks) / CLOCK_TICKS);
  const total = times.reduce((sum, time) => sum + time, 0);
  return { busy: total - times[3]! - times[4]!, total };
}

/**
 * Watches what else the machine does from now on: the share of all cores' time, 0 to 1, that neither
 * this process nor those named take until the function it returns is called.
 */
export function watchOthers(pids: readonly number[]): () => number {
  const ours = () => [Deno.pid, ...pids].reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const before = { ours: ours(), machine: machineCpu() };
  return () => {
    const { busy, total } = machineCpu();
    const theirs = busy - before.machine.busy - (ours() - before.ours);
    return Math.max(0, theirs) / (total - before.machine.total);
  };
}

/** `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux that Deno runs on. */
const CLOCK_TICKS = 100;
/** Bytes of a page of memory, on every x64 Linux. */
const PAGE = 4096;

/** A port of this machine that nobody has at the moment. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function listens(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

/** A command as a reader would type it in the repository. */
function shown(program: string, args: readonly string[]): string {
  const root = new URL("..", import.meta.url).pathname;
  const name = program === Deno.execPath() ? "deno" : program;
  return [name, ...args.map((arg) => arg.replace(root, ""))].join(" ");
}
