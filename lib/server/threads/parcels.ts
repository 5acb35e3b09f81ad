/**
 * What a thread tells another one as often as its clients make it happen: all of a turn in one message, and so
 * much on its way at most. The other one may be slower, and what waits for it must not grow without end.
 *
 * @module
 */

/** Characters that are on their way, at most. */
const MOST_ON_WAY = 256 * 1024;

/** What is on its way from this thread. */
export class Parcels<T> {
  readonly #tell: (items: readonly T[]) => Promise<unknown>;
  readonly #leftOut: (count: number) => void;
  #items: T[] = [];
  /** Characters of these, and of all that was not taken yet. */
  #length = 0;
  #onWay = 0;
  #left = 0;

  /**
   * @param tell resolves when the other thread has taken them
   * @param leftOut told how many were left out, when there is room again
   */
  constructor(
    tell: (items: readonly T[]) => Promise<unknown>,
    leftOut: (count: number) => void = () => {},
  ) {
    this.#tell = tell;
    this.#leftOut = leftOut;
  }

  /** Takes something of so many characters; false where it is left out, as too much is on its way. */
  add(item: T, length: number): boolean {
    if (this.#onWay + length > MOST_ON_WAY) {
      this.#left++;
      return false;
    }
    this.#onWay += length;
    this.#length += length;
    if (this.#items.push(item) === 1) setTimeout(() => this.flush());
    return true;
  }

  /** Tells what was added, before the turn is over. */
  flush(): void {
    if (this.#items.length === 0) return;
    const [items, length] = [this.#items, this.#length];
    this.#items = [];
    this.#length = 0;
    const taken = () => this.#taken(length);
    this.#tell(items).then(taken, taken);
  }

  #taken(length: number): void {
    this.#onWay -= length;
    if (this.#left === 0) return;
    const count = this.#left;
    this.#left = 0;
    this.#leftOut(count);
  }
}
