/**
 * Lua scripts: sent by their hash, and in full where Redis does not know them (any more).
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { ByteBuffer } from "../../bytes.ts";
import { type Argument, type Reply, Request, writeBytes, writeEnd, writeKey } from "./request.ts";
import { bytesOf } from "../../bytes.ts";

const ONE_KEY = bytesOf("$1\r\n1\r\n");
const BY_HASH = bytesOf("$7\r\nEVALSHA\r\n");
const IN_FULL = bytesOf("$4\r\nEVAL\r\n");

/** A script with one key. */
export class Script {
  readonly #hash: Uint8Array;
  readonly #text: Uint8Array;

  constructor(source: string) {
    this.#text = bytesOf(source);
    this.#hash = bytesOf(createHash("sha1").update(this.#text).digest("hex"));
  }

  /** Writes the command up to its key; `count` arguments follow. */
  encode(
    out: ByteBuffer,
    inFull: boolean,
    prefix: Uint8Array,
    key: Uint8Array,
    count: number,
  ): void {
    out.byte(42);
    out.decimal(4 + count);
    writeEnd(out);
    out.append(inFull ? IN_FULL : BY_HASH);
    writeBytes(out, inFull ? this.#text : this.#hash);
    out.append(ONE_KEY);
    writeKey(out, prefix, key);
  }
}

/** A command that runs a script. */
export abstract class ScriptRequest extends Request {
  readonly name = "evalsha";
  protected inFull = false;

  override again(kind: string): readonly Request[] {
    if (kind !== "NOSCRIPT" || this.inFull) return [];
    this.inFull = true;
    return [this];
  }
}

/** A script's run with a promise. */
export class ScriptCall extends ScriptRequest {
  readonly reply: Promise<Reply>;
  protected answer!: (reply: Reply) => void;
  protected refuse!: (error: Error) => void;

  readonly #script: Script;
  readonly #prefix: Uint8Array;
  readonly #words: readonly Argument[];
  readonly #flushes: boolean;

  constructor(
    script: Script,
    prefix: Uint8Array,
    key: Uint8Array,
    words: readonly Argument[],
    deadline: number,
    flushes: boolean,
  ) {
    super(key, deadline);
    this.#script = script;
    this.#prefix = prefix;
    this.#words = words;
    this.#flushes = flushes;

    this.reply = new Promise((resolve, reject) => {
      this.answer = resolve;
      this.refuse = reject;
    });
    this.reply.catch(() => {});
  }

  override get changes(): boolean {
    return this.#flushes;
  }

  encode(out: ByteBuffer): void {
    this.#script.encode(out, this.inFull, this.#prefix, this.key, this.#words.length);
    for (const word of this.#words) {
      writeBytes(out, typeof word === "string" ? bytesOf(word) : word);
    }
  }
}
