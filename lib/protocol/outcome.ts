/**
 * What came of a request, in codes and data: no word of how it is written on the wire.
 *
 * There is one {@linkcode Outcome} a thread (and one more for each request that waits for its store).
 * A command fills it, the dialect of the connection writes it.
 *
 * @module
 */

import type { ByteBuffer, Lender } from "../bytes.ts";

/** What is wrong. The dialects have the words. */
export type FailureCode =
  | "unknownCommand"
  /** The request cannot be read, or asks for what makes no sense; the sentence says it. */
  | "badRequest"
  /** The frame itself is wrong, so that the connection cannot go on (binary). */
  | "badFrame"
  | "tooLarge"
  | "outOfMemory"
  | "notNumeric"
  /** The store could not do it; the sentence says it. */
  | "storeFailed"
  /** The server does not allow it; the sentence says it. */
  | "notAllowed"
  | "unauthenticated"
  | "wrongPassword"
  /** Admin commands of the text protocol, whose refusals have words of their own. */
  | "refused"
  | "busy"
  | "badClass"
  | "sameClass"
  | "noSpare"
  | "memoryLimitTooSmall"
  | "memoryLimitFailed"
  | "shutdownNotEnabled"
  | "tooManyWatchers"
  | "noCertificates";

/** What is wrong, and a sentence for people; empty where the code says it all. */
export interface Failure {
  readonly code: FailureCode;
  readonly sentence: string;
}

function failure(code: FailureCode, sentence = ""): Failure {
  return { code, sentence };
}

/** A request that cannot be read or makes no sense. */
export function badRequest(sentence: string): Failure {
  return failure("badRequest", sentence);
}

/** What a store, or the server, could not do. What would end a line of the sentence is made a space. */
export function storeFailed(sentence: string): Failure {
  // deno-lint-ignore no-control-regex -- control characters are what must not reach the line
  return failure("storeFailed", sentence.replace(/[\x00-\x1f\x7f]+/g, " "));
}

/** The failures that are always the same. The sentences are memcached's. */
export const failures = {
  unknownCommand: failure("unknownCommand"),
  badFormat: badRequest("bad command line format"),
  badExptime: badRequest("invalid exptime argument"),
  badDelta: badRequest("invalid numeric delta argument"),
  badChunk: badRequest("bad data chunk"),
  badFrame: failure("badFrame"),
  tooLarge: failure("tooLarge", "object too large for cache"),
  outOfMemory: failure("outOfMemory", "out of memory storing object"),
  noReplyMemory: failure("outOfMemory", "out of memory writing get response"),
  notNumeric: failure("notNumeric", "cannot increment or decrement non-numeric value"),
  internal: failure("storeFailed", "internal error"),
  flushNotAllowed: failure("notAllowed", "flush_all not allowed"),
  unauthenticated: failure("unauthenticated", "unauthenticated"),
  permissionDenied: failure("notAllowed", "permission denied"),
  wrongPassword: failure("wrongPassword", "authentication failure"),
  busy: failure("busy", "currently processing crawler request"),
  badClass: failure("badClass", "invalid class id"),
  badClasses: failure("badClass", "invalid src or dst class id"),
  sameClass: failure("sameClass", "src and dst class are identical"),
  noSpare: failure("noSpare", "source class has no spare pages"),
  memoryLimitTooSmall: failure("memoryLimitTooSmall", "cannot set maxbytes to less than 8m"),
  memoryLimitInBytes: failure("memoryLimitFailed", "input value is megabytes not bytes"),
  memoryLimitFailed: failure("memoryLimitFailed", "out of bounds or unable to adjust"),
  shutdownNotEnabled: failure("shutdownNotEnabled", "shutdown not enabled"),
  tooManyWatchers: failure("tooManyWatchers", "log watcher limit reached"),
  noCertificates: failure("noCertificates", "TLS not enabled"),
} as const satisfies Record<string, Failure>;

/** An admin command of the text protocol that is refused with a sentence of its own. */
export function refused(sentence: string): Failure {
  return failure("refused", sentence);
}

/** Certificates that cannot be used. The sentence begins with memcached's word for it. */
export function badCertificates(sentence: string): Failure {
  return failure("noCertificates", sentence.replace(/^Error /, ""));
}

/** One `STAT`: a name without spaces, and its value. */
export type Figure = readonly [name: string, value: string | number];

/** What a retrieval shows of an item. */
export interface Shown {
  readonly value: Uint8Array;
  readonly flags: number;
  readonly cas: bigint;
  readonly fetched: boolean;
  readonly stale: boolean;
  readonly binaryKey: boolean;
  /** Whose memory the value is in, where it may be sent from there. */
  readonly lender?: Lender | undefined;
  /** The length of the value, and how it is written: where a view of it would be made for that. */
  readonly size?: number;
  appendTo?(out: ByteBuffer): void;
}

/** The length in bytes of the value of an item. */
export function sizeOf(item: Shown): number {
  return item.size ?? item.value.length;
}

/** Writes the value of an item to the end of `out`, or lets that borrow it. */
export function appendValue(item: Shown, out: ByteBuffer): void {
  if (item.appendTo !== undefined) item.appendTo(out);
  else out.borrow(item.value, item.lender);
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

/** How a listing of keys is written. */
export type DumpFormat = "metadump" | "mgdump";

/** What a connection receives after a command that turns it into a stream. */
export interface LogStream {
  /** Resolves when nothing is missed any more; false where there are too many streams. At hand without it. */
  readonly ready?: Promise<boolean>;
  /** Waits for lines and appends them to `lines`; whether there will be more. */
  next(lines: { ascii(text: string): void }): Promise<boolean>;
  close(): void;
}

export type Code =
  /** The item that was asked for. */
  | "value"
  /** No item to show. */
  | "miss"
  | "stored"
  | "notStored"
  | "exists"
  | "notFound"
  | "deleted"
  | "touched"
  | "ok"
  | "reset"
  | "noop"
  | "number"
  | "version"
  | "described"
  | "figures"
  /** Lines of `stats cachedump`. */
  | "entries"
  /** Lines of `stats detail dump`. */
  | "prefixes"
  | "mechanisms"
  | "authenticated"
  /** A listing of keys, written part after part. */
  | "dump"
  /** A stream of log lines, until the client leaves. */
  | "watch"
  /** Nothing is answered. */
  | "silent"
  | "failed";

const NOTHING: Shown = {
  value: new Uint8Array(0),
  flags: 0,
  cas: 0n,
  fetched: false,
  stale: false,
  binaryKey: false,
};

const NO_FIGURES: readonly Figure[] = [];
const NO_ENTRIES: readonly Entry[] = [];

/** What came of one request. Which fields count depends on {@linkcode code}. */
export class Outcome {
  code: Code = "silent";
  /** The item of a `value`, as it was before this request touched it. */
  item: Shown = NOTHING;
  /** Whether its reader is to renew it, or somebody else was told so before. */
  won = false;
  wonBefore = false;
  /** Whether this request has made the item (meta's `N`, binary arithmetic). */
  created = false;
  /** Seconds that the item lives on before this request, after meta's `T`, and where `N` made it; -1 for ever. */
  ttlBefore = -1;
  ttl = -1;
  ttlMade = -1;
  /** Seconds since it was last read or stored. */
  age = 0;
  /** The cas unique of what was stored, where it is wanted; 0 where nothing was. */
  cas = 0n;
  /** The length in bytes of the value that was stored. */
  size = 0;
  /** What came of arithmetic. */
  number = 0n;
  /** A version, or the names of mechanisms. */
  text = "";
  failure: Failure = failures.internal;
  figures: readonly Figure[] = NO_FIGURES;
  entries: readonly Entry[] = NO_ENTRIES;
  /** How many of the figures or entries are written, while a part of them is. */
  begun = 0;
  dumpFormat: DumpFormat = "metadump";
  dump: AsyncIterable<readonly Entry[]> | undefined = undefined;
  watch: LogStream | undefined = undefined;
  /** Whether the connection ends after the answer. */
  closes = false;

  /** Lets go of what it refers to, once it is answered. */
  release(): void {
    this.item = NOTHING;
    this.figures = NO_FIGURES;
    this.entries = NO_ENTRIES;
    this.text = "";
    this.dump = this.watch = undefined;
  }

  /** How many figures or entries it has. */
  get lines(): number {
    if (this.code === "figures") return this.figures.length;
    return this.code === "entries" ? this.entries.length : 0;
  }

  /** Says that it failed. */
  fail(failure: Failure): void {
    this.code = "failed";
    this.failure = failure;
  }
}
