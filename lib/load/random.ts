/**
 * Numbers by chance that come the same again for the same seed, on every machine: Chris
 * Doty-Humphrey's sfc32, small and fast, of good quality by PractRand.
 *
 * @module
 */

const WARM_UP_ROUNDS = 12;

/** A sequence of numbers, of which a seed has 2^32 independent ones. */
export class Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #counter = 0;

  /** `seed` may have 53 bits, `stream` 32. */
  constructor(seed: number, stream = 0) {
    this.restart(seed, stream);
  }

  /** Becomes what the constructor would make of these. */
  restart(seed: number, stream: number): void {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 2 ** 32) | 0;
    this.#c = stream | 0;
    this.#counter = 1;
    for (let i = 0; i < WARM_UP_ROUNDS; i++) this.next();
  }

  /** 32 bits, as an unsigned number. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum | 0;
    return sum >>> 0;
  }

  /** A number from 0 to below 1. */
  unit(): number {
    return this.next() / 2 ** 32;
  }

  /** A whole number from 0 to below `bound`, which is at most 2^32. */
  below(bound: number): number {
    return Math.floor(this.next() * bound / 2 ** 32);
  }
}
