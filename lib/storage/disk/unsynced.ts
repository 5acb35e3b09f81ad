/**
 * With `--fsync always`: which keys have changed since they were last on the medium, and how far the
 * log must be there before a batch that changed or saw them can be answered.
 *
 * @module
 */

const TWO_32 = 2 ** 32;
/** Stands for all keys. */
const ALL = -1;

/** What must be on the medium before a reply. Positions are the log's. */
export class Unsynced {
  /** Hashes of keys changed since the last sync began, and between that and its end. */
  private readonly fresh = new Set<number>();
  private readonly syncing = new Set<number>();
  private target = 0;
  /** What the next commit must wait for, and what commits of callers that waited must. */
  private needed = 0;
  private owed = 0;

  /** A sync begins that covers everything up to `target`. */
  begins(target: number): void {
    this.target = target;
    for (const one of this.fresh) this.syncing.add(one);
    this.fresh.clear();
  }

  /** That sync has ended. */
  ends(): void {
    this.syncing.clear();
  }

  /** Notes that a key has changed by what ends at `position`. */
  changed(a: number, b: number, position: number): void {
    this.fresh.add(a + (b & 0x1fffff) * TWO_32);
    this.needed = position;
  }

  /** Notes that all keys have changed. */
  allChanged(position: number): void {
    this.fresh.add(ALL);
    this.needed = position;
  }

  /** Notes that a reply shows a key; gives whether its state is not yet on the medium. */
  saw(a: number, b: number, position: number): boolean {
    const { fresh, syncing } = this;
    if (fresh.size === 0 && syncing.size === 0) return false;
    const one = a + (b & 0x1fffff) * TWO_32;
    if (fresh.has(one) || fresh.has(ALL)) this.needed = position;
    else if (syncing.has(one) || syncing.has(ALL)) this.needed = Math.max(this.needed, this.target);
    else return false;
    return true;
  }

  /** The position that the commit made now must wait for. */
  due(): number {
    const position = Math.max(this.needed, this.owed);
    this.needed = 0;
    return position;
  }

  /** Takes the batch's debt while its caller waits for something else; {@linkcode give} it back. */
  take(): number {
    const { needed } = this;
    this.needed = 0;
    return needed;
  }

  /** From here on all commits wait for that, until it is paid: whose it is cannot be told. */
  give(position: number): void {
    this.owed = Math.max(this.owed, position);
  }
}
