/**
 * The commands: one row each.
 *
 * To add one: a name in `Op`, a row here, a function, a line in a dialect's grammar, and a test.
 *
 * @module
 */

import type { Op } from "../protocol/request.ts";
import {
  crawl,
  dump,
  hangUp,
  malformed,
  memoryLimit,
  moveClock,
  noop,
  quit,
  refreshCertificates,
  shutdown,
  tune,
  verbosity,
  version,
  watch,
} from "./admin.ts";
import { arithmetic } from "./arithmetic.ts";
import type { Command } from "./command.ts";
import { flush, remove, touch } from "./delete.ts";
import { describe, get, getAndChange } from "./get.ts";
import { login, mechanisms } from "./login.ts";
import { stats } from "./stats.ts";
import { refuse, store } from "./store.ts";

/**
 * What a command does to the items: it reads one key's, or may change it, or has to do with no single
 * key. Requests of the last kind wait for all before them, and all after them for those.
 */
export type Access = "read" | "write" | "none";

/** A command. */
export interface Row {
  readonly access: Access;
  /** Whether it may be asked before a login. */
  readonly open: boolean;
  readonly run: Command;
}

function row(access: Access, run: Command, open = false): Row {
  return { access, run, open };
}

/** All commands. */
export const commands: { readonly [Name in Op]: Row } = table();

/**
 * Lets commands run in another way from now on, in this thread alone: on no single key, where several threads
 * serve one store.
 */
export function replaceRun(ops: readonly Op[], run: (plain: Command) => Command): void {
  const rows = commands as { [Name in Op]: Row };
  for (const op of ops) rows[op] = { ...rows[op], run: run(rows[op].run) };
}

function table(): { [Name in Op]: Row } {
  return {
    get: row("read", get),
    getAndChange: row("write", getAndChange),
    describe: row("read", describe),
    store: row("write", store),
    tooLarge: row("write", refuse),
    delete: row("write", remove),
    arithmetic: row("write", arithmetic),
    touch: row("write", touch),
    flush: row("none", flush),
    dump: row("none", dump),
    crawl: row("none", crawl),
    watch: row("none", watch),
    stats: row("none", stats),
    version: row("none", version, true),
    verbosity: row("none", verbosity),
    noop: row("none", noop),
    memoryLimit: row("none", memoryLimit),
    tune: row("none", tune),
    refreshCertificates: row("none", refreshCertificates),
    moveClock: row("none", moveClock),
    login: row("none", login, true),
    mechanisms: row("none", mechanisms, true),
    shutdown: row("none", shutdown),
    quit: row("none", quit),
    hangUp: row("none", hangUp, true),
    malformed: row("none", malformed, true),
  };
}
