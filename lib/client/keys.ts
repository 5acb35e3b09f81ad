/**
 * All keys of a server, by whichever of memcached's ways it knows.
 *
 * @module
 */

import { bytesOfBinaryString } from "../bytes.ts";
import { LONGEST_KEY } from "../protocol/key.ts";
import { type Address, addressText } from "./address.ts";
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
/** What a server answers that can list by class alone; one of them only until it is told otherwise. */
const UNKNOWN = "ERROR";
const DISABLED = /crawler disabled/;
/** How long a server that is busy is left alone, in milliseconds. */
const BUSY_PAUSE = 50;
/** Of a line that lists nothing, so many letters are shown. */
const SHOWN = 80;

/**
 * Lists the keys of a server, in parts of some hundreds, over a connection of its own.
 *
 * It asks for `lru_crawler metadump hash`, which is exact, and takes in the whole answer before it
 * sends the first part: memcached holds a lock of its hash table until the line it writes is read,
 * so a reader that waited for a get of that item would wait for ever. Where that is not known it
 * asks for `metadump all` (memcached since 1.4.31), which passes over items that move between the
 * lists of least recent use meanwhile; where that is not known either, or its crawler is disabled (as it
 * is before 1.5 unless told otherwise), for `stats cachedump` of every class, of which memcached shows at
 * most 2 MiB each, and not all that was stored a moment ago.
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
    const server = addressText(address);
    const take = (lines: readonly string[]) => {
      for (const line of lines) spool.push(metadumpEntry(line, server));
      listed(lines.length);
    };
    let isDisabled = false;
    for (const which of ["hash", "all"]) {
      try {
        await dumped(connection, which, take, options.timeout ?? 5000);
      } catch (error) {
        // The end of a list that is not the whole one: what is missing cannot be read, as it says.
        if (error instanceof ServerError) {
          yield* spool.parts();
          throw error;
        }
        // An error is the whole reply: nothing has been listed yet.
        if (!(error instanceof RequestError) || isBusy(error)) throw error;
        isDisabled = DISABLED.test(error.message);
        if (which === "all" && !isDisabled && error.message !== UNKNOWN) throw error;
        continue;
      }
      return yield* spool.parts();
    }
    const missing = yield* listByClass(connection, server);
    if (missing === 0) return;
    const remedy = isDisabled ? "; after 'lru_crawler enable' it lists all" : "";
    throw new ServerError(`${server} does not list ${missing} of its items${remedy}`);
  } finally {
    connection.close();
  }
}

/** Asks for a metadump, again while memcached is busy with another one, for as long as a reply may take. */
async function dumped(
  connection: Connection,
  which: string,
  take: (lines: readonly string[]) => void,
  timeout: number,
): Promise<void> {
  const end = performance.now() + timeout;
  while (true) {
    try {
      return await connection.dump(`lru_crawler metadump ${which}`, take);
    } catch (error) {
      if (!isBusy(error) || performance.now() >= end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, BUSY_PAUSE));
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof RequestError && error.message.startsWith("BUSY");
}

/** Lists what it can, and returns how many items that leaves out. */
async function* listByClass(
  connection: Connection,
  server: string,
): AsyncGenerator<readonly KeyEntry[], number> {
  const items = await connection.line("stats items", "list");
  if (items.kind === "line") throw new RequestError(items.line);
  let missing = 0;
  for (const line of items.lines) {
    const [, id, number] = /^STAT items:(\d+):number (\d+)$/.exec(line) ?? [];
    if (id === undefined) continue;
    const dump = await connection.line(`stats cachedump ${id} 0`, "list");
    if (dump.kind === "line") throw new RequestError(dump.line);
    missing += Math.max(0, Number(number) - dump.lines.length);
    yield dump.lines.map((line) => cachedumpEntry(line, server));
  }
  return missing;
}

/** `key=a%20b exp=-1 la=1700000000 …` */
function metadumpEntry(line: string, server: string): KeyEntry {
  const match = /^key=(\S+) exp=(-?\d+)/.exec(line);
  const key = match === null ? undefined : percentDecoded(match[1]!);
  if (key === undefined || key.length > LONGEST_KEY) throw notListed(line, "metadump", server);
  const size = Number(/ size=(\d+)/.exec(line)?.[1] ?? USUAL_MOST);
  return { key, expires: Math.max(0, Number(match![2])), size };
}

/** `ITEM key [5 b; 1700000000 s]`; a key that came by the binary protocol may hold spaces. */
function cachedumpEntry(line: string, server: string): KeyEntry {
  const match = /^ITEM (.+) \[(\d+) b; (\d+) s\]$/s.exec(line);
  if (match === null) throw notListed(line, "cachedump", server);
  return {
    key: bytesOfBinaryString(match[1]!),
    expires: Number(match[3]),
    size: Number(match[2]),
  };
}

function notListed(line: string, list: string, server: string): UnreadableError {
  const shown = JSON.stringify(line.slice(0, SHOWN));
  return new UnreadableError(`${server} sent a line that is none of a ${list}: ${shown}`);
}

/**
 * The bytes that a text with `%20` and the like stands for, be they UTF-8 or not; `undefined` where what
 * follows a `%` is no number.
 */
export function percentDecoded(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "%") {
      const digits = text.slice(i + 1, i + 3);
      if (!/^[\da-f]{2}$/i.test(digits)) return undefined;
      bytes[length++] = parseInt(digits, 16);
      i += 2;
    } else {
      bytes[length++] = text.charCodeAt(i);
    }
  }
  return bytes.subarray(0, length);
}
