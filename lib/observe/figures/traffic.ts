/**
 * The figures of `stats traffic`: who is connected how, what is asked in which protocol, and what is refused.
 *
 * @module
 */

import type { Counters } from "../counters.ts";
import type { Family, Row } from "./row.ts";

/** Requests and connections that were refused. */
export const refusals: Family = {
  name: "kvs_refusals_total",
  type: "counter",
  help: "Requests and connections refused, by cause.",
};

/** Requests by protocol. */
export const protocolCommands: Family = {
  name: "kvs_protocol_commands_total",
  type: "counter",
  help: "Requests by the protocol that they came in.",
};

/** Causes of errors that clients are answered with, and what they are. */
const causes = {
  unreadable: "requests that cannot be read or make no sense",
  too_large: "values that are larger than -I allows",
  no_room: "items for which the store has no room",
  not_allowed: "commands that options forbid, or that have nothing to do",
  unauthenticated: "requests without a log-in, and log-ins that failed",
  busy: "listings while others are under way",
  watchers: "watchers while as many as may be watch",
  not_numeric: "arithmetic on what is no number",
  store: "requests that the store could not do",
} as const;

function protocol(stat: string, name: string, read: (counters: Counters) => number): Row {
  return {
    stat,
    read: ({ counters }) => read(counters),
    series: { family: protocolCommands, labels: { protocol: name } },
    unit: "",
    across: "sum",
    meaning: `requests in the ${name} protocol`,
  };
}

/** The rows. */
export const traffic: readonly Row[] = [
  {
    stat: "connections",
    read: ({ connections }) => connections,
    parts: ({ connectionsBy }) =>
      connectionsBy.map(({ listener, protocol, count }) => [{ listener, protocol }, count]),
    series: {
      family: {
        name: "kvs_connections",
        type: "gauge",
        help: "Open connections by listener and protocol.",
      },
    },
    unit: "",
    across: "sum",
    meaning: "open connections by listener and protocol; text has the meta commands too",
  },
  protocol(
    "text_commands",
    "text",
    (counters) => Math.max(0, counters.line_requests - counters.cmd_meta),
  ),
  protocol("binary_commands", "binary", (counters) => counters.binary_requests),
  ...Object.entries(causes).map(([cause, meaning]): Row => ({
    stat: `refused_${cause}`,
    read: ({ counters }) => counters[`refused_${cause as keyof typeof causes}`],
    series: { family: refusals, labels: { cause } },
    unit: "",
    across: "sum",
    meaning,
  })),
];
