/**
 * Keeps hints and manifest up with the log, one change after another.
 *
 * @module
 */

import { type Files, replaceFile } from "../fs/files.ts";
import { type Log, writeError } from "./log.ts";
import { SEQUENCE_GAP, writeManifest } from "../format/manifest.ts";
import type { Placements } from "../index/placements.ts";
import type { Segment } from "./segment.ts";

/** The directory's list of sealed segments. */
export class Catalog {
  /** The name of the index's image that goes with what is listed. */
  image: string | undefined;
  /** Resolves when everything that was begun is done. */
  settled: Promise<void> = Promise.resolve();

  readonly #files: Files;
  readonly #directory: string;
  readonly #log: Log;
  readonly #placements: Placements;
  readonly #say: (line: string) => void;

  constructor(
    files: Files,
    directory: string,
    log: Log,
    placements: Placements,
    say: (line: string) => void,
  ) {
    this.#files = files;
    this.#directory = directory;
    this.#log = log;
    this.#placements = placements;
    this.#say = say;
  }

  /** Writes hints for segments that are sealed and synced, and lists them. Never rejects. */
  list(segments: readonly Segment[]): Promise<void> {
    return this.settled = this.settled.then(async () => {
      for (const segment of segments) {
        const hint = this.#log.hints.get(segment);
        this.#log.hints.delete(segment);
        if (hint === undefined) continue;
        try {
          await replaceFile(this.#files, segment.hintPath, hint.finish(segment));
        } catch {
          // A start without the hint takes longer, and that is all.
          this.#log.total -= segment.hintBytes;
          this.#log.hintTotal -= segment.hintBytes;
          segment.hintBytes = 0;
        }
        hint.free();
        segment.listed = true;
        segment.file.rest?.();
      }
      await this.#write(false);
    }).catch((error) => this.#say(writeError("Cannot write the manifest", error).message));
  }

  /** Takes segments off the manifest; when that is done they can be removed. */
  unlist(segments: readonly Segment[]): Promise<void> {
    const result = this.settled.then(async () => {
      for (const segment of segments) segment.givenUp = true;
      try {
        await this.#write(false);
      } catch (error) {
        for (const segment of segments) segment.givenUp = false;
        throw error;
      }
    });
    this.settled = result.catch(() => {});
    return result;
  }

  /**
   * Writes the manifest of a log that has been sealed and synced. Never rejects.
   *
   * @param whole whether the listed segments are known to be whole
   */
  close(whole: boolean): Promise<void> {
    // Without it everything is on the medium all the same: the next start reads it as after a kill.
    return this.settled.then(() => this.#write(whole, true)).catch((error) =>
      this.#say(writeError("Cannot write the manifest", error).message)
    );
  }

  /** Writes the manifest as it is now, with numbers kept for what will be written. */
  reserve(): Promise<void> {
    const result = this.settled.then(() => this.#write(false));
    this.settled = result.catch(() => {});
    return result;
  }

  async #write(clean: boolean, last = false): Promise<void> {
    const log = this.#log;
    const placements = this.#placements;
    const listed = log.segments.filter((segment) => segment.listed && !segment.givenUp);
    const unlisted = log.segments.find((segment) => !segment.listed);
    await writeManifest(this.#files, this.#directory, {
      hashKey: log.hashKey,
      clean,
      sequence: last && clean ? log.sequence : log.sequence + SEQUENCE_GAP,
      items: placements.index.size,
      next: unlisted?.id ?? log.nextId,
      segments: listed.map(({ id, length, crc }) => [id, length, crc]),
      image: this.image,
    });
  }
}
