/**
 * All items of one node, in steps that hold up nobody.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { bytesOf } from "../../bytes.ts";
import { StoreError } from "../../errors.ts";
import { HEADER, isItem } from "./item.ts";
import type { Link } from "./link.ts";
import type { Reply } from "./request.ts";

/** Keys that Redis looks at in one step. */
const STEP = "250";
const LAST = "31";

/** An item without its value. */
export interface Found {
  /** The memcached key. */
  readonly key: Uint8Array;
  readonly header: Uint8Array;
  /** The length of header and value in bytes. */
  readonly length: number;
}

/** The pattern of all keys that begin with the prefix, in the words of Redis's `MATCH`. */
export function patternOf(prefix: Uint8Array): Uint8Array {
  const pattern: number[] = [];
  for (const byte of prefix) {
    if ("*?[]\\^".includes(String.fromCharCode(byte))) pattern.push(92);
    pattern.push(byte);
  }
  return new Uint8Array([...pattern, 42]);
}

/**
 * Lists what is under the prefix on one node. Other things than items are left out.
 *
 * @throws {StoreError} also where the node is another one midway: a cursor says nothing to another process
 */
export async function* walk(
  link: Link,
  prefix: Uint8Array,
  timeout: number,
): AsyncGenerator<Found[]> {
  const pattern = patternOf(prefix);
  let cursor: Uint8Array = bytesOf("0");
  let process = "";
  do {
    const words = ["SCAN", cursor, "MATCH", pattern, "COUNT", STEP];
    const [next, names] = await link.call(words, performance.now() + timeout) as [Buffer, Buffer[]];
    process ||= link.process;
    if (link.process !== process) {
      throw new StoreError(`Redis at ${link.address} became another Redis during a listing`);
    }
    cursor = next;
    // The ledger's key is the prefix alone.
    const keys = names.filter((name) => name.length > prefix.length);
    const deadline = performance.now() + timeout;
    const looks = keys.map((name) => [
      link.call(["GETRANGE", name, "0", LAST], deadline),
      link.call(["STRLEN", name], deadline),
    ]);
    const found: Found[] = [];
    for (const [i, [head, size]] of looks.entries()) {
      const header = await head.catch(otherThings);
      const length = await size.catch(otherThings);
      // Between the two it may have gone, or another thing come.
      if (header === null || !isItem(header as Buffer) || Number(length) < HEADER) continue;
      found.push({
        key: new Uint8Array(keys[i]).subarray(prefix.length),
        header: header as Buffer,
        length: length as number,
      });
    }
    if (found.length > 0) yield found;
  } while (cursor.length !== 1 || cursor[0] !== 48);
}

/** Hashes and lists under the prefix are nobody's items. */
function otherThings(error: Error): Reply {
  if (/WRONGTYPE/.test(error.message)) return null;
  throw error;
}
