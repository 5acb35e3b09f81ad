/**
 * The flags that a meta command returns.
 *
 * @module
 */

/** What the line of a reply says; what was not asked for is `undefined`, or false. */
export interface MetaFlags {
  /** The two letters that it begins with. */
  readonly code: string;
  readonly unique: bigint | undefined;
  readonly clientFlags: number | undefined;
  /** The time to live in seconds; `Infinity` for an item that does not expire. */
  readonly ttl: number | undefined;
  /** The size of the value, in bytes. */
  readonly size: number | undefined;
  /** Whether it was read before. */
  readonly hit: boolean | undefined;
  /** How long ago it was read or written, in seconds. */
  readonly lastAccess: number | undefined;
  /** Who asked has won the right to write it anew. */
  readonly won: boolean;
  /** It is there but marked as stale. */
  readonly stale: boolean;
  /** Somebody else has won that right. */
  readonly wonByAnother: boolean;
}

/**
 * Reads the flags of a line.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const { code, ttl, won } = readMetaFlags("VA 1 t30 s1 W");
 * assertEquals([code, ttl, won], ["VA", 30, true]);
 * ```
 */
export function readMetaFlags(line: string): MetaFlags {
  const words = line.split(" ");
  const code = words[0]!;
  const flags = new Map(
    words.slice(code === "VA" ? 2 : 1).filter((word) => word !== "")
      .map((word) => [word[0]!, word.slice(1)]),
  );
  const number = (letter: string) => {
    const text = flags.get(letter);
    return text !== undefined && /^-?\d{1,16}$/.test(text) ? Number(text) : undefined;
  };
  const unique = flags.get("c");
  const ttl = number("t");
  const hit = number("h");
  return {
    code,
    unique: unique !== undefined && /^\d{1,20}$/.test(unique) ? BigInt(unique) : undefined,
    clientFlags: number("f"),
    ttl: ttl === -1 ? Infinity : ttl,
    size: number("s"),
    hit: hit === undefined ? undefined : hit !== 0,
    lastAccess: number("l"),
    won: flags.has("W"),
    stale: flags.has("X"),
    wonByAnother: flags.has("Z"),
  };
}
