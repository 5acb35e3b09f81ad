/**
 * The commands of kvs-client: one row a command.
 *
 * @module
 */

import type { Command } from "./command.ts";
import { dump } from "./dump.ts";
import { health } from "./health.ts";
import { keys } from "./keys.ts";
import { raw } from "./raw.ts";
import { restore } from "./restore.ts";
import { get, gets } from "./retrieval.ts";
import { flush, ping, stats, version } from "./servers.ts";
import { shell } from "./shell.ts";
import { add, append, cas, decr, incr, prepend, remove, replace, set, touch } from "./storage.ts";

export const commands: Readonly<Record<string, Command>> = {
  get,
  gets,
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
  health,
  raw,
  shell,
};
