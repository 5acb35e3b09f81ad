/**
 * All keys of a server, by whichever of memcached's ways it knows.
 *
 * @module
 */

import { bytesOf } from "../bytes.ts";
import { writeLine } from "../protocol/request.ts";
import type { Address } from "./address.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { RequestError } from "./errors.ts";

/** What a listing says of an item. */
export interface KeyEntry {
  readonly key: Uint8Array;
  /** When it expires, in seconds since 1970; 0 for never. */
  readonly expires: number;
}

/**
 * Lists the keys of a server, in parts of some hundreds, over a connection of its own: a listing
 * takes as long as its reader, and nothing else goes over that connection meanwhile.
 *
 * It asks for `lru_crawler metadump all` (memcached since 1.4.31), else for `stats cachedump` of
 * every class, of which memcached shows at most 2 MiB each.
 *
 * @throws {RequestError} if the server does not list keys.
 */
export async function* listKeys(
  address: Address,
  options: ConnectionOptions,
): AsyncGenerator<readonly KeyEntry[], void, void> {
  using connection = new Connection(address, options);
  try {
    const { readable, writable } = new TransformStream<readonly string[], readonly string[]>();
    const writer = writable.getWriter();
    connection.dump("lru_crawler metadump all", (lines) => writer.write(lines)).then(
      () => writer.close(),
      (error) => writer.abort(error),
    ).catch(() => {
      // Who reads has gone; there is nobody to tell.
    });
    for await (const lines of readable) yield lines.map(metadumpEntry);
  } catch (error) {
    if (!(error instanceof RequestError) || error.message !== "ERROR") throw error;
    yield* listByClass(connection);
  }
}

async function* listByClass(connection: Connection): AsyncGenerator<readonly KeyEntry[]> {
  const items = await connection.request("list", (out) => writeLine(out, "stats items"));
  if (items.kind === "line") throw new RequestError(items.line);
  const classes = new Set(items.lines.map((line) => /^STAT items:(\d+):/.exec(line)?.[1]));
  for (const id of classes) {
    const dump = await connection.request(
      "list",
      (out) => writeLine(out, `stats cachedump ${id} 0`),
    );
    if (dump.kind === "line") throw new RequestError(dump.line);
    yield dump.lines.map(cachedumpEntry);
  }
}

/** `key=a%20b exp=-1 la=1700000000 …` */
function metadumpEntry(line: string): KeyEntry {
  const match = /^key=(\S*) exp=(-?\d+)/.exec(line);
  if (match === null) throw new RequestError(`not a line of a metadump: ${line}`);
  return { key: percentDecoded(match[1]!), expires: Math.max(0, Number(match[2])) };
}

/** `ITEM key [5 b; 1700000000 s]` */
function cachedumpEntry(line: string): KeyEntry {
  const match = /^ITEM (\S+) \[\d+ b; (\d+) s\]/.exec(line);
  if (match === null) throw new RequestError(`not a line of a cachedump: ${line}`);
  return { key: bytesOf(match[1]!), expires: Number(match[2]) };
}

/** The bytes that a text with `%20` and the like stands for, be they UTF-8 or not. */
function percentDecoded(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "%") {
      bytes[length++] = parseInt(text.slice(i + 1, i + 3), 16);
      i += 2;
    } else {
      bytes[length++] = text.charCodeAt(i);
    }
  }
  return bytes.subarray(0, length);
}
