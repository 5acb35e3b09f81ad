/**
 * `stats` and what may stand behind it. The figures themselves are rows of `lib/observe/figures/`.
 *
 * @module
 */

import { bytesOfBinaryString, percentText } from "../bytes.ts";
import { budgetRows } from "../observe/figures/budgets.ts";
import { copyRows } from "../observe/figures/copies.ts";
import { general } from "../observe/figures/general.ts";
import { items } from "../observe/figures/items.ts";
import { type Source, statsOf } from "../observe/figures/row.ts";
import { process } from "../observe/figures/process.ts";
import { traffic } from "../observe/figures/traffic.ts";
import { cpuUsage } from "../observe/process.ts";
import { breaksLines } from "../protocol/key.ts";
import { badRequest, failures, type Figure, type Outcome } from "../protocol/outcome.ts";
import { itemSize } from "../protocol/limits.ts";
import type { Request } from "../protocol/request.ts";
import type { Listed, Store, StoreInfo } from "../storage/contract.ts";
import { CLASS, MAX_CLASS } from "./classes.ts";
import type { Context } from "./context.ts";
import { Right } from "./rights.ts";
import type { Session } from "./session.ts";

/** memcached ends a `cachedump` at this many bytes of reply. */
const MAX_CACHEDUMP = 2 * 1024 * 1024;
/** The least size of a chunk, and the size of a page, of memcached's slabs, in bytes. */
const MIN_CHUNK = 96;
const PAGE = 1024 * 1024;
/** The width of a step of `stats sizes`, in bytes. */
const SIZE_STEP = 32;
/** What `stats hot` shows at most. */
const HOT_KEYS = 20;
/** What a line of a `cachedump` takes beside its key, in bytes, about. */
const CACHEDUMP_LINE = 32;

type Stats = (
  context: Context,
  outcome: Outcome,
  words: readonly string[],
  session: Session,
) => Promise<void> | void;

/** The commands of `stats`, and the right that one needs which is not {@linkcode Right.stats}. */
const commands: ReadonlyArray<readonly [name: string, run: Stats, right?: number]> = [
  ["reset", reset, Right.admin],
  ["detail", detail],
  ["settings", (context, outcome) => tell(outcome, context.settings)],
  ["cachedump", cachedump, Right.list],
  ["conns", conns],
  ["extstore", (_, outcome) => tell(outcome, [])],
  ["items", (context, outcome) => tell(outcome, listItems(context))],
  ["slabs", (context, outcome) => tell(outcome, slabs(context))],
  ["sizes", sizes],
  ["limits", (context, outcome) => tell(outcome, context.describeLimits())],
  ["threads", (context, outcome) => tell(outcome, context.describeThreads())],
  ["slow", slow],
  ["hot", hot],
  ["events", events, Right.admin],
  ["traffic", (context, outcome) => tell(outcome, statsOf(traffic, sourceOf(context)))],
  ["process", (context, outcome) => tell(outcome, statsOf(processStats, sourceOf(context)))],
];
/** What `stats process` tells: the process itself, `--http`, and how much of each bound is in use. */
const processStats = [...process, ...budgetRows];
/** What `stats` tells. */
const plain = [...general, ...copyRows];
/** These names may be cut short, as in memcached: `stats set` is `settings`. */
const MAY_BE_CUT = 6;

/** Runs `stats` and what may stand behind it. */
export function stats(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): Promise<void> | void {
  const [name, ...words] = request.words;
  if (name === undefined) return tell(outcome, statsOf(plain, sourceOf(context)));
  if (name === context.storeName) return tell(outcome, context.store.info().own);
  const row = rowOf(name);
  return row === undefined
    ? outcome.fail(failures.unknownCommand)
    : row[1](context, outcome, words, session);
}

/** The right that `stats` needs with these words behind it. */
export function statsRight([name, what]: readonly string[]): number {
  const row = name === undefined ? undefined : rowOf(name);
  // Counting by prefix is switched for everybody.
  if (row?.[1] === detail && !isStartOf(what, "dump")) return Right.admin;
  if (what === "reset") return Right.admin;
  return row?.[2] ?? Right.stats;
}

function rowOf(name: string) {
  return commands.find(([full], i) => i < MAY_BE_CUT ? full.startsWith(name) : full === name);
}

/** Whether a word is a command, or the start of it. */
function isStartOf(word: string | undefined, command: string): boolean {
  return word !== undefined && word !== "" && command.startsWith(word);
}

function tell(outcome: Outcome, figures: readonly Figure[]): void {
  outcome.code = "figures";
  outcome.figures = figures;
}

function conns(context: Context, outcome: Outcome): Promise<void> {
  return context.listings.count(async () => tell(outcome, await context.describeConnections()));
}

function reset(context: Context, outcome: Outcome): void {
  context.counters.reset(context.store.info());
  context.prefixes.clear();
  context.timing?.clear();
  outcome.code = "reset";
}

/** Counts by prefix: `on`, `off`, `dump`. */
function detail(
  { prefixes, allowDump }: Context,
  outcome: Outcome,
  [what]: readonly string[],
  { rights }: Session,
): void {
  if (!allowDump) return outcome.fail(badRequest("stats detail not allowed"));
  outcome.code = "ok";
  if (isStartOf(what, "on")) prefixes.enabled = true;
  else if (isStartOf(what, "off")) prefixes.enabled = false;
  else if (isStartOf(what, "dump")) {
    outcome.code = "prefixes";
    outcome.text = prefixes.lines(rights && ((key) => rights.reads(key)));
  } else outcome.fail(badRequest("usage: stats detail on|off|dump"));
}

/** What the store tells of itself, its counts since the last reset. */
function infoOf({ store, counters: { before } }: Context): StoreInfo {
  const info = store.info();
  return {
    ...info,
    evictions: since(before.evictions, info.evictions),
    reclaimed: since(before.reclaimed, info.reclaimed),
    flushedReads: since(before.flushedReads, info.flushedReads),
  };
}

/** By how much a count has grown; a Redis that was started anew counts from 0. */
function since(before: number, now: number): number {
  return now < before ? now : now - before;
}

function memoryNow(): Source["memory"] {
  const { rss, heapUsed } = Deno.memoryUsage();
  return { resident: rss, heap: heapUsed };
}

/** What the figures are read from, as it is now. */
export function sourceOf(context: Context): Source {
  const { counters, watchers, clock } = context;
  const cpu = cpuUsage();
  // Found out once, where somebody asks: many rows read each.
  let limits: Source["limits"] | undefined;
  let connectionsBy: Source["connectionsBy"] | undefined;
  let memory: Source["memory"] | undefined;
  return {
    counters,
    watchers,
    store: infoOf(context),
    storeName: context.storeName,
    version: context.version,
    now: clock.now(),
    started: context.started,
    cpu: { user: cpu.user / 1e6, system: cpu.system / 1e6 },
    accepting: context.accepting(),
    threads: context.threads,
    connections: context.connections(),
    maxConnections: context.maxConnections,
    closesIdle: context.closesIdle,
    tls: context.tls,
    copies: context.copies?.(),
    isCrawling: context.crawls.isRunning,
    settings: context.settings,
    watch: context.watch?.(),
    get limits() {
      return limits ??= context.describeLimits();
    },
    get connectionsBy() {
      return connectionsBy ??= context.connectionsBy();
    },
    get memory() {
      return memory ??= memoryNow();
    },
  };
}

function listItems(context: Context): Figure[] {
  return statsOf(items, sourceOf(context))
    .map(([name, value]) => [`items:${CLASS}:${name}`, value]);
}

/** One class, whose chunks are as large as its items are on the average. */
function slabs(context: Context): Figure[] {
  const { counters } = context;
  const { items, bytes } = context.store.info();
  // memcached keeps the pages of a class whose items are gone.
  const isUsed = items > 0 || counters.total_items > 0;
  const chunk = Math.max(MIN_CHUNK, Math.ceil(bytes / Math.max(items, 1) / 8) * 8 + 8);
  const perPage = Math.max(1, Math.floor(PAGE / chunk));
  const pages = Math.max(1, Math.ceil(items / perPage));
  const figures: Figure[] = [
    ["chunk_size", chunk],
    ["chunks_per_page", perPage],
    ["total_pages", pages],
    ["total_chunks", pages * perPage],
    ["used_chunks", items],
    ["free_chunks", pages * perPage - items],
    ["free_chunks_end", 0],
    ["get_hits", counters.get_hits],
    ["cmd_set", counters.cmd_set],
    ["delete_hits", counters.delete_hits],
    ["incr_hits", counters.incr_hits],
    ["decr_hits", counters.decr_hits],
    ["cas_hits", counters.cas_hits],
    ["cas_badval", counters.cas_badval],
    ["touch_hits", counters.touch_hits],
  ];
  const used: Figure[] = isUsed ? figures.map(([name, value]) => [`${CLASS}:${name}`, value]) : [];
  return [...used, ["active_slabs", isUsed ? 1 : 0], ["total_malloced", bytes]];
}

/**
 * The last requests that took longer than `--slow-ms`, the newest first; `reset` forgets them. Keys are
 * percent-encoded.
 */
function slow(
  context: Context,
  outcome: Outcome,
  [word]: readonly string[],
  session: Session,
): void {
  if (!context.allowDump) return outcome.fail(badRequest("stats slow not allowed"));
  if (word !== undefined && word !== "reset") {
    return outcome.fail(badRequest("usage: stats slow reset"));
  }
  const { timing } = context;
  if (timing === undefined || timing.slow.threshold === Infinity) {
    return tell(outcome, [["slow_status", "disabled"]]);
  }
  if (word === "reset") timing.slow.clear();
  tell(outcome, [
    ["slow_total", timing.slow.total],
    ...timing.slow.list().flatMap((batch, i): Figure[] => [
      [`${i + 1}:time`, (batch.time / 1000).toFixed(3)],
      [`${i + 1}:ms`, batch.milliseconds.toFixed(3)],
      [`${i + 1}:command`, batch.command],
      [`${i + 1}:key`, reads(session, batch.key) ? keyText(batch.key) : "-"],
      [`${i + 1}:requests`, batch.requests],
      [`${i + 1}:connection`, batch.connection],
    ]),
  ]);
}

/** The keys that are asked for most, estimated, since they were forgotten last, which `reset` does. */
function hot(
  context: Context,
  outcome: Outcome,
  [word]: readonly string[],
  session: Session,
): void {
  if (!context.allowDump) return outcome.fail(badRequest("stats hot not allowed"));
  if (word !== undefined && word !== "reset") {
    return outcome.fail(badRequest("usage: stats hot reset"));
  }
  const { timing } = context;
  if (timing === undefined) return tell(outcome, [["hot_status", "disabled"]]);
  if (word === "reset") timing.hot.clear();
  tell(
    outcome,
    timing.hot.top(HOT_KEYS).filter(({ key }) => reads(session, key)).flatMap((
      { key, count, error },
      i,
    ): Figure[] => [
      [`${i + 1}:key`, keyText(key)],
      [`${i + 1}:count`, count],
      [`${i + 1}:error`, error],
    ]),
  );
}

/** The last lines of the log, the oldest first. They may name clients and keys. */
function events(context: Context, outcome: Outcome): void {
  if (!context.allowDump) return outcome.fail(badRequest("stats events not allowed"));
  const lines = context.events ?? [];
  tell(
    outcome,
    lines.flatMap(({ time, level, text }, i): Figure[] => [
      [`${i + 1}:time`, new Date(time).toISOString()],
      [`${i + 1}:level`, level],
      [`${i + 1}:text`, text],
    ]),
  );
}

/** Whether the user of a session may read a key, one character a byte. */
function reads({ rights }: Session, key: string): boolean {
  return rights === undefined || rights.reads(bytesOfBinaryString(key));
}

/** A key, one character a byte, in characters that neither end a word nor a line; `-` for none. */
function keyText(key: string): string {
  return key === "" ? "-" : percentText(bytesOfBinaryString(key));
}

/** How many items there are of each size, in steps of 32 bytes (memcached's `track_sizes`). */
function sizes(context: Context, outcome: Outcome): Promise<void> | void {
  if (!context.trackSizes) return tell(outcome, [["sizes_status", "disabled"]]);
  return context.listings.count(() => countSizes(context.store, outcome));
}

async function countSizes(store: Store, outcome: Outcome): Promise<void> {
  const counts = new Map<number, number>();
  for await (const group of store.scan()) {
    for (const { key, size, flags } of group) {
      const step = Math.ceil(itemSize(key.length, size, flags) / SIZE_STEP) * SIZE_STEP;
      counts.set(step, (counts.get(step) ?? 0) + 1);
    }
  }
  const steps = [...counts].sort(([a], [b]) => a - b);
  tell(outcome, steps.map(([step, count]) => [String(step), count]));
}

function cachedump(
  context: Context,
  outcome: Outcome,
  words: readonly string[],
  session: Session,
): Promise<void> | void {
  if (!context.allowDump) return outcome.fail(badRequest("stats cachedump not allowed"));
  if (words.length < 2) return outcome.fail(badRequest("bad command line"));
  const [id, limit] = words.map((word) => /^\d+$/.test(word) ? Number(word) : NaN);
  if (Number.isNaN(id) || Number.isNaN(limit)) return outcome.fail(failures.badFormat);
  if (id > MAX_CLASS) return outcome.fail(badRequest("Illegal slab id"));
  outcome.code = "entries";
  outcome.entries = [];
  if (id !== CLASS) return;
  const most = limit === 0 ? Infinity : limit;
  return context.listings.count(() => listFirst(context.store, outcome, most, session));
}

async function listFirst(
  store: Store,
  outcome: Outcome,
  limit: number,
  session: Session,
): Promise<void> {
  const items: Listed[] = [];
  outcome.entries = items;
  let bytes = 0;
  for await (const group of store.scan()) {
    for (const item of group) {
      // The reply has no way to write a key that came in base64: memcached leaves it out too. It
      // writes one with a line feed that came in a frame, and whatever stands behind is then a line.
      if (item.binaryKey || breaksLines(item.key) || !session.shows(item.key)) continue;
      bytes += item.key.length + CACHEDUMP_LINE;
      if (items.length >= limit || bytes > MAX_CACHEDUMP) return;
      items.push({ ...item, key: item.key.slice() });
    }
  }
}
