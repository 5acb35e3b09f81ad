/**
 * The options of kvs-client.
 *
 * @module
 */

import { choice, duration, flag, integer, list, LONGEST_WAIT, text } from "../../cli/option.ts";
import type { Values } from "../../cli/parse.ts";
import { accessOptions } from "./access.ts";
import { PROTOCOLS } from "../../protocol/client_dialect.ts";

/** Which servers, for every program that is a client. */
export const serversOption = list({
  flags: "-s, --server, --servers",
  default: ["127.0.0.1:11211"],
  value: "SERVER,…",
  help: "host:port, host:port:weight or unix:/path; keys are spread over several by ketama",
});

/** How a program speaks, for every program that is a client. */
export const protocolOption = choice({
  flags: "--protocol",
  of: PROTOCOLS,
  default: "text",
  help: "which of memcached's dialects to speak",
});

/** The table. The lower ones belong to some commands only, which name them. */
export const clientOptions = {
  servers: serversOption,
  protocol: protocolOption,
  timeout: duration({
    flags: "--timeout",
    min: 1,
    max: LONGEST_WAIT,
    default: 5000,
    help: "how long a server may be silent while a reply is due",
  }),
  ...accessOptions,
  config: text({ flags: "--config", value: "FILE", help: "JSON file of options by long name" }),
  json: flag({ flags: "--json", lineOnly: true, help: "print JSON, one value a line" }),
  raw: flag({
    flags: "--raw",
    lineOnly: true,
    help: "get: print the bytes of the value and nothing else, not even a line end",
  }),
  flags: integer({
    flags: "--flags",
    lineOnly: true,
    max: 0xffffffff,
    default: 0,
    help: "set, add, replace, cas: kept with the value for the client",
  }),
  ttl: duration({
    flags: "--ttl",
    lineOnly: true,
    default: 0,
    help: "set, add, replace, cas: expire after this time; 0 for never",
  }),
  base64: flag({
    flags: "--base64",
    lineOnly: true,
    help: "take KEY as base64 and print keys as base64, for keys of any bytes",
  }),
  limit: integer({
    flags: "--limit",
    lineOnly: true,
    min: 1,
    help: "keys, bigkeys: so many at most",
  }),
  interval: duration({
    flags: "--interval",
    lineOnly: true,
    min: 10,
    max: LONGEST_WAIT,
    help: "stat, latency: how long between two lines (1s)",
  }),
  count: integer({
    flags: "--count",
    lineOnly: true,
    min: 1,
    help: "stat, latency, monitor: end after so many lines",
  }),
  history: flag({
    flags: "--history",
    lineOnly: true,
    help: "latency: a new line every interval (15s) instead of one that changes",
  }),
  delimiter: text({
    flags: "--delimiter",
    lineOnly: true,
    value: "CHAR",
    default: ":",
    help: "bigkeys: what ends the prefix of a key",
  }),
  keep: flag({ flags: "--keep", lineOnly: true, help: "restore: leave items alone that exist" }),
  stat: flag({ flags: "--stat", lineOnly: true, help: "the command stat" }),
  latency: flag({ flags: "--latency", lineOnly: true, help: "the command latency" }),
  latencyHistory: flag({
    flags: "--latency-history",
    lineOnly: true,
    help: "the command latency --history",
  }),
  bigkeys: flag({ flags: "--bigkeys", lineOnly: true, help: "the command bigkeys" }),
  version: flag({ flags: "-V, --version", lineOnly: true, help: "print the client's version" }),
  help: flag({ flags: "-h, --help", lineOnly: true, help: "print this text" }),
};

/** Their values. */
export type ClientValues = Values<typeof clientOptions>;
