/**
 * Reads the segments that a start has trusted, in the background, and says what is damaged in them.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { counted } from "../../../counted.ts";
import { readFullyLater } from "../fs/files.ts";
import type { Placements } from "../index/placements.ts";
import type { Segment } from "../log/segment.ts";
import type { Damage } from "../read/damage.ts";
import { SegmentReader, Step } from "../read/segment_reader.ts";

const BLOCK = 1 << 20;
/** The pause after a block, in milliseconds: at most 50 MiB a second are read. */
const PAUSE = 20;

/** The background reader. */
export class Verifier {
  /** Bytes that are to be read, and that were. */
  readonly total: number;
  done = 0;

  readonly #segments: readonly Segment[];
  readonly #placements: Placements;
  readonly #damage: Damage;
  readonly #say: (line: string) => void;
  #running: Promise<void> | undefined;
  #stopping = false;
  #isWhole = false;
  #wake: (() => void) | undefined;

  /** @param segments sealed ones, as they are listed */
  constructor(
    segments: readonly Segment[],
    placements: Placements,
    damage: Damage,
    say: (line: string) => void,
  ) {
    this.#segments = segments;
    this.#placements = placements;
    this.#damage = damage;
    this.#say = say;
    this.total = segments.reduce((sum, { length }) => sum + length, 0);
    this.#isWhole = segments.length === 0;
  }

  /** Whether all segments were found whole. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  start(): void {
    if (this.#segments.length > 0) this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    let whole = true;
    for (const segment of this.#segments) {
      if (this.#stopping) return;
      if (segment.removed) continue;
      segment.pin();
      try {
        if (await this.#sumOf(segment) === segment.crc || this.#stopping) continue;
        whole = false;
        await this.#look(segment);
      } catch (error) {
        whole = false;
        this.#say(`Cannot verify '${segment.path}': ${error}`.replaceAll(/\s+/g, " "));
      } finally {
        segment.unpin();
      }
    }
    this.#isWhole = whole && !this.#stopping;
  }

  async #sumOf(segment: Segment): Promise<number> {
    const block = new Uint8Array(Math.min(BLOCK, segment.length));
    let sum = 0;
    for (let at = 0; at < segment.length && !this.#stopping;) {
      const into = block.subarray(0, Math.min(BLOCK, segment.length - at));
      const count = await readFullyLater(segment.file, into, at);
      if (count === 0) break;
      sum = crc32(into.subarray(0, count), sum);
      at += count;
      this.done += count;
      await this.#pause();
    }
    return sum;
  }

  /** Finds what is damaged in a segment. */
  async #look(segment: Segment): Promise<void> {
    const reader = new SegmentReader(segment.file, segment.seed, segment.length, BLOCK);
    for (let skipped = 0; !this.#stopping;) {
      const step = reader.step();
      if (step === Step.end) break;
      if (step === Step.more) await reader.fillLater();
      if (step !== Step.bad) continue;
      reader.skip();
      if (++skipped % 4096 === 0) await this.#pause();
    }
    segment.damaged = true;
    const lost = await this.#damage.noteGaps(segment, reader.gaps, this.#placements);
    this.#say(
      `'${segment.path}' is damaged: ${counted(lost, "record")} in it that ${
        lost === 1 ? "is" : "are"
      } in use cannot be read`,
    );
  }

  async #pause(): Promise<void> {
    if (this.#stopping) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, PAUSE);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
