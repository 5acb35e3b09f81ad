/**
 * Runs memcached's own tests (`t/*.t` of its source) against kvs, and prints what passed.
 *
 *     deno task conformance [FILE…] [--store disk|memory] [--threads N] [--jobs N] [--verbose] …
 *
 * `memcached.md` says which files kvs passes. The exit code is 1 where one of them fails, and where
 * the page and the files that are there do not fit.
 *
 * @module
 */

import { helpText } from "../../lib/cli/help.ts";
import { choice, flag, integer, text } from "../../lib/cli/option.ts";
import { parseOptions, type Values } from "../../lib/cli/parse.ts";
import { run } from "../../lib/cli/run.ts";
import { Exit, ExitError } from "../../lib/errors.ts";
import { MEMCACHED_VERSION } from "../../lib/version.ts";
import { type Build, cacheImports, prepare, unpack } from "./suite/build.ts";
import { differencesOf, type Entry, parsePage, type StoreName, storeNames } from "./suite/page.ts";
import { runFile } from "./suite/run_file.ts";
import { getTarball } from "./suite/source.ts";
import { detailsOf, heading, lineOf, type Row, totalOf, verdictOf } from "./suite/table.ts";

const suiteOptions = {
  store: choice({
    flags: "--store",
    of: ["both", ...storeNames],
    default: "both",
    help: "the store to run on",
  }),
  threads: integer({
    flags: "--threads",
    min: 1,
    default: 1,
    help: "the -t of servers whose test does not say it",
  }),
  jobs: integer({ flags: "--jobs", min: 1, default: 2, help: "files that run concurrently" }),
  limit: integer({
    flags: "--limit",
    min: 1,
    default: 120,
    help: "seconds after which a file is ended",
  }),
  all: flag({ flags: "--all", help: "run the files too that do not count" }),
  server: text({
    flags: "--server",
    value: "DIR",
    help: "the checkout of kvs to test, instead of this one",
  }),
  source: text({
    flags: "--source",
    value: "PATH",
    help: "memcached's source: a tarball or a directory, instead of Debian's",
  }),
  verbose: flag({ flags: "-v, --verbose", help: "show what the failed tests got and expected" }),
  output: flag({ flags: "--output", help: "show all that the files print" }),
  help: flag({ flags: "-h, --help", lineOnly: true, help: "show this text and end" }),
};

type SuiteOptions = Values<typeof suiteOptions>;

const manual = {
  usage: "deno task conformance [options] [FILE…]",
  about: "Runs memcached's own tests against kvs. A FILE is one of them, as in 'cas.t' or 'cas'.",
};

if (import.meta.main) await run("conformance", main);

async function main(args: readonly string[]): Promise<number> {
  const { options, rest } = parseOptions(suiteOptions, args, new Map());
  if (options.help) {
    console.log(helpText(manual, suiteOptions).trimEnd());
    return Exit.ok;
  }
  const entries = parsePage(await Deno.readTextFile(new URL("memcached.md", import.meta.url)));
  const stop = new AbortController();
  // What it has started is of no process group of the terminal's, and would go on.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }
  const directory = await Deno.makeTempDir({ prefix: "kvs-conformance-" });
  try {
    const version = await putSource(options.source, directory);
    const server = await Deno.realPath(options.server ?? new URL("../..", import.meta.url));
    await cacheImports(server);
    const build = await prepare(directory, server, options.threads);
    const fits = compare(entries, build, version);
    const rows = await runAll(options, build, entries, namesOf(rest, build), stop.signal);
    console.log(totalOf(rows));
    const failed = rows.some((row) => verdictOf(row) === "failed");
    return fits && !failed && !stop.signal.aborted ? Exit.ok : Exit.no;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Unpacks or copies memcached's source; returns its version, where that is known. */
async function putSource(
  source: string | undefined,
  directory: string,
): Promise<string | undefined> {
  if (source === undefined) {
    const { path, version, origin } = await getTarball(MEMCACHED_VERSION, log);
    const other = version === MEMCACHED_VERSION ? "" : `, not the ${MEMCACHED_VERSION} asked for`;
    log(`memcached ${version}${other} (${origin})`);
    await unpack(path, directory);
    return version;
  }
  if ((await Deno.stat(source)).isFile) {
    await unpack(source, directory);
  } else {
    const { success } = await new Deno.Command("cp", {
      args: ["-R", `${source}/.`, directory],
    }).output();
    if (!success) throw new ExitError(`cannot copy '${source}'`, Exit.software);
  }
}

function log(line: string): void {
  console.error(`conformance: ${line}`);
}

/** Says how the page and the files differ; returns whether that is as it may be. */
function compare(entries: ReadonlyMap<string, Entry>, build: Build, version?: string): boolean {
  const { unlisted, missing } = differencesOf(entries, build.files);
  for (const file of unlisted) log(`memcached.md does not list ${file}`);
  // An older memcached has fewer tests.
  const older = version !== undefined && version !== MEMCACHED_VERSION;
  for (const file of missing) log(`memcached.md lists ${file}, which is not there`);
  return unlisted.length === 0 && (missing.length === 0 || older);
}

/** The files that were asked for; all, where none was. */
function namesOf(asked: readonly string[], { files }: Build): readonly string[] | undefined {
  if (asked.length === 0) return undefined;
  return asked.map((name) => {
    const file = `${name.replace(/^.*\//, "").replace(/\.t$/, "")}.t`;
    if (files.includes(file)) return file;
    throw new ExitError(`memcached has no test '${name}'`, Exit.usage);
  });
}

async function runAll(
  options: SuiteOptions,
  build: Build,
  entries: ReadonlyMap<string, Entry>,
  names: readonly string[] | undefined,
  stop: AbortSignal,
): Promise<Row[]> {
  const stores = storeNames.filter((name) => options.store === "both" || options.store === name);
  const tasks = stores.flatMap((store) =>
    (names ?? build.files).map((file) => ({ file, store, entry: entries.get(file) }))
  );
  const rows: Row[] = [];
  console.log(heading);
  const asked = (entry: Entry | undefined, store: StoreName) =>
    options.all || names !== undefined || entry?.stores.includes(store);
  const work = async () => {
    while (tasks.length > 0 && !stop.aborted) {
      const task = tasks.shift()!;
      const { file, store, entry } = task;
      const row: Row = {
        ...task,
        run: asked(entry, store)
          ? await runFile(build, file, store, options.limit, stop)
          : undefined,
      };
      rows.push(row);
      console.log(lineOf(row));
      if (options.output && row.run !== undefined) console.log(row.run.output);
      else if (options.verbose) { for (const line of detailsOf(row)) console.log(line); }
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, work));
  return rows;
}
