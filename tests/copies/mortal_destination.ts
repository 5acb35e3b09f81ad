/**
 * A bucket of the emulator as processes have it that may die in the middle of what they ask for.
 *
 * @module
 */

import { openBucketDestination } from "../../lib/copies/bucket_destination.ts";
import type { Destination, Entry, Source } from "../../lib/copies/destination.ts";
import { Emulator, type Fault } from "../storage/gcs/emulator/mod.ts";
import { type Asked, KilledError, type Wrong } from "./memory_destination.ts";

/** What happens to a request, in turn. */
const troubles: Fault["what"][] = ["reset", 503, "change", "cut", 429, "close", 408];

/** What several processes see. */
export class EmulatedBucket implements AsyncDisposable {
  #troubles = 0;

  private constructor(readonly emulator: Emulator, readonly inner: Destination) {}

  static async begin(): Promise<EmulatedBucket> {
    const emulator = await Emulator.start();
    const { endpoint } = emulator;
    // Parts so small that all but the smallest pieces come by resumable uploads, and are read in ranges.
    const inner = await openBucketDestination("gs://bucket/copies", { endpoint, part: 1 << 18 });
    return new EmulatedBucket(emulator, inner);
  }

  /** The next request of the bucket's meets a trouble. */
  trouble(after: boolean): void {
    const what = troubles[this.#troubles++ % troubles.length]!;
    if (what !== "change") return this.emulator.faults.add({ what, after, times: 1 });
    // Of what has a checksum.
    this.emulator.faults.add({ what, operations: ["get", "insert", "upload"], times: 1 });
  }

  /** A destination as one process has it. */
  open(wrong: (asked: Asked, name: string) => Wrong = () => undefined): MortalDestination {
    return new MortalDestination(this, this.inner, wrong);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.inner.close();
    await this.emulator[Symbol.asyncDispose]();
  }
}

/** A destination as one process has it. */
export class MortalDestination implements Destination {
  /** Whether its process was killed: nothing it asks for is done any more. */
  killed = false;

  constructor(
    readonly bucket: EmulatedBucket,
    readonly inner: Destination,
    readonly wrong: (asked: Asked, name: string) => Wrong,
  ) {}

  get url(): string {
    return this.inner.url;
  }

  read(name: string): Promise<{ bytes: Uint8Array; generation: string } | undefined> {
    return this.#ask("read", name, () => this.inner.read(name));
  }

  async *stream(name: string, from?: number): AsyncGenerator<Uint8Array> {
    await this.#ask("stream", name, () => Promise.resolve());
    for await (const block of this.inner.stream(name, from)) {
      if (this.killed) throw new KilledError();
      yield block;
    }
  }

  create(name: string, source: Source): Promise<{ generation: string } | "exists"> {
    return this.#ask("create", name, () => this.inner.create(name, source));
  }

  replace(
    name: string,
    bytes: Uint8Array,
    generation: string,
  ): Promise<{ generation: string } | "changed"> {
    return this.#ask("replace", name, () => this.inner.replace(name, bytes, generation));
  }

  remove(name: string, generation: string): Promise<"removed" | "kept" | "changed"> {
    return this.#ask("remove", name, () => this.inner.remove(name, generation));
  }

  async *list(prefix: string, after?: string): AsyncGenerator<Entry> {
    await this.#ask("list", prefix, () => Promise.resolve());
    for await (const entry of this.inner.list(prefix, after)) {
      if (this.killed) throw new KilledError();
      yield entry;
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #ask<T>(asked: Asked, name: string, work: () => Promise<T>): Promise<T> {
    if (this.killed) throw new KilledError();
    const wrong = this.wrong(asked, name);
    if (this.killed) {
      // Whether the last thing that a process asked for was done.
      if (wrong === "lost") await work();
      throw new KilledError();
    }
    if (wrong !== undefined) this.bucket.trouble(wrong === "lost");
    const result = await work();
    if (this.killed) throw new KilledError();
    return result;
  }
}
