/**
 * What copies cost: CPU time of sending, verifying and restoring, and how fast a restore is beside plain
 * reading and writing of the same bytes. The bucket is the tests' emulator behind TLS, in a process of its
 * own, whose memory has all that is copied.
 *
 *     deno task bench-copies [--bytes 512m] [--value-sizes 100,1000,100000] [--in bucket,file] …
 *     deno task bench-copies --bytes 10g --value-sizes 1000 --rounds 1
 *
 * @module
 */

import { integer, list, size, text as textOption } from "../lib/cli/option.ts";
import type { Values } from "../lib/cli/parse.ts";
import { systemClock } from "../lib/clock.ts";
import { openDiskStore } from "../lib/storage/disk/mod.ts";
import { Batch } from "../lib/storage/contract.ts";
import { keyOf } from "./disk/key.ts";
import { runBench } from "./front.ts";
import { itemOf } from "./item.ts";
import { median, noiseText } from "./measure.ts";
import { denoScript, startServer, watchOthers } from "./processes.ts";
import { textOf } from "./tables.ts";

const benchOptions = {
  bytes: size({ flags: "--bytes", default: 512 << 20, help: "of the data directory" }),
  valueSizes: list({
    flags: "--value-sizes",
    default: ["100", "1000", "100000"],
    help: "bytes of a value",
  }),
  in: list({
    flags: "--in",
    default: ["bucket", "file"],
    help: "where the copies are: bucket, file",
  }),
  bandwidth: size({
    flags: "--bandwidth",
    default: 0,
    help: "bytes a second that the bucket sends at most; 0 for no limit",
  }),
  rounds: integer({ flags: "--rounds", min: 1, default: 3, help: "measurements of each, in turn" }),
  dir: textOption({
    flags: "--dir",
    value: "DIR",
    help: "on which disk; the system's temporary directory otherwise",
  }),
};

type BenchOptions = Values<typeof benchOptions>;

/** What is measured. */
const WAYS = ["copy", "verify", "restore", "read and write"] as const;

/** What one of them took, without the process's start: medians over the rounds. */
interface Row {
  readonly what: typeof WAYS[number];
  readonly in: string;
  readonly valueSize: number;
  readonly megabytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Of the machine, by other processes than these and the bucket. */
  readonly othersShare: number;
}

if (import.meta.main) {
  await runBench({
    manual: {
      usage: "deno task bench-copies [options]",
      about:
        "Measures what copies of the disk store cost on this machine, and how fast they restore.",
    },
    options: benchOptions,
    programs: {},
    measure: measureAll,
    text,
  });
}

async function measureAll(options: BenchOptions): Promise<Row[]> {
  const directory = await Deno.makeTempDir({ prefix: "kvs-bench-", dir: options.dir });
  try {
    const rows: Row[] = [];
    for (const valueSize of options.valueSizes.map(Number)) {
      const path = `${directory}/${valueSize}`;
      await Deno.mkdir(path);
      const megabytes = await fill(`${path}/data`, valueSize, options.bytes) / 1e6;
      for (const place of options.in) {
        rows.push(...await measure(path, place, { valueSize, megabytes }, options));
      }
      await Deno.remove(path, { recursive: true });
    }
    return rows;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function measure(
  directory: string,
  place: string,
  what: Pick<Row, "valueSize" | "megabytes">,
  { rounds, bandwidth }: BenchOptions,
): Promise<Row[]> {
  const rate = bandwidth === 0 ? [] : [`${bandwidth}`];
  await using bucket = place === "bucket"
    ? await startServer((port) =>
      denoScript("bench/copies/service.ts", `${port}`, directory, ...rate)
    )
    : undefined;
  const endpoint = bucket === undefined ? [] : [`https://localhost:${bucket.port}`];
  const env: Record<string, string> = bucket === undefined ? {} : {
    DENO_CERT: `${directory}/ca.crt`,
    GOOGLE_APPLICATION_CREDENTIALS: `${directory}/credentials.json`,
  };
  const others = bucket === undefined ? [] : [bucket.pid];
  const run = (script: string, ...args: string[]) =>
    timed(env, others, ...denoScript(script, ...args));
  const server = (...args: string[]) =>
    run("server.ts", ...args, ...endpoint.flatMap((at) => ["--gcs-endpoint", at]));
  const taken: Record<typeof WAYS[number], Taken[]> = {
    copy: [],
    verify: [],
    restore: [],
    "read and write": [],
  };
  for (let round = 0; round < rounds; round++) {
    const url = bucket === undefined
      ? `file://${directory}/copies-${round}`
      : `gs://bucket/${round}`;
    const copying = ["copy", "--once", "--data-dir", `${directory}/data`, "--copy-to", url];
    const copied = await server(...copying);
    // With nothing left to do it only starts.
    taken.copy.push(without(copied, await server(...copying)));
    const start = await server("restore", "--from", url, "--list");
    const add = async (way: typeof WAYS[number], run: Promise<Taken>) =>
      taken[way].push(without(await run, start));
    await add("verify", server("verify", "--from", url));
    const path = `${directory}/restored`;
    await add("restore", server("restore", "--from", url, "--data-dir", path));
    await Deno.remove(path, { recursive: true });
    await add("read and write", run("bench/copies/plain.ts", path, url, ...endpoint));
    await Deno.remove(path, { recursive: true });
    if (bucket === undefined) await Deno.remove(url.slice("file://".length), { recursive: true });
  }
  return WAYS.map((way) => ({
    ...{ what: way, in: place, ...what },
    seconds: median(taken[way].map(({ seconds }) => seconds)),
    cpuSeconds: median(taken[way].map(({ cpuSeconds }) => cpuSeconds)),
    othersShare: median(taken[way].map(({ othersShare }) => othersShare)),
  }));
}

/** Writes so many bytes of items; returns how many bytes the log has. */
async function fill(directory: string, valueSize: number, bytes: number): Promise<number> {
  const store = await openDiskStore({
    ...{ directory, clock: systemClock, memoryLimit: 64 << 20, fsync: "no", log: console.error },
  });
  const item = itemOf(crypto.getRandomValues(new Uint8Array(Math.min(valueSize, 1 << 16))));
  const value = new Uint8Array(valueSize);
  for (let at = 0; at < valueSize; at += item.value.length) {
    value.set(item.value.subarray(0, valueSize - at), at);
  }
  const batch = new Batch();
  const count = Math.ceil(bytes / (valueSize + 64));
  for (let i = 0; i < count; i++) {
    await store.swap(keyOf(i), "any", { ...item, value }, batch);
    if (i % 1000 === 999) await store.commit(batch);
  }
  await store.commit(batch);
  await store.close();
  let sum = 0;
  for (const { name } of Deno.readDirSync(directory)) {
    if (name.endsWith(".log")) sum += Deno.statSync(`${directory}/${name}`).size;
  }
  return sum;
}

interface Taken {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly othersShare: number;
}

/** Runs a program to its end. The shell knows what a process has taken that is gone. */
async function timed(
  env: Record<string, string>,
  mine: readonly number[],
  ...command: string[]
): Promise<Taken> {
  const others = watchOthers(mine);
  const { success, stderr } = await new Deno.Command("bash", {
    args: ["-c", 'TIMEFORMAT="%R %U %S"; time "$@" >/dev/null', "bash", ...command],
    env,
    stdout: "null",
    stderr: "piped",
  }).output();
  const said = new TextDecoder().decode(stderr).trim();
  if (!success) throw new Error(said);
  const [seconds, user, system] = said.split("\n").at(-1)!.split(" ").map(Number);
  // The process is gone, and so is what it took, which is not the others'.
  const share = (user! + system!) / (seconds! * navigator.hardwareConcurrency);
  const othersShare = Math.max(0, others() - share);
  return { seconds: seconds!, cpuSeconds: user! + system!, othersShare };
}

function without(taken: Taken, start: Taken): Taken {
  return {
    ...taken,
    seconds: Math.max(0, taken.seconds - start.seconds),
    cpuSeconds: Math.max(0, taken.cpuSeconds - start.cpuSeconds),
  };
}

function text(rows: readonly Row[]): string {
  const plainOf = (row: Row) =>
    rows.find(({ what, in: place, valueSize }) =>
      what === "read and write" && place === row.in && valueSize === row.valueSize
    )!;
  const table = textOf([
    ["", "in", "value", "MB", "MB/s", "CPU s a GB", "of plain: rate", "CPU"],
    ...rows.map((row) => [
      row.what,
      row.in,
      `${row.valueSize}`,
      row.megabytes.toFixed(0),
      (row.megabytes / row.seconds).toFixed(0),
      (row.cpuSeconds / row.megabytes * 1000).toFixed(2),
      (plainOf(row).seconds / row.seconds).toFixed(2),
      (row.cpuSeconds / plainOf(row).cpuSeconds).toFixed(2),
    ]),
  ]);
  return [table, ...noiseText(rows.map(({ othersShare }) => othersShare))].join("\n");
}
