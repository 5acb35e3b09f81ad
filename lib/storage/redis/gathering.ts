/** How many reads, or how many writes, go into one command: many where that saves work, one where it does not. */

/** Keys in one command at most: beyond, what a command costs is little for each. */
const MOST = 64;
/** Bytes of a command or of its reply, about: all of it is there before the first of its keys is answered. */
export const MOST_BYTES = 64 * 1024;
/** What a read does not find counts as so many bytes, for it is asked for once more. */
const MISS_BYTES = MOST_BYTES;
/** The part that one key has in the average. */
const WEIGHT = 1 / 256;
/** After a refusal it is not tried again for so long, in milliseconds. */
const REFUSED_FOR = 60_000;

/** Learns from what Redis answers how many keys to put into one command. */
export class Gathering {
  /** Bytes of a reply, on the average of the last. */
  #size = 0;
  #refusedAt = -Infinity;

  /** How many keys one command may have now. */
  get most(): number {
    const most = Math.max(1, Math.min(MOST, Math.floor(MOST_BYTES / (this.#size + 1))));
    return most > 1 && performance.now() - this.#refusedAt < REFUSED_FOR ? 1 : most;
  }

  /** So many reads were answered with so many bytes in all, and some of them with nothing. */
  note(count: number, bytes: number, missing: number): void {
    const size = (bytes + missing * MISS_BYTES) / count;
    this.#size += (size - this.#size) * count * WEIGHT;
  }

  /** Whether Redis's error of this kind is about the command: it permits it not, or has none of that name. */
  isRefusal(kind: string): boolean {
    if (kind !== "NOPERM" && kind !== "ERR") return false;
    this.#refusedAt = performance.now();
    return true;
  }
}
