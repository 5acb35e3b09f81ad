/**
 * What a client asks and is answered, whichever of memcached's dialects the connection speaks. Each
 * dialect is a folder with two pure halves: a {@linkcode RequestWriter} and a
 * {@linkcode ReplyReader}. {@linkcode clientDialects} has them all.
 *
 * @module
 */

import type { ByteBuffer } from "../bytes.ts";
import type { Key } from "./key.ts";

/** A dialect by its name. */
export type Protocol = "text" | "meta" | "binary";

/** All dialects by their names. */
export const PROTOCOLS = ["text", "meta", "binary"] as const satisfies readonly Protocol[];

/** A dialect, from the client's side. */
export interface ClientDialect {
  readonly name: Protocol;
  readonly requests: RequestWriter;
  /** What reads the replies of one connection. */
  newReader(): ReplyReader;
}

/** The reads. The ones with an `s` also ask for the cas unique, the ones with an `at` touch. */
export type GetVerb = "get" | "gets" | "gat" | "gats";

/** The writes of a value. */
export type StoreVerb = "set" | "add" | "replace" | "append" | "prepend" | "cas";

/**
 * Requests to bytes. Each method appends one whole request to `out` and returns what the reply to it
 * looks like. `opaque`, 32 bits, is a number of the client's by which the binary protocol tells
 * replies apart; {@linkcode ReplyReader.next} needs the same one. Exptimes are memcached's: 0 never,
 * up to 30 days in seconds from now, above that in seconds since 1970, negative already over.
 *
 * A key that cannot be sent throws a `KeyError`, and leaves in `out` bytes of no meaning.
 */
export interface RequestWriter {
  /** One item. `exptime` is for gat and gats. */
  get(
    out: ByteBuffer,
    opaque: number,
    verb: GetVerb,
    key: Key,
    exptime: number,
  ): "value" | "mg" | NumberedItems;
  /** Those items of several that are there. */
  getMany(
    out: ByteBuffer,
    opaque: number,
    verb: GetVerb,
    keys: readonly Key[],
    exptime: number,
  ): "values" | "mgs" | NumberedItems;
  /** `unique` is for `cas`; append and prepend leave the item's flags and exptime as they are. */
  store(
    out: ByteBuffer,
    opaque: number,
    verb: StoreVerb,
    key: Key,
    value: Uint8Array,
    flags: number,
    exptime: number,
    unique: bigint,
  ): "stored" | "ms";
  delete(out: ByteBuffer, opaque: number, key: Key): "deleted" | "md";
  /** `delta` has 64 bits. No item is created. */
  arithmetic(
    out: ByteBuffer,
    opaque: number,
    verb: "incr" | "decr",
    key: Key,
    delta: bigint,
  ): "number" | "ma";
  touch(out: ByteBuffer, opaque: number, key: Key, exptime: number): "touched" | "mt";
  /** `delay` in seconds. */
  flushAll(out: ByteBuffer, opaque: number, delay: number): "done";
  version(out: ByteBuffer, opaque: number): "version";
  /** Asks for no more than an answer. */
  noop(out: ByteBuffer, opaque: number): "version" | "mn" | "done";
  /** `group` is `settings`, `items` and the like; the server's own figures where it is absent. */
  stats(out: ByteBuffer, opaque: number, group: string | undefined): "stats";
  verbosity(out: ByteBuffer, opaque: number, level: number): "done";
  /** The server closes the connection. */
  quit(out: ByteBuffer, opaque: number): "end";
}

/** What the reply to a request looks like. Any of them may instead be an error. */
export type Expect = Shape | NumberedItems;

/**
 * Items and `MN`, some of which do not say their keys but bring back the place of the key in the
 * request as their opaque: memcached repeats a key that came in base64 as the bytes that it is where
 * the item was stored or changed otherwise, and they may end the line.
 */
export interface NumberedItems {
  readonly keys: readonly Key[];
}

/** The shapes of replies. */
export type Shape =
  /** An item or none. */
  | "value"
  /** Items. */
  | "values"
  | "stored"
  | "deleted"
  | "touched"
  /** A number, or none where there is no item. */
  | "number"
  | "done"
  | "version"
  | "stats"
  /** No reply, but the end of the connection. */
  | "end"
  /** Of the text protocol, as it is: one line. */
  | "line"
  /** `STAT`, `ITEM` or `PREFIX` lines and `END`, or one line such as `RESET`. */
  | "list"
  /** Lines until `END` or `EN`, returned as they come, for they may be millions: metadump, mgdump. */
  | "dump"
  /** The meta commands: one mg with a value; several and `MN`; ms; md; mg without a value; ma; mn. */
  | "mg"
  | "mgs"
  | "ms"
  | "md"
  | "mt"
  | "ma"
  | "mn"
  /** The reply to any meta command, as it is. */
  | "meta"
  /** Of the binary protocol: the mechanisms of SASL by name, and what came of a step. */
  | "mechanisms"
  | "authenticated";

/** What came of a write. */
export type StatusName = "done" | "not stored" | "exists" | "not found";

/** What a server answered. */
export type Reply =
  | { readonly kind: "values"; readonly values: readonly Value[] }
  | { readonly kind: "status"; readonly status: StatusName }
  | { readonly kind: "number"; readonly number: bigint | undefined }
  /** The version, or the mechanisms of SASL. */
  | { readonly kind: "text"; readonly text: string }
  | {
    readonly kind: "stats";
    readonly entries: readonly (readonly [name: string, value: string])[];
  }
  /** A line as a {@linkcode binaryString}, as are all that follow. */
  | { readonly kind: "line"; readonly line: string }
  /** `last` is false when a dump goes on. */
  | { readonly kind: "lines"; readonly lines: readonly string[]; readonly last: boolean }
  | { readonly kind: "meta"; readonly line: string; readonly value?: Uint8Array<ArrayBuffer> }
  /** An error as the text protocol says it: `ERROR`, `CLIENT_ERROR …` or `SERVER_ERROR …`. */
  | { readonly kind: "error"; readonly line: string }
  /** What came is no reply to what was asked; nothing after it can be trusted. */
  | { readonly kind: "unreadable"; readonly reason: string };

interface Kinds extends Record<Shape, Reply["kind"]> {
  value: "values";
  values: "values";
  stored: "status";
  deleted: "status";
  touched: "status";
  number: "number";
  done: "status";
  version: "text";
  stats: "stats";
  end: "status";
  line: "line";
  list: "lines" | "line";
  dump: "lines";
  mg: "values";
  mgs: "values";
  ms: "status";
  md: "status";
  mt: "status";
  ma: "number";
  mn: "status";
  meta: "meta";
  mechanisms: "text";
  authenticated: "status";
}

/** The replies of a shape, where no error is among them. */
export type ReplyOf<E extends Expect> = Extract<
  Reply,
  { kind: E extends Shape ? Kinds[E] : "values" }
>;

/**
 * Bytes to replies, for one connection; the bytes come in pieces of any size.
 *
 * A reply does not always say which request it belongs to, nor what shape it has, so whoever reads
 * says what is expected next. Nothing here waits, no input makes it throw, and what it keeps is
 * bounded.
 */
export interface ReplyReader {
  /**
   * Takes the next bytes. They are read in {@linkcode next} and must stay unchanged until that
   * returns `undefined`, which says that all of them are taken in.
   */
  push(bytes: Uint8Array): void;
  /** Whether there are bytes that no {@linkcode next} has read. */
  readonly pending: boolean;
  /**
   * The next reply, or `undefined` when more bytes are needed; ask then again for the same. After an
   * `unreadable` one nothing more must be asked.
   */
  next(expect: Expect, opaque: number): Reply | undefined;
}

/** An item as a get brought it. */
export class Value {
  constructor(
    /** The key's bytes as a {@linkcode binaryString}. */
    readonly key: string,
    /** What the client that stored it kept beside the value, 32 bits. */
    readonly flags: number,
    readonly value: Uint8Array<ArrayBuffer>,
    /** The cas unique. Over text and meta it is 0 where it was not asked for. */
    readonly cas: bigint,
  ) {}

  /** The value read as UTF-8. */
  get text(): string {
    return decoder.decode(this.value);
  }
}

const decoder = new TextDecoder();

/** The greatest value, in bytes: memcached's own upper bound of an item, `-I 1g`. */
export const LARGEST_VALUE = 2 ** 30;
/** The most bytes of all values of one reply, with what they take in memory beside. */
export const LARGEST_VALUES = LARGEST_VALUE + 2 ** 20;
/** The most bytes of the lines or figures of one reply. A dump is not one: it comes in parts. */
export const LARGEST_LIST = 2 ** 26;
/** What a value, a line or a figure counts beside its bytes, as it takes memory without any. */
export const ENTRY_COST = 64;

/** Replies that say no more than a word, made once. */
export const statusReplies: Readonly<Record<StatusName, Reply>> = {
  "done": { kind: "status", status: "done" },
  "not stored": { kind: "status", status: "not stored" },
  "exists": { kind: "status", status: "exists" },
  "not found": { kind: "status", status: "not found" },
};

/** The reply of a get that found nothing. */
export const missReply: Reply = { kind: "values", values: [] };

/** The reply of an incr or decr that found nothing. */
export const noNumberReply: Reply = { kind: "number", number: undefined };

/** The reply for what is none. */
export function unreadable(reason: string): Reply {
  return { kind: "unreadable", reason };
}
