/**
 * The figures of `stats limits`: each bound, how much of it is in use, and how often it was met. What other
 * rows tell is not told twice.
 *
 * @module
 */

import type { Across, Family, Row, Source, Unit } from "./row.ts";
import { refusals } from "./traffic.ts";

/** A line of `stats limits`, by its name. */
export function line({ limits }: Source, name: string): number | undefined {
  const found = limits.find(([own]) => own === name)?.[1];
  return found === undefined ? undefined : Number(found);
}

function bound(
  limit: string,
  name: string,
  help: string,
  rest: { unit?: Unit; across?: Across; type?: Family["type"] } = {},
): Row & { readonly limit: string } {
  const { unit = "", across = "same", type = "gauge" } = rest;
  return {
    limit,
    read: (source) => line(source, limit),
    series: { family: { name: `kvs_${name}`, type, help } },
    unit,
    across,
    meaning: help,
  };
}

function refusal(limit: string, cause: string, meaning: string): Row & { readonly limit: string } {
  return {
    limit,
    read: (source) => line(source, limit),
    series: { family: refusals, labels: { cause } },
    unit: "",
    across: "sum",
    meaning,
  };
}

/** Lines that rows of `stats` tell. */
export const limitsToldElsewhere: readonly string[] = [
  "max_connections",
  "connections",
  "rejected_connections",
  "watchers",
];

/** The rows, by the names of their lines. */
export const limitRows: ReadonlyArray<Row & { readonly limit: string }> = [
  bound(
    "max_connections_per_ip",
    "connections_per_address_limit",
    "Most of one address; 0 for none.",
  ),
  bound(
    "connect_rate",
    "connect_rate_limit",
    "Most new ones of one address in a second; 0 for none.",
  ),
  refusal("rejected_by_address", "address", "connections of an address that has its share"),
  bound(
    "dead_connections",
    "dead_connections_total",
    "Connections dead before they were accepted.",
    {
      type: "counter",
      across: "sum",
    },
  ),
  bound("max_strangers", "strangers_limit", "Most connections that have not logged in."),
  bound("strangers", "strangers", "Connections that have not logged in.", { across: "sum" }),
  refusal("strangers_closed", "stranger", "connections closed that had not logged in"),
  bound("max_client_memory", "client_memory_limit_bytes", "Most memory for requests and replies.", {
    unit: "bytes",
  }),
  bound("client_memory", "client_memory_bytes", "Memory of requests and replies.", {
    unit: "bytes",
    across: "sum",
  }),
  bound("client_memory_waiting", "client_memory_waiting", "Connections that wait for memory.", {
    across: "sum",
  }),
  refusal("client_memory_kicks", "client_memory", "connections closed to make room in memory"),
  bound("max_listings", "listings_limit", "Most listings of keys at a time."),
  bound("listings", "listings", "Listings of keys that are sent.", { across: "sum" }),
  refusal(
    "listing_kicks",
    "listing_not_read",
    "connections closed that did not take their listing",
  ),
  bound("max_tls_handshakes", "tls_handshakes_limit", "Most TLS handshakes at a time; 0 for none."),
  bound("tls_handshakes", "tls_handshakes", "TLS handshakes under way.", { across: "sum" }),
  bound("max_watchers", "watchers_limit", "Most watchers."),
  bound("max_prefixes", "prefixes_limit", "Most prefixes that stats detail counts.", {
    across: "sum",
  }),
  bound("prefixes", "prefixes", "Prefixes that stats detail counts.", { across: "sum" }),
];
