/**
 * The files of one moment, while it is copied.
 *
 * @module
 */

import { codeOf, type DataFile, type Files } from "../storage/disk/fs/files.ts";
import { segmentName } from "../storage/disk/log/segment.ts";
import type { Moment } from "../storage/moment.ts";
import type { CopyClock } from "./copy_clock.ts";

/** Reads between two looks at what compaction has removed, and milliseconds, where what is read is sent slowly. */
const READS_A_LOOK = 16;
const LOOK_PAUSE = 1000;

/** The moment that is copied has lost files, or holds too many that compaction has removed. */
export class MomentGone extends Error {
  /** @param missing the segment whose file is gone */
  constructor(readonly missing?: number) {
    super();
  }
}

/** Where the files are, and how much may be held of them. */
export interface WorkOptions {
  readonly files: Files;
  readonly directory: string;
  readonly clock: Pick<CopyClock, "monotonic">;
  /** Bytes of removed segments that a copy may hold. */
  readonly held: number;
}

/** The files that are open. */
export class Work {
  readonly #options: WorkOptions;
  readonly #lengths: ReadonlyMap<number, number>;
  readonly #open = new Map<number, DataFile>();
  readonly #held: (bytes: number) => void;
  #reads = 0;
  #lookedAt: number;

  constructor(options: WorkOptions, moment: Moment, held: (bytes: number) => void) {
    this.#options = options;
    this.#lengths = new Map(moment.segments.map(([id, length]) => [id, length]));
    this.#held = held;
    this.#lookedAt = options.clock.monotonic();
  }

  /** A segment's file, which is open until it is released. @throws {MomentGone} if compaction has removed it */
  file(id: number): DataFile {
    const known = this.#open.get(id);
    if (known !== undefined) return known;
    const { files, directory } = this.#options;
    try {
      const file = files.open(`${directory}/${segmentName(id)}`, "read");
      this.#open.set(id, file);
      return file;
    } catch (error) {
      if (codeOf(error) === "ENOENT") throw new MomentGone(id);
      throw error;
    }
  }

  /** Nothing of a segment is needed any more. */
  release(id: number): void {
    this.#open.get(id)?.close();
    this.#open.delete(id);
  }

  /** Looks now and then how much is held that compaction has removed. @throws {MomentGone} if too much */
  look(): void {
    const { files, directory, held, clock } = this.#options;
    const now = clock.monotonic();
    if (++this.#reads % READS_A_LOOK !== 0 && now - this.#lookedAt < LOOK_PAUSE) return;
    this.#lookedAt = now;
    const names = new Set(files.list(directory));
    let bytes = 0;
    for (const id of this.#open.keys()) {
      if (!names.has(segmentName(id))) bytes += this.#lengths.get(id)!;
    }
    this.#held(bytes);
    if (bytes > held) throw new MomentGone();
  }

  close(): void {
    for (const file of this.#open.values()) file.close();
    this.#held(0);
  }
}
