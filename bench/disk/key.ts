const key = new TextEncoder().encode("key:0000000000000000");

/** The key of a number, 20 bytes, in memory that the next call writes over. */
export function keyOf(i: number): Uint8Array {
  for (let at = 19; at > 3; at--) {
    key[at] = 48 + i % 10;
    i = Math.floor(i / 10);
  }
  return key;
}
