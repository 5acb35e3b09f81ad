/**
 * What a user may do: rights, each on all keys or on those with certain prefixes.
 *
 * @module
 */

import type { Request } from "../protocol/request.ts";

/** The rights, as bits. A command may need several. */
export const Right = {
  none: 0,
  /** To see items. */
  read: 1,
  /** To change, make or delete them. */
  write: 2,
  /** `flush_all`. */
  flush: 4,
  /** Listings of keys, and `watch`. */
  list: 8,
  stats: 16,
  /** Settings of the server, and its end. Includes {@linkcode Right.stats}. */
  admin: 32,
} as const;

/** The names of the rights, as the users file has them. */
export const rightNames = ["read", "write", "flush", "list", "stats", "admin"] as const;

/** The rights that may be limited to prefixes. */
export const keyedRights = ["read", "write", "list"] as const;

/** One of {@linkcode keyedRights}. */
export type KeyedRight = typeof keyedRights[number];

/** Prefixes of keys, as bytes, by the rights that hold for these keys alone. */
export type Prefixes = { readonly [Name in KeyedRight]?: readonly Uint8Array[] };

/** The rights of one user. */
export class Rights {
  readonly #mask: number;
  readonly #prefixes: Prefixes;
  /** The rights that are limited to prefixes. */
  readonly #limited: number;

  constructor(mask: number, prefixes: Prefixes = {}) {
    this.#mask = mask | (mask & Right.admin ? Right.stats : 0);
    this.#prefixes = prefixes;
    this.#limited = keyedRights.reduce(
      (sum, name) => sum | (prefixes[name] === undefined ? 0 : Right[name]),
      0,
    );
  }

  /** Whether the user has all of the rights that are needed, on some keys at least. */
  has(needed: number): boolean {
    return (this.#mask & needed) === needed;
  }

  /** Whether a request that needs these rights on its key is the user's to make. */
  permits(needed: number, request: Request): boolean {
    if ((this.#mask & needed) !== needed) return false;
    const limited = this.#limited & needed & (Right.read | Right.write);
    if (limited === 0) return true;
    const isDecoded = request.decodedKey.length > 0;
    const bytes = isDecoded ? request.decodedKey : request.bytes;
    const start = isDecoded ? 0 : request.keyStart;
    const end = isDecoded ? bytes.length : request.keyEnd;
    const { read, write } = this.#prefixes;
    return ((limited & Right.read) === 0 || beginsWithOne(bytes, start, end, read!)) &&
      ((limited & Right.write) === 0 || beginsWithOne(bytes, start, end, write!));
  }

  /** Whether a listing may show a key to the user: one that may be listed and read. */
  shows(key: Uint8Array): boolean {
    const needed = Right.read | Right.list;
    return this.has(needed) && this.#covers(key, "read") && this.#covers(key, "list");
  }

  /** Whether a key, or all keys that begin so, may be read. */
  reads(key: Uint8Array): boolean {
    return this.has(Right.read) && this.#covers(key, "read");
  }

  #covers(key: Uint8Array, right: KeyedRight): boolean {
    const prefixes = this.#prefixes[right];
    return prefixes === undefined || beginsWithOne(key, 0, key.length, prefixes);
  }
}

function beginsWithOne(
  bytes: Uint8Array,
  start: number,
  end: number,
  prefixes: readonly Uint8Array[],
): boolean {
  next: for (let i = 0; i < prefixes.length; i++) {
    const prefix = prefixes[i]!;
    if (end - start < prefix.length) continue;
    for (let j = 0; j < prefix.length; j++) if (bytes[start + j] !== prefix[j]) continue next;
    return true;
  }
  return false;
}
