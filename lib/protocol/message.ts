/**
 * What clients ask and what servers answer, without a word of how either is written on the wire.
 *
 * @module
 */

/** The greatest key, in bytes (memcached's `KEY_MAX_LENGTH`). */
export const MAX_KEY = 250;

/** One key of a retrieval. A line with several keys is as many requests, the last one marked. */
export interface Get {
  readonly op: "get";
  readonly key: Uint8Array;
  /** Whether the reply carries the cas unique (`gets`). */
  readonly unique: boolean;
  /** Whether the retrieval ends with this key. */
  readonly last: boolean;
  readonly noreply: false;
}

/** One key of a get and touch. */
export interface GetAndTouch extends Omit<Get, "op"> {
  readonly op: "gat";
  /** Seconds as the client gave them: 0, relative, absolute or negative. */
  readonly exptime: number;
}

/** The commands that carry a value. */
export type StorageOp = "set" | "add" | "replace" | "append" | "prepend" | "cas";

export interface Storage {
  readonly op: StorageOp;
  readonly key: Uint8Array;
  readonly flags: number;
  readonly exptime: number;
  /** The expected cas unique of a `cas`, else 0. */
  readonly cas: bigint;
  readonly value: Uint8Array;
  readonly noreply: boolean;
}

/** A storage command whose item is over the limit; its value was skipped. */
export interface TooLarge {
  readonly op: "too_large";
  readonly command: StorageOp;
  readonly key: Uint8Array;
  readonly noreply: boolean;
}

export interface Delete {
  readonly op: "delete";
  readonly key: Uint8Array;
  readonly noreply: boolean;
}

export interface Arithmetic {
  readonly op: "incr" | "decr";
  readonly key: Uint8Array;
  readonly delta: bigint;
  readonly noreply: boolean;
}

export interface Touch {
  readonly op: "touch";
  readonly key: Uint8Array;
  readonly exptime: number;
  readonly noreply: boolean;
}

export interface FlushAll {
  readonly op: "flush_all";
  /** When, in seconds as a client gives an exptime; 0 and less mean now. */
  readonly delay: number;
  readonly noreply: boolean;
}

/** A listing of all keys: `lru_crawler metadump` and `mgdump`. */
export interface Dump {
  readonly op: "dump";
  readonly format: "metadump" | "mgdump";
  readonly noreply: false;
}

export interface Stats {
  readonly op: "stats";
  /** The words after `stats`. */
  readonly words: readonly string[];
  readonly noreply: false;
}

/** A command without arguments that matter. */
export interface Plain {
  readonly op: "version" | "verbosity" | "quit" | "crawler";
  readonly noreply: boolean;
}

/** The end of the server, on a client's word. */
export interface Shutdown {
  readonly op: "shutdown";
  /** Whether memcached knows such a mode; one that may not ask at all is not told. */
  readonly isMode: boolean;
  readonly noreply: false;
}

/** What cannot be a request, with the answer that it gets. */
export interface Malformed {
  readonly op: "malformed";
  readonly reply: Reply;
  readonly noreply: boolean;
}

/** One request of a client. The bytes in it are views that live until the next parse. */
export type Request =
  | Get
  | GetAndTouch
  | Storage
  | TooLarge
  | Delete
  | Arithmetic
  | Touch
  | FlushAll
  | Dump
  | Stats
  | Plain
  | Shutdown
  | Malformed;

/** The answers that are always the same line. */
export type Word =
  | "STORED"
  | "NOT_STORED"
  | "EXISTS"
  | "NOT_FOUND"
  | "DELETED"
  | "TOUCHED"
  | "OK"
  | "RESET";

/** What a retrieval shows of an item. */
export interface Valued {
  readonly value: Uint8Array;
  readonly flags: number;
  readonly cas: bigint;
}

/** What a listing of keys shows of an item. */
export interface Entry {
  readonly key: Uint8Array;
  /** The length of the value in bytes. */
  readonly size: number;
  readonly flags: number;
  /** In milliseconds since 1970; 0 for never. */
  readonly exptime: number;
  /** In seconds since 1970. */
  readonly accessed: number;
  readonly cas: bigint;
  readonly fetched: boolean;
}

/** The answer to one request. */
export type Reply =
  | { readonly kind: "word"; readonly word: Word }
  | {
    readonly kind: "value";
    readonly key: Uint8Array;
    readonly item: Valued;
    readonly unique: boolean;
    readonly last: boolean;
  }
  | { readonly kind: "miss"; readonly last: boolean }
  | { readonly kind: "number"; readonly value: bigint }
  | { readonly kind: "version"; readonly version: string }
  | { readonly kind: "error"; readonly line: string }
  | { readonly kind: "figures"; readonly figures: readonly Figure[] }
  | { readonly kind: "cachedump"; readonly items: readonly Entry[] }
  | {
    readonly kind: "dump";
    readonly format: Dump["format"];
    readonly items: AsyncIterable<readonly Entry[]>;
  }
  | { readonly kind: "close" };

/** One `STAT` line: a name without spaces, and its value. */
export type Figure = readonly [name: string, value: string | number];

function word(word: Word): Reply {
  return { kind: "word", word };
}

/** The replies that carry nothing of their own. */
export const replies = {
  stored: word("STORED"),
  notStored: word("NOT_STORED"),
  exists: word("EXISTS"),
  notFound: word("NOT_FOUND"),
  deleted: word("DELETED"),
  touched: word("TOUCHED"),
  ok: word("OK"),
  reset: word("RESET"),
  miss: { kind: "miss", last: false },
  lastMiss: { kind: "miss", last: true },
  close: { kind: "close" },
  unknown: { kind: "error", line: "ERROR" },
  badFormat: { kind: "error", line: "CLIENT_ERROR bad command line format" },
  badExptime: { kind: "error", line: "CLIENT_ERROR invalid exptime argument" },
  badDelta: { kind: "error", line: "CLIENT_ERROR invalid numeric delta argument" },
  badChunk: { kind: "error", line: "CLIENT_ERROR bad data chunk" },
  notANumber: {
    kind: "error",
    line: "CLIENT_ERROR cannot increment or decrement non-numeric value",
  },
  tooLarge: { kind: "error", line: "SERVER_ERROR object too large for cache" },
  outOfMemory: { kind: "error", line: "SERVER_ERROR out of memory storing object" },
} as const satisfies Record<string, Reply>;

/** `SERVER_ERROR` with a sentence; what would end the line is made a space. */
export function serverError(sentence: string): Extract<Reply, { kind: "error" }> {
  // deno-lint-ignore no-control-regex -- control characters are what must not reach the line
  return { kind: "error", line: `SERVER_ERROR ${sentence.replace(/[\x00-\x1f\x7f]+/g, " ")}` };
}
