/**
 * What is asked of keys by what they begin with: memcached's `stats detail` (`stats_prefix.c`).
 *
 * @module
 */

import { binaryString, bytesOfBinaryString, percentText } from "../bytes.ts";
import { KeyedMap } from "../keyed_map.ts";

/** Prefixes that are counted, at most: keys are a client's to choose, memory is not. */
export const MAX_PREFIXES = 10_000;

/** What is counted of a prefix. */
export class Counts {
  gets = 0;
  sets = 0;
  deletes = 0;
  hits = 0;
}

/** Counts by prefix: the part of a key before the first delimiter. */
export class PrefixCounts {
  /** Whether it counts: `stats detail on`. */
  enabled: boolean;
  readonly #delimiter: number;
  readonly #counts = new KeyedMap<Counts>();

  /** @param delimiter one character, which ends a prefix (memcached's `-D`). */
  constructor(delimiter: string, enabled: boolean) {
    this.#delimiter = delimiter.charCodeAt(0);
    this.enabled = enabled;
  }

  /** Prefixes that are counted. */
  get size(): number {
    return this.#counts.size;
  }

  get(key: Uint8Array, hit: boolean): void {
    const counts = this.#of(key);
    if (counts === undefined) return;
    counts.gets++;
    if (hit) counts.hits++;
  }

  set(key: Uint8Array): void {
    const counts = this.#of(key);
    if (counts !== undefined) counts.sets++;
  }

  delete(key: Uint8Array): void {
    const counts = this.#of(key);
    if (counts !== undefined) counts.deletes++;
  }

  /** Forgets all: `stats reset`. */
  clear(): void {
    this.#counts.clear();
  }

  /** All counts, by prefix as a binary string. */
  *entries(): Generator<readonly [prefix: string, counts: Readonly<Counts>]> {
    for (const [prefix, counts] of this.#counts) yield [binaryString(prefix), counts];
  }

  /** Adds what was counted elsewhere for a prefix, a binary string. */
  add(prefix: string, more: Readonly<Counts>): void {
    const bytes = bytesOfBinaryString(prefix);
    let counts = this.#counts.get(bytes);
    if (counts === undefined) {
      if (this.#counts.size >= MAX_PREFIXES) return;
      this.#counts.set(bytes, counts = new Counts());
    }
    counts.gets += more.gets;
    counts.sets += more.sets;
    counts.deletes += more.deletes;
    counts.hits += more.hits;
  }

  /** The lines of `stats detail dump`, for the prefixes of keys that may be shown. */
  lines(shows: (key: Uint8Array) => boolean = () => true): string {
    let text = "";
    for (const [prefix, { gets, hits, sets, deletes }] of this.#counts) {
      if (!shows(Uint8Array.of(...prefix, this.#delimiter))) continue;
      // A key that came in base64 or in a frame may have what ends words and lines.
      const name = binaryString(prefix);
      text += `PREFIX ${
        /[\0-\x20\x7f]/.test(name) ? percentText(prefix) : name
      } get ${gets} hit ${hits} set ${sets} del ${deletes}\r\n`;
    }
    return text;
  }

  /** The counts of a key's prefix; a key without the delimiter has none. */
  #of(key: Uint8Array): Counts | undefined {
    const length = key.indexOf(this.#delimiter);
    if (length < 0) return undefined;
    const prefix = key.subarray(0, length);
    let counts = this.#counts.get(prefix);
    if (counts === undefined && this.#counts.size < MAX_PREFIXES) {
      this.#counts.set(prefix, counts = new Counts());
    }
    return counts;
  }
}
