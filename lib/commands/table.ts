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
import { Right } from "./rights.ts";
import { refuse, store } from "./store.ts";

/**
 * What a command does to the items: it reads one key's, or may change it, or has to do with no single
 * key. Requests of the last kind wait for all before them, and all after them for those.
 */
export type Access = "read" | "write" | "none";

/** A command. */
export interface Row {
  readonly access: Access;
  /** The rights that it needs, as a sum of {@linkcode Right}s; those of `stats` depend on its words. */
  readonly right: number;
  /** Whether it may be asked before a login. */
  readonly open: boolean;
  readonly run: Command;
}

function row(access: Access, right: number, run: Command, open = false): Row {
  return { access, right, run, open };
}

const { none, read, write, list, admin } = Right;

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
    get: row("read", read, get),
    getAndChange: row("write", read | write, getAndChange),
    describe: row("read", read, describe),
    store: row("write", write, store),
    tooLarge: row("write", write, refuse),
    delete: row("write", write, remove),
    arithmetic: row("write", write, arithmetic),
    touch: row("write", write, touch),
    flush: row("none", Right.flush, flush),
    dump: row("none", list, dump),
    crawl: row("none", admin, crawl),
    watch: row("none", list, watch),
    stats: row("none", none, stats),
    version: row("none", none, version, true),
    verbosity: row("none", admin, verbosity),
    noop: row("none", none, noop),
    memoryLimit: row("none", admin, memoryLimit),
    tune: row("none", admin, tune),
    refreshCertificates: row("none", admin, refreshCertificates),
    moveClock: row("none", admin, moveClock),
    login: row("none", none, login, true),
    mechanisms: row("none", none, mechanisms, true),
    shutdown: row("none", admin, shutdown),
    quit: row("none", none, quit),
    hangUp: row("none", none, hangUp, true),
    malformed: row("none", none, malformed, true),
  };
}
