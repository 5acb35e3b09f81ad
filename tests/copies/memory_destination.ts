/**
 * A destination in memory, and what may go wrong with one.
 *
 * @module
 */

import { crc32c } from "../../lib/crc32c.ts";
import {
  type Destination,
  DestinationError,
  type Entry,
  MissingError,
  type Source,
} from "../../lib/copies/destination.ts";

/** What is asked of a destination. */
export type Asked = "read" | "stream" | "create" | "replace" | "remove" | "list";

/** What goes wrong: nothing is done and it is said so; it is done and not told; or who asks is dead. */
export type Wrong = "refused" | "lost" | undefined;

interface Kept {
  readonly bytes: Uint8Array;
  readonly generation: string;
}

/** What several processes see. */
export class MemoryBucket {
  readonly names = new Map<string, Kept>();
  /** Names that may not be removed, by a policy. */
  held: (name: string) => boolean = () => false;
  #generation = 1000;

  put(name: string, bytes: Uint8Array): string {
    const generation = String(++this.#generation);
    this.names.set(name, { bytes: bytes.slice(), generation });
    return generation;
  }

  /** A destination as one process has it. */
  open(
    wrong: (asked: Asked, name: string) => Wrong = () => undefined,
    url = "memory:copies",
  ): MemoryDestination {
    return new MemoryDestination(this, url, wrong);
  }
}

/** What a process does once it is dead. */
export class KilledError extends Error {}

/** A destination as one process has it. */
export class MemoryDestination implements Destination {
  /** Whether its process was killed: nothing it asks for is done any more. */
  killed = false;
  /** Told of everything that is asked. */
  readonly asked: string[] = [];
  /** What its own clock says. */
  time: number | undefined = undefined;

  constructor(
    readonly bucket: MemoryBucket,
    readonly url: string,
    readonly wrong: (asked: Asked, name: string) => Wrong,
  ) {}

  read(name: string): Promise<{ bytes: Uint8Array; generation: string } | undefined> {
    return this.#ask("read", name, () => this.bucket.names.get(name));
  }

  async *stream(name: string, from = 0): AsyncGenerator<Uint8Array> {
    const kept = await this.#ask("stream", name, () => this.bucket.names.get(name));
    if (kept === undefined) throw new MissingError(name, this.url);
    for (let at = from; at < kept.bytes.length; at += 1 << 16) {
      yield kept.bytes.slice(at, at + (1 << 16));
      await undefined;
    }
  }

  async create(name: string, source: Source): Promise<{ generation: string } | "exists"> {
    const bytes = new Uint8Array(source.length);
    for (let at = 0; at < bytes.length;) {
      const count = await source.read(at, bytes.subarray(at, at + (1 << 18)));
      if (count === 0) throw new DestinationError("the source ends early", true);
      at += count;
    }
    if (crc32c(bytes) !== source.crc32c) throw new DestinationError("other bytes were sent", true);
    return await this.#ask("create", name, () => {
      if (this.bucket.names.has(name)) return "exists";
      return { generation: this.bucket.put(name, bytes) };
    });
  }

  replace(
    name: string,
    bytes: Uint8Array,
    generation: string,
  ): Promise<{ generation: string } | "changed"> {
    return this.#ask("replace", name, () => {
      if ((this.bucket.names.get(name)?.generation ?? "") !== generation) return "changed";
      return { generation: this.bucket.put(name, bytes) };
    });
  }

  remove(name: string, generation: string): Promise<"removed" | "kept" | "changed"> {
    return this.#ask("remove", name, () => {
      const kept = this.bucket.names.get(name);
      if (kept === undefined) return "removed";
      if (this.bucket.held(name)) return "kept";
      if (kept.generation !== generation) return "changed";
      this.bucket.names.delete(name);
      return "removed";
    });
  }

  async *list(prefix: string, after = ""): AsyncGenerator<Entry> {
    const names = await this.#ask(
      "list",
      prefix,
      () => [...this.bucket.names.keys()].filter((name) => name.startsWith(prefix) && name > after),
    );
    for (const name of names.sort((a, b) => a < b ? -1 : 1)) {
      const kept = this.bucket.names.get(name);
      if (kept === undefined) continue;
      const { bytes, generation } = kept;
      yield { name, size: bytes.length, generation, crc32c: crc32c(bytes) };
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #ask<T>(asked: Asked, name: string, work: () => T): Promise<T> {
    await undefined;
    if (this.killed) throw new KilledError();
    this.asked.push(`${asked} ${name}`);
    const wrong = this.wrong(asked, name);
    if (this.killed) {
      // Whether the last thing that a process asked for was done.
      if (wrong === "lost") work();
      throw new KilledError();
    }
    if (wrong === "refused") throw new DestinationError(`${asked} was refused`, true);
    const result = work();
    await undefined;
    if (this.killed) throw new KilledError();
    if (wrong === "lost") throw new DestinationError(`the answer to ${asked} was lost`, true);
    return result;
  }
}
