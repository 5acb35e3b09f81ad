/**
 * A keyed hash of 96 bits, by which an index knows a key without keeping it.
 *
 * HalfSipHash's round with a key of 128 bits and two more squeezes of its state. The key is random
 * and no client sees it (the disk store keeps it in its directory, others draw one a process), so nobody
 * who chooses keys can make them meet.
 *
 * @module
 */

/** What stands for a key in a set or a map: 53 bits of its hash. */
export function nameOf(a: number, b: number): number {
  return a + (b & 0x1fffff) * 2 ** 32;
}

/** Hashes keys; the result stands in {@linkcode a}, {@linkcode b} and {@linkcode c} (unsigned 32 bits). */
export class KeyHash {
  a = 0;
  b = 0;
  c = 0;

  readonly #k0: number;
  readonly #k1: number;
  readonly #k2: number;
  readonly #k3: number;
  /** Pairs of rounds behind the last whole word: two of the end, and one more for each word of the hash. */
  readonly #pairs: number;

  /**
   * @param key 16 bytes
   * @param words how many words of the hash are wanted: {@linkcode a} alone takes less time
   */
  constructor(key: Uint8Array, words: 1 | 3 = 3) {
    this.#pairs = 2 + words;
    const view = new DataView(key.buffer, key.byteOffset, 16);
    this.#k0 = view.getUint32(0, true) | 0;
    this.#k1 = view.getUint32(4, true) | 0;
    this.#k2 = (view.getUint32(8, true) ^ 0x6c796765) | 0;
    this.#k3 = (view.getUint32(12, true) ^ 0x74656462) | 0;
  }

  /** Hashes `length` bytes that begin at `at`. */
  of(bytes: Uint8Array, at = 0, length = bytes.length): void {
    let v0 = this.#k0;
    let v1 = this.#k1;
    let v2 = this.#k2;
    let v3 = this.#k3;
    const whole = at + (length & ~3);
    let m = 0;
    let i = at;
    while (i < whole) {
      m = bytes[i] | bytes[i + 1] << 8 | bytes[i + 2] << 16 | bytes[i + 3] << 24;
      i += 4;
      v3 ^= m;
      // Two rounds, written out: a loop around them costs a fifth of the whole.
      v0 = (v0 + v1) | 0;
      v1 = (v1 << 5 | v1 >>> 27) ^ v0;
      v0 = v0 << 16 | v0 >>> 16;
      v2 = (v2 + v3) | 0;
      v3 = (v3 << 8 | v3 >>> 24) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = (v3 << 7 | v3 >>> 25) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = (v1 << 13 | v1 >>> 19) ^ v2;
      v2 = v2 << 16 | v2 >>> 16;
      v0 = (v0 + v1) | 0;
      v1 = (v1 << 5 | v1 >>> 27) ^ v0;
      v0 = v0 << 16 | v0 >>> 16;
      v2 = (v2 + v3) | 0;
      v3 = (v3 << 8 | v3 >>> 24) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = (v3 << 7 | v3 >>> 25) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = (v1 << 13 | v1 >>> 19) ^ v2;
      v2 = v2 << 16 | v2 >>> 16;
      v0 ^= m;
    }
    m = length << 24;
    for (let shift = 0; i < at + length; i++, shift += 8) m |= bytes[i] << shift;
    v3 ^= m;
    // Two rounds for the last word, then four, two and two: each squeeze after its own rounds.
    for (let pair = 0; pair < this.#pairs; pair++) {
      if (pair === 1) {
        v0 ^= m;
        v2 ^= 0xff;
      } else if (pair === 3) {
        this.a = (v1 ^ v3) >>> 0;
        v1 ^= 0xdd;
      } else if (pair === 4) {
        this.b = (v1 ^ v3) >>> 0;
        v1 ^= 0xee;
      }
      v0 = (v0 + v1) | 0;
      v1 = (v1 << 5 | v1 >>> 27) ^ v0;
      v0 = v0 << 16 | v0 >>> 16;
      v2 = (v2 + v3) | 0;
      v3 = (v3 << 8 | v3 >>> 24) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = (v3 << 7 | v3 >>> 25) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = (v1 << 13 | v1 >>> 19) ^ v2;
      v2 = v2 << 16 | v2 >>> 16;
      v0 = (v0 + v1) | 0;
      v1 = (v1 << 5 | v1 >>> 27) ^ v0;
      v0 = v0 << 16 | v0 >>> 16;
      v2 = (v2 + v3) | 0;
      v3 = (v3 << 8 | v3 >>> 24) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = (v3 << 7 | v3 >>> 25) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = (v1 << 13 | v1 >>> 19) ^ v2;
      v2 = v2 << 16 | v2 >>> 16;
    }
    const last = (v1 ^ v3) >>> 0;
    if (this.#pairs === 3) this.a = last;
    else this.c = last;
  }
}
