/**
 * Hashes of passwords by scrypt (RFC 7914), written as `$scrypt$ln=15,r=8,p=1$SALT$HASH`, SALT and HASH in
 * base64 without padding.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";

/** What a hash costs: 2^logN blocks of 128 r bytes, p times. */
export interface Cost {
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}

/** 32 MiB, and about 50 to 100 ms of a processor. */
export const usualCost: Cost = { logN: 15, r: 8, p: 1 };

/** The memory that a hash may take, in bytes. */
const MOST_MEMORY = 64 * 2 ** 20;
const SALT_LENGTH = 16;
const HASH_LENGTH = 32;

const FORM = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/]{11,86})\$([\w+/]{43})$/;

/** A hash, read. */
export interface PasswordHash {
  readonly cost: Cost;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/** Reads a hash; `undefined` where the text is none, or would take too much memory or time. */
export function parseHash(text: string): PasswordHash | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const [logN, r, p] = match.slice(1, 4).map(Number) as [number, number, number];
  if (logN < 1 || r < 1 || p < 1 || p > 4 || 128 * r * 2 ** logN > MOST_MEMORY) return undefined;
  return {
    cost: { logN, r, p },
    salt: Buffer.from(match[4]!, "base64"),
    hash: Buffer.from(match[5]!, "base64"),
  };
}

/** A new hash of a password. Runs off the event loop. */
export async function hashPassword(password: Uint8Array, cost: Cost = usualCost): Promise<string> {
  const salt = randomBytes(SALT_LENGTH);
  const hash = await derive(password, salt, cost);
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64").replace(/=+$/, "");
  return `$scrypt$ln=${cost.logN},r=${cost.r},p=${cost.p}$${text(salt)}$${text(hash)}`;
}

/** Whether a password has this hash. Runs off the event loop. */
export async function matches(password: Uint8Array, known: PasswordHash): Promise<boolean> {
  const hash = await derive(password, known.salt, known.cost);
  // To scrypt a password is the same with zeros behind it.
  return timingSafeEqual(hash, known.hash) && !password.includes(0);
}

function derive(password: Uint8Array, salt: Uint8Array, { logN, r, p }: Cost): Promise<Buffer> {
  const cost = { N: 2 ** logN, r, p, maxmem: 2 * MOST_MEMORY };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, HASH_LENGTH, cost, (error, key) => {
      if (error) reject(error);
      else resolve(key);
    });
  });
}
