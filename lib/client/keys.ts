/**
 * All keys of a server, by whichever of memcached's ways it knows.
 *
 * @module
 */

import { bytesOfBinaryString } from "../bytes.ts";
import { LONGEST_KEY } from "../protocol/key.ts";
import type { Address } from "./address.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { RequestError, ServerError, UnreadableError } from "./errors.ts";
import { KeySpool } from "./key_spool.ts";

/** What a listing says of an item. */
export interface KeyEntry {
  readonly key: Uint8Array;
  /** When it expires, in seconds since 1970; 0 for never. */
  readonly expires: number;
  /** About how many bytes it takes; where the server does not say, as much as is usual at most. */
  readonly size: number;
}

/** memcached's greatest item, if it was not told another. */
const USUAL_MOST = 2 ** 20;

/**
 * Lists the keys of a server, in parts of some hundreds, over a connection of its own.
 *
 * It asks for `lru_crawler metadump hash`, which is exact, and takes in the whole answer before it
 * sends the first part: memcached holds a lock of its hash table until the line it writes is read,
 * so a reader that waited for a get of that item would wait for ever. Where that is not known it
 * asks for `metadump all` (memcached since 1.4.31), which passes over items that move between the
 * lists of least recent use meanwhile; else for `stats cachedump` of every class, of which memcached
 * shows at most 2 MiB each.
 *
 * @throws {RequestError} if the server does not list keys, {@linkcode UnreadableError} if what it
 * lists are none; {@linkcode ServerError}, after all that it did list, if it could not list all.
 */
export async function* listKeys(
  address: Address,
  options: ConnectionOptions,
  listed: (count: number) => void = () => {},
): AsyncGenerator<readonly KeyEntry[], void, void> {
  // The binary protocol lists no keys.
  const connection = new Connection(address, { ...options, protocol: "text" });
  try {
    const spool = new KeySpool();
    const take = (lines: readonly string[]) => {
      for (const line of lines) spool.push(metadumpEntry(line));
      listed(lines.length);
    };
    for (const which of ["hash", "all"]) {
      try {
        await connection.dump(`lru_crawler metadump ${which}`, take);
      } catch (error) {
        // The end of a list that is not the whole one: what is missing cannot be read, as it says.
        if (error instanceof ServerError) {
          yield* spool.parts();
          throw error;
        }
        // An error is the whole reply: nothing has been listed yet.
        if (!(error instanceof RequestError)) throw error;
        if (which === "all" && error.message !== "ERROR") throw error;
        continue;
      }
      return yield* spool.parts();
    }
    yield* listByClass(connection);
  } finally {
    connection.close();
  }
}

async function* listByClass(connection: Connection): AsyncGenerator<readonly KeyEntry[]> {
  const items = await connection.line("stats items", "list");
  if (items.kind === "line") throw new RequestError(items.line);
  const classes = new Set(items.lines.map((line) => /^STAT items:(\d+):/.exec(line)?.[1]));
  for (const id of classes) {
    const dump = await connection.line(`stats cachedump ${id} 0`, "list");
    if (dump.kind === "line") throw new RequestError(dump.line);
    yield dump.lines.map(cachedumpEntry);
  }
}

/** `key=a%20b exp=-1 la=1700000000 …` */
function metadumpEntry(line: string): KeyEntry {
  const match = /^key=(\S+) exp=(-?\d+)/.exec(line);
  if (match === null) throw new UnreadableError(`not a line of a metadump: ${line}`);
  const key = percentDecoded(match[1]!);
  if (key.length > LONGEST_KEY) throw new UnreadableError(`not a line of a metadump: ${line}`);
  const size = Number(/ size=(\d+)/.exec(line)?.[1] ?? USUAL_MOST);
  return { key, expires: Math.max(0, Number(match[2])), size };
}

/** `ITEM key [5 b; 1700000000 s]`; a key that came by the binary protocol may hold spaces. */
function cachedumpEntry(line: string): KeyEntry {
  const match = /^ITEM (.+) \[(\d+) b; (\d+) s\]$/s.exec(line);
  if (match === null) throw new UnreadableError(`not a line of a cachedump: ${line}`);
  return {
    key: bytesOfBinaryString(match[1]!),
    expires: Number(match[3]),
    size: Number(match[2]),
  };
}

/**
 * The bytes that a text with `%20` and the like stands for, whether they are UTF-8 or not.
 *
 * @throws {UnreadableError} where what follows a `%` is no number.
 */
export function percentDecoded(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "%") {
      const digits = text.slice(i + 1, i + 3);
      if (!/^[\da-f]{2}$/i.test(digits)) {
        throw new UnreadableError(`not a percent-encoded key: ${text}`);
      }
      bytes[length++] = parseInt(digits, 16);
      i += 2;
    } else {
      bytes[length++] = text.charCodeAt(i);
    }
  }
  return bytes.subarray(0, length);
}
