import { bytesOf } from "../lib/bytes.ts";
import { KeyHash } from "../lib/key_hash.ts";

/** The secret that {@linkcode keysThatMeet} are chosen for. */
export const SECRET = new Uint8Array(16).map((_, i) => i + 1);

/** Bits of the hash that are the same, from the lowest. */
const BITS = 8;

/** Keys whose hashes meet, for one who knows the secret: what a flood is made of. */
export function keysThatMeet(count: number): Uint8Array[] {
  const hash = new KeyHash(SECRET);
  const keys: Uint8Array[] = [];
  for (let i = 0; keys.length < count; i++) {
    const key = bytesOf(`flood ${i}`);
    hash.of(key);
    if ((hash.a & 2 ** BITS - 1) === 0) keys.push(key);
  }
  return keys;
}
