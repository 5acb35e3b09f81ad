/**
 * What a thread that reads segments is asked.
 *
 * @module
 */

import type { ReadTask, SegmentReport, SegmentTask } from "../../copies/restore.ts";

/** Where the copies are. */
export interface ReaderSettings {
  readonly url: string;
  readonly endpoint: string | undefined;
}

/** What became of a segment; an error, as far as it can be told another thread. */
export type ReadOutcome =
  | SegmentReport
  | { readonly failed: "missing"; readonly name: string }
  | { readonly failed: "destination"; readonly message: string; readonly retry: boolean }
  | { readonly failed: "broken"; readonly message: string }
  | { readonly failed: "system"; readonly message: string; readonly code: string };

/** What the thread is asked. */
export interface ReaderCalls {
  begin(settings: ReaderSettings): Promise<void>;
  restore(task: SegmentTask): Promise<ReadOutcome>;
  verify(task: ReadTask): Promise<ReadOutcome>;
  end(_: undefined): Promise<void>;
}

/** What it tells. */
export interface AdvanceCalls {
  advance(bytes: number): void;
}
