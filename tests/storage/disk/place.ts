/** A directory of a file system that fails as a test wants it to, and the stores that are opened there. */

import { binaryString } from "../../../lib/bytes.ts";
import { AdjustableClock } from "../../../lib/clock.ts";
import { type DiskOptions, openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { Caller } from "../caller.ts";
import { FaultyFiles, Random } from "./faulty_files.ts";

/** Bytes of a segment there. */
export const SEGMENT = 1 << 14;

/** The directory `d`. */
export class Place {
  readonly files = new FaultyFiles(new Random(11));
  readonly clock = new AdjustableClock();
  /** What the stores have said. */
  readonly said: string[] = [];

  readonly #options: Partial<DiskOptions>;

  /** @param options of all its stores, unless {@linkcode open} has others */
  constructor(options: Partial<DiskOptions> = {}) {
    this.#options = options;
  }

  async open(more: Partial<DiskOptions> = {}): Promise<Caller> {
    return new Caller(
      await openDiskStore({
        directory: "d",
        files: this.files.mount(),
        clock: this.clock,
        fsync: "no",
        memoryLimit: 0,
        segmentBytes: SEGMENT,
        log: (line) => this.said.push(line),
        ...this.#options,
        ...more,
      }),
    );
  }
}

/** The value of a key as text; `undefined` where there is none. */
export async function textOf(store: Caller, key: Uint8Array): Promise<string | undefined> {
  const item = await store.read(key);
  return item && binaryString(item.value);
}
