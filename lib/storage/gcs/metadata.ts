/**
 * An item's attributes as an object's custom metadata and back; `FORMAT.md` has the table.
 *
 * @module
 */

import type { Attributes } from "../contract.ts";

/** How many write tokens an object keeps: its own, and those of the writes before it. */
const keptTokens = 4;

/** What an object tells of the item in it, beside the value. */
export interface Stored extends Attributes {
  /** The object's generation, in decimal. */
  readonly generation: string;
  /** The length of the value in bytes. */
  readonly size: number;
  /** The flush epoch in which the item was written. */
  readonly epoch: number;
  /** The tokens of this write and of those before it, newest first. */
  readonly tokens: readonly string[];
  /** Until when a lost write may yet create this object, in milliseconds since 1970; 0 for none. */
  readonly unsure: number;
}

/** Reads an object's metadata; `get` returns `null` or `undefined` for a key that is not there. */
export function storedOf(
  generation: string,
  size: number,
  get: (key: string) => string | null | undefined,
): Stored {
  const marks = get("marks") ?? "";
  const cas = get("cas") ?? "";
  return {
    generation,
    size,
    flags: numberOf(get("flags")),
    exptime: numberOf(get("exptime")),
    cas: BigInt(/^\d{1,20}$/.test(cas) ? cas : generation),
    stale: marks.includes("stale"),
    won: marks.includes("won"),
    fetched: marks.includes("fetched"),
    binaryKey: marks.includes("binary"),
    accessed: numberOf(get("accessed")),
    epoch: numberOf(get("epoch")),
    tokens: get("token")?.split(" ") ?? [],
    unsure: numberOf(get("unsure")),
  };
}

/**
 * The attributes alone of what has more: a value that it refers to, or a length that is not that of the value
 * which is put beside them.
 *
 * @param seen the last access in seconds since 1970, where one is known; or -1
 */
export function attributesOf(of: Attributes, seen = -1): Attributes {
  const { flags, exptime, cas, stale, won, binaryKey } = of;
  const fetched = seen >= 0 || of.fetched;
  const accessed = seen >= 0 ? seen : of.accessed;
  return { flags, exptime, cas, stale, won, fetched, accessed, binaryKey };
}

/** The tokens of an object that is written with `token` in the place of `before`. */
export function tokensAfter(token: string, before: Stored | undefined): readonly string[] {
  return [token, ...before?.tokens ?? []].slice(0, keptTokens);
}

/**
 * The metadata of an object to be written.
 *
 * @param cas the cas unique; 0 where it is to be the object's generation.
 */
export function metadataOf(
  item: Attributes,
  { cas, epoch, tokens, unsure }: Pick<Stored, "cas" | "epoch" | "tokens" | "unsure">,
): Record<string, string> {
  const metadata: Record<string, string> = { token: tokens.join(" ") };
  if (item.flags !== 0) metadata.flags = String(item.flags);
  if (item.exptime !== 0) metadata.exptime = String(item.exptime);
  if (item.accessed !== 0) metadata.accessed = String(item.accessed);
  if (epoch !== 0) metadata.epoch = String(epoch);
  if (cas !== 0n) metadata.cas = String(cas);
  if (unsure !== 0) metadata.unsure = String(unsure);
  const marks: string[] = (["stale", "won", "fetched"] as const).filter((mark) => item[mark]);
  if (item.binaryKey) marks.push("binary");
  if (marks.length > 0) metadata.marks = marks.join(" ");
  return metadata;
}

/**
 * The expiry as an object's `customTime`, RFC 3339; `undefined` for none that can be told so (before
 * 1970 or after 9999).
 */
export function customTimeOf(exptime: number): string | undefined {
  if (exptime <= 0 || exptime > 253_402_300_799_000) return undefined;
  return new Date(exptime).toISOString();
}

/** A token that no other write has: 72 random bits in base64url. */
export function newToken(): string {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(9))))
    .replaceAll("+", "-").replaceAll("/", "_");
}

function numberOf(text: string | null | undefined): number {
  const number = Number(text ?? 0);
  return Number.isSafeInteger(number) ? number : 0;
}
