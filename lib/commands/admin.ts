/**
 * Commands for operators: listings, watching, settings, the end.
 *
 * @module
 */

import { Kind, kindNames } from "../observe/watch.ts";
import {
  badCertificates,
  badRequest,
  failures,
  type Outcome,
  refused,
} from "../protocol/outcome.ts";
import type { Request } from "../protocol/request.ts";
import { listSlabClass } from "./classes.ts";
import type { Context } from "./context.ts";
import type { Listed } from "../storage/contract.ts";
import type { Session } from "./session.ts";

const MIB = 2 ** 20;
/** memcached's `MAX_VERBOSITY_LEVEL`. */
const MAX_VERBOSITY = 2;
/** `cache_memlimit` takes megabytes; fewer are too few, and so many must be meant as bytes. */
const MIN_MEGABYTES = 8;
const MAX_MEGABYTES = 1_000_000_000;

/** `lru_crawler metadump` and `mgdump`: a listing of all keys. */
export function dump(request: Request, outcome: Outcome, session: Session, context: Context): void {
  const [name, classes] = request.words;
  const format = name === "metadump" ? "metadump" : "mgdump";
  if (!context.allowDump) {
    return outcome.fail(refused(`${format === "metadump" ? "metadump" : "key dump"} not allowed`));
  }
  if (!context.live.lruCrawler) return outcome.fail(badRequest("lru crawler disabled"));
  const chosen = listSlabClass(classes);
  if (chosen === undefined) return outcome.fail(failures.badClass);
  if (!context.listings.begin()) return outcome.fail(failures.busy);
  context.counters.lru_crawler_starts++;
  outcome.code = "dump";
  outcome.dumpFormat = format;
  const { store } = context;
  outcome.dump = !chosen
    ? nothing()
    : session.rights === undefined
    ? store.scan()
    : shownTo(session, store.scan());
}

/** The items of a listing that the user of a session may see, also when that changes meanwhile. */
async function* shownTo(
  session: Session,
  groups: AsyncIterable<readonly Listed[]>,
): AsyncGenerator<readonly Listed[]> {
  for await (const group of groups) yield group.filter(({ key }) => session.shows(key));
}

async function* nothing(): AsyncGenerator<never> {}

/**
 * What memcached's LRU crawler is told. `crawl` looks for expired items; the other settings are taken, and
 * shown by `stats settings`.
 */
export function crawl(
  request: Request,
  outcome: Outcome,
  _: Session,
  { live, store, crawls, log }: Context,
): void {
  const [name, argument] = request.words;
  outcome.code = "ok";
  switch (name) {
    case "crawl":
      if (!live.lruCrawler) outcome.fail(badRequest("lru crawler disabled"));
      else if (listSlabClass(argument) === undefined) outcome.fail(failures.badClass);
      else if (crawls.isRunning) outcome.fail(failures.busy);
      else crawls.run(store, log);
      break;
    case "enable":
      // Its thread runs from the start, as it does in memcached.
      if (live.lruCrawler) outcome.fail(refused("failed to start lru crawler thread"));
      live.lruCrawler = true;
      break;
    case "disable":
      live.lruCrawler = false;
      break;
    case "sleep":
      live.lruCrawlerSleep = Number(argument);
      break;
    case "tocrawl":
      live.lruCrawlerToCrawl = Number(argument);
      break;
  }
}

/** `watch`: the connection becomes a stream of what happens. */
export function watch(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): void {
  if (!context.allowWatch) return outcome.fail(badRequest("watch commands not allowed"));
  let kinds = 0;
  for (const word of request.words) {
    const name = kindNames.find((name) => name.startsWith(word));
    if (name === undefined) return outcome.fail(failures.unknownCommand);
    kinds |= Kind[name];
  }
  const shows = session.rights && ((key: Uint8Array | undefined) => session.shows(key));
  const watcher = context.watchers.add(kinds === 0 ? Kind.fetchers : kinds, shows);
  if (watcher === undefined) return outcome.fail(failures.tooManyWatchers);
  outcome.code = "watch";
  outcome.watch = watcher;
}

/** `version`. */
export function version(_: Request, outcome: Outcome, __: Session, context: Context): void {
  outcome.code = "version";
  outcome.text = context.version;
}

/** `verbosity`. */
export function verbosity(
  request: Request,
  outcome: Outcome,
  _: Session,
  context: Context,
): void {
  context.live.verbosity = Math.min(request.number, MAX_VERBOSITY);
  outcome.code = "ok";
}

/** `mn`, and binary's Noop. */
export function noop(_: Request, outcome: Outcome): void {
  outcome.code = "noop";
}

/** `cache_memlimit`: another limit of the memory for values. */
export function memoryLimit(
  request: Request,
  outcome: Outcome,
  _: Session,
  context: Context,
): void {
  const megabytes = request.number;
  if (megabytes < MIN_MEGABYTES) return outcome.fail(failures.memoryLimitTooSmall);
  if (megabytes > MAX_MEGABYTES) return outcome.fail(failures.memoryLimitInBytes);
  if (context.store.limitMemory?.(megabytes * MIB) !== true) {
    return outcome.fail(failures.memoryLimitFailed);
  }
  context.live.memoryLimit = megabytes * MIB;
  outcome.code = "ok";
}

/** Settings of what kvs does not have: slabs, LRU lists, extstore. They are taken, and do nothing. */
export function tune(_: Request, outcome: Outcome): void {
  outcome.code = "ok";
}

/** `refresh_certs`. */
export function refreshCertificates(
  _: Request,
  outcome: Outcome,
  __: Session,
  { refreshCertificates }: Context,
): Promise<void> | void {
  if (refreshCertificates === undefined) return outcome.fail(failures.noCertificates);
  outcome.code = "ok";
  return refreshCertificates().then((problem) => {
    if (problem !== undefined) outcome.fail(badCertificates(problem));
  });
}

/** `debugtime`: moves the clock of a server under test, or stops it (`p`) and lets it go on (`r`). */
export function moveClock(
  request: Request,
  outcome: Outcome,
  _: Session,
  { debugClock }: Context,
): void {
  const [what = ""] = request.words;
  if (debugClock === undefined) return outcome.fail(failures.unknownCommand);
  if (what === "p") debugClock.pause();
  else if (what === "r") debugClock.resume();
  else if (/^-?\d{1,10}$/.test(what)) debugClock.offset += Number(what) * 1000;
  else return outcome.fail(failures.unknownCommand);
  outcome.code = "ok";
}

/** `shutdown`, where it is allowed. */
export function shutdown(
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
): void {
  const { words } = request;
  if (context.shutdown === undefined) return outcome.fail(failures.shutdownNotEnabled);
  if (words.length > 1 || (words.length === 1 && words[0] !== "graceful")) {
    return outcome.fail(badRequest("invalid shutdown mode"));
  }
  context.audit?.say("shutdown", session);
  context.shutdown();
  outcome.code = "silent";
  outcome.closes = true;
}

/** `quit`. */
export function quit(_: Request, outcome: Outcome): void {
  outcome.code = "ok";
}

/** What is not worth an answer. */
export function hangUp(_: Request, outcome: Outcome): void {
  outcome.code = "silent";
}

/** What could not be read. */
export function malformed(request: Request, outcome: Outcome): void {
  outcome.fail(request.failure ?? failures.unknownCommand);
}
