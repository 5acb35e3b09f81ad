/**
 * multiclient from its options to its report.
 *
 * @module
 */

import { print } from "../cli/terminal.ts";
import type { Manual } from "../cli/help.ts";
import { choice, duration, flag, integer, LONGEST_WAIT, text } from "../cli/option.ts";
import type { Parsed } from "../cli/parse.ts";
import { parseAddress } from "../client/address.ts";
import { accessOf, accessOptions } from "../client/commands/access.ts";
import { dropPermissions } from "../client/commands/drop.ts";
import { protocolOption, serversOption } from "../client/commands/options.ts";
import { Exit, ExitError, messageOf } from "../errors.ts";
import type { Protocol } from "../protocol/client_dialect.ts";
import { checkKeyLength, isTextKey } from "../protocol/key.ts";
import { counting, countOf } from "./count.ts";
import { parseSizes, sizes } from "./distribution.ts";
import { Lines } from "./lines.ts";
import { writeHgrm } from "./hgrm.ts";
import { runLoad } from "./load.ts";
import { Progress } from "./progress.ts";
import { fraction } from "./fraction.ts";
import { Records } from "./records.ts";
import { exitCodeOf, reportOf, reportText } from "./report.ts";
import type { Plan } from "./runner.ts";

/** The options of multiclient. */
export const multiclientOptions = {
  servers: serversOption,
  protocol: protocolOption,
  ...accessOptions,
  requests: counting({
    flags: "--requests",
    min: 1,
    help: "of each client (100, or as many as --duration allows)",
  }),
  duration: duration({
    flags: "--duration",
    min: 1,
    max: LONGEST_WAIT,
    help: "end after this time",
  }),
  getRatio: fraction({
    flags: "--get-ratio",
    default: 0.5,
    help: "how many are gets; the rest sets",
  }),
  pipeline: integer({
    flags: "--pipeline",
    min: 1,
    max: 10_000,
    default: 1,
    help: "requests that a client has in flight",
  }),
  rate: integer({
    flags: "--rate",
    min: 1,
    help: "requests a second of all clients, by the clock; latency counts from when one is due",
  }),
  keys: text({ flags: "--keys", value: "FILE", help: "keys, one a line, as generate writes them" }),
  values: text({ flags: "--values", value: "FILE", help: "the value of each line of --keys" }),
  keyCount: counting({
    flags: "--key-count",
    min: 1,
    max: 100_000_000,
    default: 10_000,
    help: "without --keys: how many keys, the first that generate would write",
  }),
  valueSize: sizes({
    flags: "--value-size",
    default: "100",
    min: 0,
    max: 2 ** 30,
    help: "without --values: as for generate",
  }),
  keyDist: choice({
    flags: "--key-dist",
    of: ["uniform", "zipf"],
    default: "uniform",
    help: "which keys are asked for: all alike, or few of them often",
  }),
  verify: flag({
    flags: "--verify",
    help: "check that every value read was written for that key and is not overwritten",
  }),
  threads: integer({
    flags: "--threads",
    min: 1,
    max: 64,
    help: "for more than one core, or many clients (one for each 500 of them, up to 16)",
  }),
  timeout: duration({
    flags: "--timeout",
    min: 1,
    max: LONGEST_WAIT,
    default: 30_000,
    help: "how long a reply may take",
  }),
  seed: integer({ flags: "--seed", default: 1, help: "the same seed chooses the same requests" }),
  hgrm: text({
    flags: "--hgrm",
    value: "FILE",
    help: "write all latencies as percentiles, for HdrHistogram's plotters",
  }),
  json: flag({ flags: "--json", lineOnly: true, help: "print JSON" }),
  version: flag({ flags: "-V, --version", lineOnly: true, help: "print the version" }),
  help: flag({ flags: "-h, --help", lineOnly: true, help: "show this text and end" }),
};

export const multiclientManual: Manual = {
  usage: "kvs-bench [N] [options], or deno task multiclient [N] [options]",
  about: "Lets N (100) concurrent clients, each with its own connection, get and set random keys.",
  notes: `Exit codes: 0 all was well, 1 answers were wrong, 64 usage, 65 a file cannot be used,
69 a client cannot connect, 70 requests failed, 130 interrupted.
More than about 1,000 clients need a server with a higher --conn-limit.

  kvs-bench 100
  kvs-bench 1k --duration 10s --get-ratio 0.9 --key-dist zipf --verify
  kvs-bench 50 --rate 20000 --duration 30s --threads 2 --json`,
};

const MOST_CLIENTS = 1_000_000;
/** Of each client, as in the comparison that this project began with. */
const DEFAULT_REQUESTS = 100;
/** The sizes of generate's keys when it is not told. */
const KEY_SIZES = parseSizes("16")!;

/** Runs the load and prints what came of it; the exit code. */
export async function multiclient(
  { options, rest }: Parsed<typeof multiclientOptions>,
): Promise<number> {
  const clients = countOf("N", rest, 100, MOST_CLIENTS);
  const { servers, protocol, duration, timeout, getRatio, pipeline, rate, verify, seed } = options;
  for (const server of servers) checkAddress(server);
  const { keys, values } = await linesOf(options);
  const threads = options.threads ?? Math.min(threadsFor(clients), keys.count);
  if (verify && threads > keys.count) {
    throw new ExitError(`--verify needs a key for each of ${threads} threads`, Exit.usage);
  }
  const plan: Omit<Plan, "thread"> = {
    threads,
    servers,
    protocol,
    timeout,
    ...accessOf(options),
    clients,
    pipeline,
    requests: options.requests ?? (duration === undefined ? DEFAULT_REQUESTS : Infinity),
    duration: duration ?? Infinity,
    getRatio,
    keys: keys.shared,
    keyDistribution: options.keyDist,
    values: values?.shared,
    valueSizes: options.valueSize.text,
    rate,
    run: verify ? runName() : undefined,
    seed,
  };
  dropPermissions(servers, options.hgrm !== undefined);
  const progress = new Progress();
  const stop = new AbortController();
  const interrupt = () => {
    // A second time it ends whatever is under way.
    Deno.removeSignalListener("SIGINT", interrupt);
    stop.abort();
  };
  Deno.addSignalListener("SIGINT", interrupt);
  try {
    const outcome = await runLoad(plan, {
      stop: stop.signal,
      advance: ({ requests, errors, seconds, latency }) =>
        progress.show(() => {
          const all = latency();
          const of = (percent: number) => all.percentile(percent).toFixed(2);
          return `${requests.toLocaleString("en")} requests in ${seconds.toFixed(0)} s, ` +
            `${errors.toLocaleString("en")} errors; p50 ${of(50)}, p99 ${of(99)}, ` +
            `max ${all.max.toFixed(2)} ms`;
        }),
    });
    progress.clear();
    const report = reportOf(outcome);
    await print((options.json ? JSON.stringify(report) : reportText(report, verify)) + "\n");
    // After a run of hours a file that cannot be written is no reason to lose its report.
    if (options.hgrm !== undefined) await writeHgrm(options.hgrm, outcome.tally.latency());
    const code = exitCodeOf(report);
    return code === Exit.ok && stop.signal.aborted ? Exit.interrupted : code;
  } finally {
    progress.clear();
    Deno.removeSignalListener("SIGINT", interrupt);
  }
}

async function linesOf(
  { keys, values, protocol, keyCount, seed, valueSize }: Parsed<
    typeof multiclientOptions
  >["options"],
): Promise<{ keys: Lines; values?: Lines }> {
  if (keys === undefined) {
    if (values !== undefined) throw new ExitError("--values needs --keys", Exit.usage);
    const records = new Records(seed, KEY_SIZES, valueSize);
    return { keys: Lines.make(keyCount, (out, index) => records.writeKey(out, index)) };
  }
  const lines = { keys: await Lines.read(keys), values: values && await Lines.read(values) };
  if (lines.values && lines.values.count !== lines.keys.count) {
    throw new ExitError(
      `--values must have a line for each of --keys: '${values}' has ${lines.values.count}, ` +
        `'${keys}' has ${lines.keys.count}`,
      Exit.usage,
    );
  }
  checkKeys(lines.keys, keys, protocol);
  return { keys: lines.keys, ...(lines.values ? { values: lines.values } : {}) };
}

/** @throws {ExitError} 65 for a line that is no key of the protocol. */
function checkKeys(lines: Lines, path: string, protocol: Protocol): void {
  for (let index = 0; index < lines.count; index++) {
    const key = lines.at(index);
    try {
      checkKeyLength(key.length);
    } catch (error) {
      throw new ExitError(`line ${index + 1} of '${path}': ${messageOf(error)}`, Exit.data);
    }
    if (protocol !== "text" || isTextKey(key)) continue;
    throw new ExitError(
      `line ${index + 1} of '${path}' is a key that needs --protocol meta or binary`,
      Exit.data,
    );
  }
}

/** The fewer clients a thread has, the closer together are the latencies of thousands of them. */
function threadsFor(clients: number): number {
  return Math.min(16, Math.ceil(clients / 500));
}

function checkAddress(server: string): void {
  try {
    parseAddress(server);
  } catch (error) {
    throw new ExitError(`--servers: ${messageOf(error)}`, Exit.usage);
  }
}

/** A word that no other run has. */
function runName(): string {
  return crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36).padStart(7, "0");
}
