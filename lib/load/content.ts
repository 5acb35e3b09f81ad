/**
 * What values consist of, and whether one that was read is one that was written.
 *
 * @module
 */

import { ByteBuffer, bytesOf, equalBytes } from "../bytes.ts";
import type { Sizes } from "./distribution.ts";
import type { Lines } from "./lines.ts";
import { Random } from "./random.ts";
import { writeValueLetters } from "./records.ts";

/** Values to write. */
export interface Content {
  /** The value of a key's `version`th write, until the next call. */
  value(key: number, version: number): Uint8Array;
}

/** Values that can be told from others when they are read. */
export interface CheckedContent extends Content {
  /**
   * What a value of a key is: the version that it was written as (`Infinity` where all versions are
   * alike), `"foreign"` where this run has not written it, or what is wrong with it in words.
   */
  identify(key: number, value: Uint8Array): number | "foreign" | { readonly damage: string };
}

/** The values of a file: a key has one, and is always given that. */
export class FileContent implements CheckedContent {
  constructor(readonly lines: Lines) {}

  value(key: number): Uint8Array {
    return this.lines.at(key);
  }

  identify(key: number, value: Uint8Array): number | "foreign" {
    return equalBytes(value, this.lines.at(key)) ? Infinity : "foreign";
  }
}

/** Bytes out of which values are cut. */
const POOL = 64 * 1024;

const decoder = new TextDecoder();

/** Values of chosen sizes, which nobody will look at. */
export class RandomContent implements Content {
  readonly #pool: Uint8Array;

  constructor(readonly sizes: Sizes, readonly random: Random) {
    this.#pool = poolOf(random, POOL + sizes.max);
  }

  value(): Uint8Array {
    const start = this.random.below(POOL);
    return this.#pool.subarray(start, start + this.sizes.pick(this.random));
  }
}

/** The least bytes of a {@linkcode StampedContent} value, so that its stamp has room. */
const STAMP = 64;
/** Big enough primes, so that neighbours get other bytes. */
const KEY_STEP = 7919;
const VERSION_STEP = 104729;

/**
 * Values that say at their start which run wrote them, for which key, as which version and how long
 * they are; the rest follows from that, so that every byte can be checked. No value is shorter than
 * 64 bytes.
 */
export class StampedContent implements CheckedContent {
  readonly #pool: Uint8Array;
  readonly #out = new ByteBuffer();
  readonly #random: Random;

  /** `run` must be a word that no other run has. */
  constructor(readonly run: string, readonly sizes: Sizes, seed: number) {
    this.#random = new Random(seed);
    // Workers check each other's values, so all have the same bytes.
    this.#pool = poolOf(new Random(0), POOL + Math.max(STAMP, sizes.max));
  }

  value(key: number, version: number): Uint8Array {
    return this.#write(key, version, Math.max(STAMP, this.sizes.pick(this.#random)));
  }

  identify(key: number, value: Uint8Array): number | "foreign" | { damage: string } {
    const head = decoder.decode(value.subarray(0, STAMP));
    const stamp = /^(\w+) key (\d+) version (\d+) length (\d+) /.exec(head);
    if (stamp === null || stamp[1] !== this.run) return "foreign";
    const [writtenKey, version, length] = stamp.slice(2).map(Number) as [number, number, number];
    if (writtenKey !== key) return { damage: `it was written for key ${writtenKey}` };
    if (length !== value.length) {
      return { damage: `it was written with ${length} bytes, and has ${value.length}` };
    }
    return equalBytes(this.#write(key, version, length), value)
      ? version
      : { damage: "its bytes are not those that were written" };
  }

  #write(key: number, version: number, length: number): Uint8Array {
    const out = this.#out;
    out.clear();
    out.append(bytesOf(`${this.run} key ${key} version ${version} length ${length} `));
    const start = (key * KEY_STEP + version * VERSION_STEP) % POOL;
    out.append(this.#pool.subarray(start, start + Math.max(0, length - out.length)));
    return out.view();
  }
}

function poolOf(random: Random, length: number): Uint8Array {
  const out = new ByteBuffer(length);
  writeValueLetters(out, random, length);
  return out.view();
}
