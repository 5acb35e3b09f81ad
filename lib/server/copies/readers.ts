/**
 * Threads that restore or verify segments, where the machine has several cores.
 *
 * @module
 */

import { type Destination, DestinationError, MissingError } from "../../copies/destination.ts";
import { BrokenCopyError } from "../../copies/read_back.ts";
import type { Advance, ReadTask, SegmentReport, SegmentTask } from "../../copies/restore.ts";
import { Line } from "../threads/line.ts";
import type { AdvanceCalls, ReaderCalls, ReaderSettings, ReadOutcome } from "./reader_calls.ts";

/** More threads than this read faster than any disk of one machine writes. */
const MOST = 8;

/** One thread. */
class Reader {
  readonly line: Line<ReaderCalls, AdvanceCalls>;
  readonly worker: Worker;
  /** Rejects when the thread has died. */
  readonly death: Promise<never>;
  /** Segments that it has under way. */
  busy = 0;

  constructor(advance: Advance) {
    this.worker = new Worker(new URL("./reader_worker.ts", import.meta.url), {
      type: "module",
      name: "kvs copies reader",
    });
    this.line = new Line(this.worker.postMessage.bind(this.worker), { advance });
    this.worker.onmessage = ({ data }) => this.line.take(data);
    const { promise, reject } = Promise.withResolvers<never>();
    // Only who waits for something of it is concerned.
    promise.catch(() => {});
    this.death = promise;
    this.worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`a thread that reads copies has failed: ${event.message}`));
    };
  }
}

/** The threads of one restore or verification: one a core, each with a destination of its own. */
export class Readers {
  readonly #settings: ReaderSettings;
  #readers: readonly Reader[] = [];
  #started: Promise<unknown> | undefined;
  #advance: Advance = () => {};

  /** None is started before there is something to read. */
  constructor({ url }: Destination, endpoint: string | undefined) {
    this.#settings = { url, endpoint };
  }

  /**
   * Restores a segment in the thread that has least to do.
   *
   * @throws {Error} what the thread has met, or that it has died
   */
  restore(task: SegmentTask, advance: Advance): Promise<SegmentReport> {
    return this.#ask((line) => line.call("restore", task), advance);
  }

  /** {@linkcode restore} that keeps nothing. */
  verify(task: ReadTask, advance: Advance): Promise<SegmentReport> {
    return this.#ask((line) => line.call("verify", task), advance);
  }

  async #ask(
    ask: (line: Reader["line"]) => Promise<ReadOutcome>,
    advance: Advance,
  ): Promise<SegmentReport> {
    this.#advance = advance;
    await (this.#started ??= this.#start());
    const reader = this.#readers.reduce((least, one) => one.busy < least.busy ? one : least);
    reader.busy++;
    try {
      return this.#reportOf(await Promise.race([ask(reader.line), reader.death]));
    } finally {
      reader.busy--;
    }
  }

  /** Ends the threads. */
  async end(): Promise<void> {
    await Promise.allSettled(
      this.#readers.map(({ line, death }) => Promise.race([line.call("end", undefined), death])),
    );
    for (const { worker } of this.#readers) worker.terminate();
  }

  async #start(): Promise<void> {
    const count = Math.min(MOST, navigator.hardwareConcurrency);
    this.#readers = Array.from(
      { length: count },
      () => new Reader((bytes) => this.#advance(bytes)),
    );
    await Promise.all(
      this.#readers.map(({ line, death }) =>
        Promise.race([line.call("begin", this.#settings), death])
      ),
    );
  }

  #reportOf(outcome: ReadOutcome): SegmentReport {
    if (!("failed" in outcome)) return outcome;
    switch (outcome.failed) {
      case "missing":
        throw new MissingError(outcome.name, this.#settings.url);
      case "destination":
        throw new DestinationError(outcome.message, outcome.retry);
      case "broken":
        throw new BrokenCopyError(outcome.message);
      case "system":
        throw Object.assign(new Error(outcome.message), { code: outcome.code });
    }
  }
}
