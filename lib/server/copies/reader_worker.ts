/**
 * A thread that restores or verifies segments: an entry of its own, as it has one in each executable. What one thread
 * reads, decrypts and checks a second is less than a disk takes.
 *
 * @module
 */

/// <reference lib="webworker" />

import { type Destination, DestinationError, MissingError } from "../../copies/destination.ts";
import { systemFiles } from "../../copies/disk_files.ts";
import { openDestination } from "../../copies/open.ts";
import { BrokenCopyError } from "../../copies/read_back.ts";
import {
  type Advance,
  type ReadTask,
  restoreSegment,
  type SegmentReport,
  type SegmentTask,
} from "../../copies/restore.ts";
import { verifySegment } from "../../copies/verify.ts";
import { messageOf } from "../../errors.ts";
import { Line } from "../threads/line.ts";
import type { AdvanceCalls, ReaderCalls, ReaderSettings, ReadOutcome } from "./reader_calls.ts";

const thread = globalThis as unknown as DedicatedWorkerGlobalScope;

class ReaderThread implements ReaderCalls {
  #destination!: Destination;

  async begin({ url, endpoint }: ReaderSettings): Promise<void> {
    this.#destination = await openDestination(url, { endpoint, isOnlyRead: true });
  }

  restore(task: SegmentTask): Promise<ReadOutcome> {
    return outcomeOf(restoreSegment(this.#destination, systemFiles, task, advance));
  }

  verify(task: ReadTask): Promise<ReadOutcome> {
    return outcomeOf(verifySegment(this.#destination, task, advance));
  }

  async end(): Promise<void> {
    await this.#destination.close();
  }
}

const advance: Advance = (bytes) => line.tell("advance", bytes);

async function outcomeOf(reading: Promise<SegmentReport>): Promise<ReadOutcome> {
  try {
    return await reading;
  } catch (error) {
    return failureOf(error);
  }
}

function failureOf(error: unknown): ReadOutcome {
  const message = messageOf(error);
  if (error instanceof MissingError) return { failed: "missing", name: error.missing };
  if (error instanceof DestinationError) {
    return { failed: "destination", message, retry: error.retry };
  }
  if (error instanceof BrokenCopyError) return { failed: "broken", message };
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === "string") return { failed: "system", message, code };
  throw error;
}

const line = new Line<AdvanceCalls, ReaderCalls>(
  thread.postMessage.bind(thread),
  new ReaderThread(),
);

thread.onmessage = ({ data }) => line.take(data);
