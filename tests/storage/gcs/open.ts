/**
 * What the tests of this store share: an emulator and stores on it, or a real bucket.
 *
 * @module
 */

import { AdjustableClock } from "../../../lib/clock.ts";
import { type GcsStoreOptions, openGcsStore } from "../../../lib/storage/gcs/mod.ts";
import { Emulator, type EmulatorOptions } from "./emulator/mod.ts";
import { type Caller, callerOf } from "../caller.ts";

/** An emulator and the stores that were opened on it, closed together. */
export class Place implements AsyncDisposable {
  readonly clock = new AdjustableClock();
  /** What the stores said to the operator. */
  readonly lines: string[] = [];
  readonly #stores: Caller[] = [];

  private constructor(readonly emulator: Emulator) {}

  static async open(options: EmulatorOptions = {}): Promise<Place> {
    return new Place(await Emulator.start(options));
  }

  /** Opens one more server's store on the bucket. */
  async store(options: Partial<GcsStoreOptions> = {}): Promise<Caller> {
    const store = await callerOf(openGcsStore({
      bucket: "bucket",
      endpoint: this.emulator.endpoint,
      clock: this.clock,
      log: (line) => this.lines.push(line),
      ...options,
    }));
    this.#stores.push(store);
    return store;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What still waits for an answer must not wait for a fault to pass.
    this.emulator.faults.clear();
    await Promise.all(this.#stores.map((store) => store.close()));
    await this.emulator[Symbol.asyncDispose]();
  }
}

/** One of the store's own figures. */
export function figure(store: Caller, name: string): number {
  return Number(store.info().own.find(([known]) => known === name)![1]);
}

/** Waits so many milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until something is so; fails after a while. */
export async function until(what: () => boolean | Promise<boolean>, limit = 60_000): Promise<void> {
  const end = performance.now() + limit;
  while (!await what()) {
    if (performance.now() > end) throw new Error(`not so after ${limit} ms: ${what}`);
    await sleep(10);
  }
}
