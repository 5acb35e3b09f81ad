/**
 * Budgets: what clients can take of something, up to a limit, and how much of it is taken. They are made of
 * figures that other rows tell, so that one alert and one table see all of them.
 *
 * @module
 */

import { line } from "./limits.ts";
import type { Part, Row, Source } from "./row.ts";

/** Something that is bounded. */
export interface Budget {
  /** The value of the label `budget`. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  readonly unit: "bytes" | "";
  readonly used: (source: Source) => number | undefined;
  /** `undefined` or 0 where there is no limit. */
  readonly limit: (source: Source) => number | undefined;
  /** What an operator can do when it is used up. */
  readonly action: string;
}

/** A budget that lines of `stats limits` tell. */
function ofLimits(
  name: string,
  limit: string,
  title: string,
  action: string,
  unit: Budget["unit"] = "",
): Budget {
  return {
    name,
    title,
    unit,
    used: (source) => line(source, name),
    limit: (source) => line(source, limit),
    action,
  };
}

/** All of them. */
export const budgets: readonly Budget[] = [
  {
    name: "connections",
    title: "connections",
    unit: "",
    used: ({ connections }) => connections,
    limit: ({ maxConnections }) => maxConnections,
    action: "Raise -c, or set --idle-timeout.",
  },
  ofLimits(
    "client_memory",
    "max_client_memory",
    "memory of clients",
    "See who takes it below; raise --max-client-memory.",
    "bytes",
  ),
  ofLimits(
    "strangers",
    "max_strangers",
    "connections without a log-in",
    "See who connects and does not log in.",
  ),
  ofLimits("tls_handshakes", "max_tls_handshakes", "TLS handshakes", "See who begins them."),
  ofLimits("listings", "max_listings", "listings of keys", "Wait, or end one."),
  ofLimits("watchers", "max_watchers", "watchers", "End one."),
  ofLimits("prefixes", "max_prefixes", "prefixes of stats detail", "stats reset forgets them."),
  {
    name: "http_connections",
    title: "connections to --http",
    unit: "",
    used: ({ watch }) => watch?.http?.open,
    limit: ({ watch }) => watch?.http?.most,
    action: "See who asks so often.",
  },
  {
    name: "http_pages",
    title: "live pages",
    unit: "",
    used: ({ watch }) => watch?.http?.pages,
    limit: ({ watch }) => watch?.http?.mostPages,
    action: "Close some.",
  },
  {
    name: "store",
    title: "store",
    unit: "bytes",
    used: ({ store }) => store.bytes,
    limit: ({ store }) => store.limit,
    action: "Raise the limit, delete keys, or add servers.",
  },
];

/** A budget as it is now. */
export interface BudgetUse {
  readonly budget: Budget;
  readonly used: number;
  readonly limit: number;
}

/** The budgets that have a limit here. */
export function budgetsOf(source: Source): BudgetUse[] {
  return budgets.flatMap((budget) => {
    const used = budget.used(source);
    const limit = budget.limit(source);
    return used === undefined || limit === undefined || limit === 0
      ? []
      : [{ budget, used, limit }];
  });
}

function parts(source: Source): Part[] {
  return budgetsOf(source).map(({ budget, used, limit }) => [
    { budget: budget.name },
    used / limit,
  ]);
}

/** The row that tells how much of each is used. */
export const budgetRows: readonly Row[] = [{
  stat: "budget_used_ratio",
  read: (source) => Math.max(0, ...parts(source).map(([, share]) => share)),
  parts,
  series: {
    family: {
      name: "kvs_budget_used_ratio",
      type: "gauge",
      help: "How much of each bound is in use, from 0 to 1.",
    },
  },
  unit: "",
  across: "same",
  meaning: `How much of each bound is in use, from 0 to 1: ${
    budgets.map(({ name }) => `\`${name}\``).join(", ")
  }.`,
}];
