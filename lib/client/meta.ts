/**
 * What only memcached's meta commands can do: leases that keep many clients from computing the same
 * value, stale values that are served meanwhile, and what a server remembers of an item.
 *
 * @module
 */

import { type ByteBuffer, bytesOf } from "../bytes.ts";
import type { ReplyOf } from "../protocol/client_dialect.ts";
import type { Key } from "../protocol/key.ts";
import { writeMeta, writeMetaDebug, writeMetaSet } from "../protocol/meta/format_request.ts";
import { type MetaFlags, readMetaFlags } from "../protocol/meta/reply_flags.ts";
import { checkFlags, exptimeOf } from "./item_numbers.ts";

/** How an item is read. Times are exptimes, as {@linkcode StoreOptions} has them. */
export interface MetaGetOptions {
  /** Leave the value where it is, and return what is known of it. */
  readonly noValue?: boolean;
  /** It expires from now on as this says (`T`). */
  readonly exptime?: number;
  /** Where there is no item, create an empty one that lives so long; the first to ask wins (`N`). */
  readonly vivify?: number;
  /** With fewer seconds to live than this, the first to ask wins the right to renew it (`R`). */
  readonly recache?: number;
  /** Leave the value out if its cas unique is this (`C`, memcached 1.6.40). */
  readonly unless?: bigint;
  /** The cas unique of an item that is created (`E`, memcached 1.6.27). */
  readonly unique?: bigint;
  /** Do not count as a read (`u`). */
  readonly unseen?: boolean;
}

/** What a meta get found. */
export interface MetaItem {
  /** Absent where it was not wanted. */
  readonly value: Uint8Array<ArrayBuffer> | undefined;
  readonly flags: number;
  readonly unique: bigint;
  /** In seconds, before this access; `Infinity` for never. */
  readonly ttl: number;
  /** In bytes. */
  readonly size: number;
  /** Whether it had been read before. */
  readonly hit: boolean;
  /** How long ago that was, or that it was written, in seconds. */
  readonly lastAccess: number;
  /** This client has won the right to write it anew: it should. */
  readonly won: boolean;
  /** It was marked as stale: it is there, but no longer right. */
  readonly stale: boolean;
  /** Another client has won that right already. */
  readonly wonByAnother: boolean;
}

/** How a value is stored. */
export interface MetaSetOptions {
  readonly mode?: "set" | "add" | "replace" | "append" | "prepend";
  readonly flags?: number;
  readonly exptime?: number;
  /** Store only if the item's cas unique is this (`C`). */
  readonly compare?: bigint;
  /** The cas unique that it gets (`E`, memcached 1.6.27). */
  readonly unique?: bigint;
  /** Store even over a newer `compare`, and mark it as stale (`I`). */
  readonly stale?: boolean;
  /** Append and prepend create an item that lives so long (`N`, memcached 1.6.20). */
  readonly vivify?: number;
}

/** How an item is deleted. */
export interface MetaDeleteOptions {
  readonly compare?: bigint;
  /** The cas unique of what remains (`E`). */
  readonly unique?: bigint;
  /** Do not delete it, but mark it as stale (`I`), for so long where `exptime` is given. */
  readonly stale?: boolean;
  readonly exptime?: number;
  /** Keep the item, without value and flags (`x`, memcached 1.6.27). */
  readonly empty?: boolean;
}

/** How a number is changed. */
export interface MetaArithmeticOptions {
  readonly mode?: "incr" | "decr";
  /** 64 bits (1). */
  readonly delta?: bigint;
  /** Where there is none, create one that lives so long (`N`) and has the value `initial` (0). */
  readonly vivify?: number;
  readonly initial?: bigint;
  readonly exptime?: number;
  readonly compare?: bigint;
  readonly unique?: bigint;
}

/** What came of a write. */
export type MetaStatus = "done" | "not stored" | "exists" | "not found";

/** Sends a meta command to the server that has a key. */
type Ask = (
  key: Key,
  write: (out: ByteBuffer, opaque: number) => "meta",
) => Promise<ReplyOf<"meta">>;

const MODES = { set: "S", add: "E", replace: "R", append: "A", prepend: "P" } as const;

const STATUSES: Readonly<Record<string, MetaStatus>> = {
  HD: "done",
  VA: "done",
  NS: "not stored",
  EX: "exists",
  NF: "not found",
};

/** The meta commands of a client, with all that they can be asked for. */
export class MetaCommands {
  readonly #ask: Ask;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** The item under a key with what the server remembers of it, if there is one. */
  async get(key: Key, options: MetaGetOptions = {}): Promise<MetaItem | undefined> {
    const { noValue, exptime, vivify, recache, unless, unique, unseen } = options;
    const flags = [
      ...["f", "c", "t", "s", "h", "l"],
      ...flag("v", !noValue),
      ...flag("u", unseen),
      ...time("N", vivify),
      ...time("R", recache),
      ...time("T", exptime),
      ...token("C", unless),
      ...token("E", unique),
    ];
    const { line, value } = await this.#ask(key, (out) => writeMeta(out, "mg", key, flags));
    const said = readMetaFlags(line);
    if (said.code === "EN") return undefined;
    return {
      value,
      flags: said.clientFlags ?? 0,
      unique: said.unique ?? 0n,
      ttl: said.ttl ?? Infinity,
      size: said.size ?? 0,
      hit: said.hit ?? false,
      lastAccess: said.lastAccess ?? 0,
      won: said.won,
      stale: said.stale,
      wonByAnother: said.wonByAnother,
    };
  }

  /** Stores a value, and returns the item's new cas unique where it was stored. */
  async set(
    key: Key,
    value: Uint8Array | string,
    options: MetaSetOptions = {},
  ): Promise<{ status: MetaStatus; unique: bigint }> {
    const { mode = "set", flags = 0, exptime = 0, compare, unique, stale, vivify } = options;
    checkFlags(flags);
    const words = [
      "c",
      `M${MODES[mode]}`,
      ...token("F", flags === 0 ? undefined : flags),
      ...time("T", exptime === 0 ? undefined : exptime),
      ...token("C", compare),
      ...token("E", unique),
      ...flag("I", stale),
      ...time("N", vivify),
    ];
    const bytes = typeof value === "string" ? bytesOf(value) : value;
    const { line } = await this.#ask(key, (out) => writeMetaSet(out, key, bytes, words));
    const said = readMetaFlags(line);
    return { status: statusOf(said), unique: said.unique ?? 0n };
  }

  /** Deletes an item, or marks it as stale. */
  async delete(key: Key, options: MetaDeleteOptions = {}): Promise<MetaStatus> {
    const { compare, unique, stale, exptime, empty } = options;
    const flags = [
      ...token("C", compare),
      ...token("E", unique),
      ...flag("I", stale),
      ...flag("x", empty),
      ...time("T", exptime),
    ];
    const { line } = await this.#ask(key, (out) => writeMeta(out, "md", key, flags));
    return statusOf(readMetaFlags(line));
  }

  /** Adds to a number or takes away from it, and returns what it is then. */
  async arithmetic(
    key: Key,
    options: MetaArithmeticOptions = {},
  ): Promise<{ status: MetaStatus; number?: bigint; unique: bigint; ttl: number }> {
    const { mode = "incr", delta = 1n, vivify, initial, exptime, compare, unique } = options;
    const flags = [
      ...["v", "c", "t", `D${delta}`],
      ...flag("MD", mode === "decr"),
      ...time("N", vivify),
      ...token("J", initial),
      ...time("T", exptime),
      ...token("C", compare),
      ...token("E", unique),
    ];
    const { line, value } = await this.#ask(key, (out) => writeMeta(out, "ma", key, flags));
    const said = readMetaFlags(line);
    const digits = value && new TextDecoder().decode(value).trimEnd();
    return {
      status: statusOf(said),
      ...(digits !== undefined && /^\d+$/.test(digits) ? { number: BigInt(digits) } : {}),
      unique: said.unique ?? 0n,
      ttl: said.ttl ?? Infinity,
    };
  }

  /** What a server knows of an item, by its names: `exp`, `la`, `cas`, `fetch`, … */
  async debug(key: Key): Promise<Map<string, string> | undefined> {
    const { line } = await this.#ask(key, (out) => writeMetaDebug(out, key));
    if (!line.startsWith("ME ")) return undefined;
    return new Map(
      line.split(" ").slice(2).map((word) => {
        const at = word.indexOf("=");
        return [word.slice(0, at), word.slice(at + 1)];
      }),
    );
  }
}

function flag(name: string, wanted: boolean | undefined): string[] {
  return wanted ? [name] : [];
}

function token(letter: string, value: number | bigint | undefined): string[] {
  return value === undefined ? [] : [`${letter}${value}`];
}

/** An exptime, such as all servers read alike. */
function time(letter: string, exptime: number | undefined): string[] {
  return token(letter, exptime === undefined ? undefined : exptimeOf(exptime));
}

function statusOf({ code }: MetaFlags): MetaStatus {
  return STATUSES[code] ?? "not found";
}
