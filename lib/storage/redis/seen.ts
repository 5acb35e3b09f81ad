/**
 * Which keys a listing has given: Redis's SCAN may give one twice when its table shrinks meanwhile.
 *
 * A key is known by 64 bits of hash, 8 bytes in a table that is at most two thirds full. Of ten
 * million keys the chance that any two look the same is one in 370,000; the second would be missing.
 *
 * @module
 */

/** A set of keys that takes about 16 bytes each. */
export class Seen {
  private table = new Uint32Array(2 * 1024);
  private count = 0;
  private high = 0;
  private low = 0;

  /** Notes the key; false if it was there. */
  add(key: Uint8Array): boolean {
    this.hash(key);
    if (!this.insert(this.high, this.low)) return false;
    if (++this.count * 3 > this.table.length) this.grow();
    return true;
  }

  /** Two independent passes of FNV-1a with a final mix each. */
  private hash(key: Uint8Array): void {
    let a = 0x811c9dc5;
    let b = 0x9747b28c;
    for (let i = 0; i < key.length; i++) {
      a = Math.imul(a ^ key[i], 0x01000193);
      b = Math.imul(b ^ key[i], 0x5bd1e995);
      b ^= b >>> 15;
    }
    this.high = mixed(a ^ key.length);
    // Both zero means an empty place.
    this.low = mixed(b) || 1;
  }

  private insert(high: number, low: number): boolean {
    const table = this.table;
    const mask = (table.length >> 1) - 1;
    for (let at = (high ^ low) & mask;; at = (at + 1) & mask) {
      const there = table[2 * at + 1];
      if (there === 0) {
        table[2 * at] = high;
        table[2 * at + 1] = low;
        return true;
      }
      if (there === low && table[2 * at] === high) return false;
    }
  }

  private grow(): void {
    const old = this.table;
    this.table = new Uint32Array(old.length * 2);
    for (let at = 0; at < old.length; at += 2) {
      if (old[at + 1] !== 0) this.insert(old[at], old[at + 1]);
    }
  }
}

/** The finish of MurmurHash3. */
function mixed(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
