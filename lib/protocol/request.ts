/**
 * What a client asks, whatever the protocol that it speaks.
 *
 * There is one {@linkcode Request} a thread (and one more for each request that waits for its store).
 * A dialect fills it in place: key and value are offsets into the receive buffer, so that a
 * request costs no memory. Its bytes stay as they are until the connection reads again (where a store keeps
 * the memory of a large value, until the request is answered); what is kept of it for longer is copied.
 *
 * @module
 */

import type { ByteBuffer } from "../bytes.ts";
import type { Failure } from "./outcome.ts";

/** The greatest key, in bytes (memcached's `KEY_MAX_LENGTH`). */
export const MAX_KEY = 250;

/** What is asked. The table in `lib/commands/table.ts` has a row for each. */
export type Op =
  /** Read one key: `get`, `gets`, a plain `mg`, binary Get and its relatives. */
  | "get"
  /** Read one key and change the item: `gat`, `mg` with `T`, `N` or `R`, binary GAT and Touch. */
  | "getAndChange"
  | "store"
  /** A store whose item is over the limit; its value was skipped. */
  | "tooLarge"
  | "delete"
  | "arithmetic"
  | "touch"
  /** `me`: what is known of an item, for people. */
  | "describe"
  | "flush"
  /** A listing of all keys: `lru_crawler metadump` and `mgdump`. */
  | "dump"
  | "crawl"
  | "watch"
  | "stats"
  | "version"
  | "verbosity"
  /** Nothing, to learn that everything before it was done: `mn`, binary Noop. */
  | "noop"
  | "memoryLimit"
  /** A setting of memcached's slabs, LRU or extstore, which kvs does not have. */
  | "tune"
  | "refreshCertificates"
  | "moveClock"
  | "login"
  | "mechanisms"
  | "shutdown"
  | "quit"
  /** What is not worth an answer: the connection ends. */
  | "hangUp"
  /** What cannot be a request: {@linkcode Request.failure} says why. */
  | "malformed";

/** How a value is put in the place of what is there. */
export type StoreMode = "set" | "add" | "replace" | "append" | "prepend";

const NO_BYTES = new Uint8Array(0);
const NO_WORDS: readonly string[] = [];

/** One request. Which fields count depends on {@linkcode op}; {@linkcode clear} sets all others. */
export class Request {
  op: Op = "malformed";

  /** Where key and value lie, and what the request's own encoder reads again. */
  bytes: Uint8Array = NO_BYTES;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  /** A key that does not lie in {@linkcode bytes} as it is (base64); empty for none. */
  decodedKey: Uint8Array = NO_BYTES;
  /** Whether the key came in base64: the item remembers it. */
  binaryKey = false;

  /** How a value is stored. */
  mode: StoreMode = "set";
  /** The client's flags, 32 bits. */
  flags = 0;
  /** Seconds as the client gave them: 0, relative, absolute or negative. */
  exptime = 0;
  /** Whether {@linkcode exptime} is to become the item's: `gat`, meta's `T`. */
  touches = false;
  /** Whether an item is made where none is (meta's `N`, binary arithmetic), and its exptime. */
  vivifies = false;
  vivifyExptime = 0;
  /** Whether what is made has {@linkcode exptime} instead: meta's `T` stands behind its `N`. */
  touchesVivified = false;
  /** Meta's `R`: the first reader of an item with less than {@linkcode recacheTime} seconds wins. */
  recaches = false;
  recacheTime = 0;
  /** Whether the time left is that after {@linkcode touches}: meta's `T` stands before its `R`. */
  recachesTouched = false;
  /** Whether readers of a stale item compete for renewing it: meta. */
  competes = false;
  /** Whether the item must have the unique {@linkcode cas}. */
  compares = false;
  cas = 0n;
  /** The cas unique that the item is to get; 0 for a new one (meta's `E`). */
  newCas = 0n;
  /** Meta's `I`: store in spite of an older unique; delete only by marking as stale. */
  invalidates = false;
  /** Meta's `x`: keep the item, without its value. */
  empties = false;
  /** Whether a read leaves no trace: meta's `u`. */
  peeks = false;
  /** Whether a value refused for its size takes the old one along. */
  dropsOld = false;
  /** Arithmetic. */
  decrements = false;
  delta = 1n;
  initial = 0n;

  /** The request is one of a retrieval of several keys, and not the last. */
  hasMore = false;
  /** No answer is wanted, not even an error (the text protocol's `noreply`). */
  noreply = false;
  /** An answer that says nothing new is not wanted (meta's `q`, binary's quiet commands). */
  quiet = false;
  /** The connection ends after the answer. */
  closes = false;

  /** What a malformed request is answered with. */
  failure: Failure | undefined = undefined;
  /** Arguments of rare commands. */
  words: readonly string[] = NO_WORDS;
  /** The length in bytes of a value that follows; a number of rare commands: a verbosity, megabytes. */
  number = 0;

  /** For the encoder: whether a value, a cas unique and times are wanted. */
  wantsValue = true;
  wantsCas = false;
  wantsTimes = false;
  /** For the encoder of the text protocols: whether it is a meta command, and where its flags are. */
  isMeta = false;
  flagsStart = 0;
  flagsEnd = 0;
  /** For the encoder of the binary protocol. */
  isBinary = false;
  opcode = 0;
  opaque = 0;

  /** Whether one of the fields may be set that {@linkcode clear} does not set each time. */
  #isExtended = false;

  /** The key's bytes, as a view. Its length is 0 where the request has none. */
  get key(): Uint8Array {
    return this.decodedKey.length > 0
      ? this.decodedKey
      : this.bytes.subarray(this.keyStart, this.keyEnd);
  }

  /** Writes the key to the end of `out`. */
  appendKey(out: ByteBuffer): void {
    if (this.decodedKey.length > 0) out.append(this.decodedKey);
    else out.appendPart(this.bytes, this.keyStart, this.keyEnd);
  }

  /** The key's length in bytes; 0 where the request is on no single key. */
  get keyLength(): number {
    return this.decodedKey.length > 0 ? this.decodedKey.length : this.keyEnd - this.keyStart;
  }

  /** The value's bytes, as a view. */
  get value(): Uint8Array {
    return this.bytes.subarray(this.valueStart, this.valueEnd);
  }

  /** Makes it a request of that kind in those bytes, with nothing asked for beside it. */
  clear(op: Op, bytes: Uint8Array): void {
    this.op = op;
    this.bytes = bytes;
    this.keyStart =
      this.keyEnd =
      this.valueStart =
      this.valueEnd =
        0;
    this.mode = "set";
    this.flags = this.exptime = this.number = 0;
    this.touches =
      this.compares =
      this.dropsOld =
      this.decrements =
        false;
    this.hasMore =
      this.noreply =
      this.closes =
      this.wantsCas =
        false;
    if (this.#isExtended) this.#clearExtensions();
  }

  /** Says that fields are set which the classic commands do not know, so that they are cleared too. */
  extend(): void {
    this.#isExtended = true;
  }

  #clearExtensions(): void {
    this.#isExtended = false;
    this.decodedKey = NO_BYTES;
    this.binaryKey = false;
    this.vivifyExptime = this.recacheTime = 0;
    this.vivifies =
      this.recaches =
      this.recachesTouched =
      this.touchesVivified =
      this.competes =
        false;
    this.invalidates =
      this.empties =
      this.peeks =
      this.quiet =
        false;
    this.cas = this.newCas = this.initial = 0n;
    this.delta = 1n;
    this.failure = undefined;
    this.words = NO_WORDS;
    this.wantsValue = true;
    this.wantsTimes = this.isMeta = this.isBinary = false;
    this.flagsStart =
      this.flagsEnd =
      this.opcode =
      this.opaque =
        0;
  }

  /** Lets go of the bytes that it was read from, once it is answered. */
  release(): void {
    this.clear("malformed", NO_BYTES);
  }

  /** Makes it the end of the connection, without an answer. */
  hangUp(bytes: Uint8Array): void {
    this.clear("hangUp", bytes);
    this.noreply = this.closes = true;
  }

  /** Makes it a malformed one. What it has of a reply's wishes (opaque, noreply) stays. */
  refuse(failure: Failure): void {
    this.op = "malformed";
    this.failure = failure;
    this.extend();
  }
}
