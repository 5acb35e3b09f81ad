/**
 * What state a server is in and what an operator can do about it, in sentences: the top of the live page.
 *
 * @module
 */

import { budgetsOf } from "./figures/budgets.ts";
import { type CopyState, copyWarning } from "./figures/copies.ts";
import { evicts } from "./figures/process.ts";
import { type Row, type Source } from "./figures/row.ts";
import { ownRows } from "./figures/store.ts";
import type { Readiness } from "./health.ts";

/** One thing that an operator is told. */
export interface Advice {
  readonly level: "good" | "warning" | "critical";
  /** What is so. */
  readonly state: string;
  /** What to do; empty where there is nothing to do. */
  readonly action: string;
}

/** The rows that are worth a word, by the names of their stores' figures. */
function figure(source: Source, own: string): number {
  const row: Row | undefined = ownRows.find((row) => row.own === own);
  return Number(row?.read(source) ?? 0);
}

/** A certificate that ends sooner is worth a word, in milliseconds: 14 days. */
const CERTIFICATE_SOON = 14 * 24 * 3600 * 1000;

/** From this share of a bound on there is something to say. */
const NEAR = 0.95;

/** What is to be done about copies, by their state. */
const copyActions: Readonly<Partial<Record<CopyState, string>>> = {
  waiting: "Wait for the lease of the server that had them.",
  behind: "Raise --copy-bandwidth, or look at the network: what is written is more than is sent.",
  failing:
    "Look at the destination, its permissions and the network: nothing is copied until then.",
  fenced: "Find out which server is the right one: this one's data is copied no more.",
};

/** Whether it is said otherwise that a bound is near, or goes without saying. */
function isNoNews(budget: string, source: Source, store: Readiness["store"]): boolean {
  if (budget === "connections") return source.connections >= source.maxConnections;
  // A cache that evicts is full when it is well.
  return budget === "store" && (store !== "ok" || evicts(source));
}

/** What there is to say, the worst first. Never empty. */
export function adviceOn(readiness: Readiness, source: Source | undefined): Advice[] {
  const { phase, store, reason } = readiness;
  const said: Advice[] = [];
  const say = (level: Advice["level"], state: string, action: string) =>
    said.push({ level, state, action });
  if (phase === "starting") say("warning", `Starting: ${reason}`, "Wait: do not stop the process.");
  if (phase === "draining" || phase === "stopped") {
    say("warning", "Stopping: what was read is answered", "");
  }
  if (store === "full") {
    say(
      "critical",
      `Full: ${reason}`,
      "Make room on the disk, raise --max-disk or Redis's maxmemory, or delete keys.",
    );
  }
  if (store === "failed") {
    say(
      "critical",
      `Failed: ${reason}`,
      "Look at the disk, then restart: writes are refused until then.",
    );
  }
  if (store === "away") {
    say("critical", `Away: ${reason}`, "Check the network, the credentials and the store itself.");
  }
  if (source !== undefined) {
    const damaged = figure(source, "disk damaged_records");
    if (damaged > 0) {
      say(
        "critical",
        `${damaged} damaged records`,
        "Run kvs-server check, then restore or --repair.",
      );
    }
    const { copies } = source;
    if (copies !== undefined && copyWarning(copies) !== "") {
      say(
        copies.state === "waiting" ? "warning" : "critical",
        `Copies ${copies.state}: ${copies.reason || "nothing is known yet"}`,
        copyActions[copies.state] ?? "",
      );
    }
    if (figure(source, "disk behind") > 0) {
      say("warning", "Syncs are later than --fsync promises", "The disk is too slow or too busy.");
    }
    if (!source.accepting.now || source.connections >= source.maxConnections) {
      say(
        "warning",
        "As many connections as -c allows are open",
        "Raise -c or set --idle-timeout.",
      );
    }
    const openTo = source.settings.find(([name]) => name === "open_to")?.[1];
    if (openTo !== undefined) {
      say(
        "warning",
        `Whoever reaches the server by a ${openTo} network can read and change everything`,
        "Give users (-Y, --users) or ask for clients' certificates (-Z, mtls:).",
      );
    }
    if (source.tls !== undefined && source.tls.expires - source.now < CERTIFICATE_SOON) {
      const when = new Date(source.tls.expires).toISOString().slice(0, 10);
      say("warning", `The certificate ends on ${when}`, "Replace its files, then refresh_certs.");
    }
    for (const { budget, used, limit } of budgetsOf(source)) {
      if (used < NEAR * limit || isNoNews(budget.name, source, store)) continue;
      const share = Math.floor(used / limit * 100);
      const what = `${budget.title[0]!.toUpperCase()}${budget.title.slice(1)}`;
      say("warning", `${what}: ${share} % of the limit is in use`, budget.action);
    }
  }
  // What there is to say does not always keep it from its work.
  if (readiness.ready || said.length === 0) say("good", "Serving: reads and writes are taken", "");
  return said;
}
