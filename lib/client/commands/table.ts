/**
 * The commands of kvs-client: one row a command.
 *
 * @module
 */

import { bigkeys } from "./bigkeys.ts";
import type { Command } from "./command.ts";
import { completion } from "./completion.ts";
import { dump } from "./dump.ts";
import { health } from "./health.ts";
import { hot, slow } from "./hot.ts";
import { keys } from "./keys.ts";
import { latency, stat } from "./live.ts";
import { raw } from "./raw.ts";
import { report } from "./report.ts";
import { restore } from "./restore.ts";
import { gat, get, gets, ttl } from "./retrieval.ts";
import { flush, ping, stats, version } from "./servers.ts";
import { shell } from "./shell.ts";
import { add, append, cas, decr, incr, prepend, remove, replace, set, touch } from "./storage.ts";
import { monitor, watch } from "./watch.ts";

export const commands: Readonly<Record<string, Command>> = {
  get,
  gets,
  gat,
  ttl,
  set,
  add,
  replace,
  append,
  prepend,
  cas,
  incr,
  decr,
  touch,
  delete: remove,
  keys,
  dump,
  restore,
  flush,
  stats,
  version,
  ping,
  stat,
  latency,
  bigkeys,
  monitor,
  watch,
  health,
  slow,
  hot,
  report,
  raw,
  shell,
  completion,
};
