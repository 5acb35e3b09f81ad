/**
 * Which values of a key may still be read: the memory of `--verify`.
 *
 * A write is given a version when it is sent. When it is acknowledged, every version that had been
 * acknowledged before it was sent is overwritten: no read that is sent later may bring it. Nothing is
 * said about writes that were under way at the same time, for a server may carry them out in any
 * order, nor about those whose answer was lost, for they may be carried out yet.
 *
 * @module
 */

/** A write under way or done. */
export interface Write {
  readonly key: number;
  readonly version: number;
  /** The least version that may be read once this one is acknowledged. */
  readonly least: number;
  acknowledged: boolean;
}

/** What was written to each key of one thread's. */
export class Ledger {
  /** The version given last. */
  readonly #issued: Uint32Array;
  /** The least version that may still be read; 0 where nothing is acknowledged. */
  readonly #least: Uint32Array;
  /** Versions without an answer, in ascending order. */
  readonly #open = new Map<number, number[]>();

  constructor(keys: number) {
    this.#issued = new Uint32Array(keys);
    this.#least = new Uint32Array(keys);
  }

  /** A write is about to be sent. */
  begin(key: number): Write {
    const version = ++this.#issued[key]!;
    const open = this.#open.getOrInsertComputed(key, () => []);
    open.push(version);
    return { key, version, least: open[0]!, acknowledged: false };
  }

  /** A write was acknowledged. One that fails otherwise is left open. */
  acknowledge(write: Write): void {
    const { key, version, least } = write;
    write.acknowledged = true;
    if (least > this.#least[key]!) this.#least[key] = least;
    const open = this.#open.get(key)!;
    open.splice(open.indexOf(version), 1);
    if (open.length === 0) this.#open.delete(key);
  }

  /** The least version that a read sent now may bring; 0 if it may also find nothing. */
  least(key: number): number {
    return this.#least[key]!;
  }

  /** The version that was given last. */
  issued(key: number): number {
    return this.#issued[key]!;
  }
}
