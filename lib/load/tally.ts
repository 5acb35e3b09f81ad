/**
 * What a load has done so far.
 *
 * @module
 */

import { Histogram } from "./histogram.ts";

export type Command = "get" | "set";

export const COMMANDS: readonly Command[] = ["get", "set"];

/** What one command has done. */
interface CommandTally {
  /** Answered, errors included. */
  requests: number;
  /** Those among them that got no reply; they have no latency. */
  failed: number;
  /** Gets that found something, and those that did not. */
  hits: number;
  misses: number;
  readonly latency: Histogram;
}

/** Answers of one wrong kind, and the first of them in words. */
export interface Wrong {
  count: number;
  readonly example: string;
}

/** A tally in a form that goes from thread to thread. */
export interface TallyMessage {
  readonly commands: Readonly<
    Record<Command, {
      readonly requests: number;
      readonly failed: number;
      readonly hits: number;
      readonly misses: number;
      readonly latency: { readonly counts: Float64Array; readonly max: number };
    }>
  >;
  readonly unsent: number;
  readonly errors: ReadonlyMap<string, number>;
  readonly wrong: ReadonlyMap<string, Wrong>;
}

/** Counts of one thread, or of all of them together. */
export class Tally {
  readonly commands: Record<Command, CommandTally> = { get: none(), set: none() };
  /** Requests that were due by the clock and could not be sent before the end. */
  unsent = 0;
  /** Requests that were not carried out, or not known to be, by kind. */
  readonly errors = new Map<string, number>();
  /** Answers that no right server sends, by kind. */
  readonly wrong = new Map<string, Wrong>();

  get requests(): number {
    return this.commands.get.requests + this.commands.set.requests;
  }

  get errorCount(): number {
    return this.errors.values().reduce((sum, count) => sum + count, 0);
  }

  get wrongCount(): number {
    return this.wrong.values().reduce((sum, { count }) => sum + count, 0);
  }

  /** The latencies of all commands. */
  latency(): Histogram {
    const all = new Histogram();
    for (const command of COMMANDS) all.add(this.commands[command].latency);
    return all;
  }

  error(kind: string, count = 1): void {
    this.errors.set(kind, (this.errors.get(kind) ?? 0) + count);
  }

  /** An answer was wrong; `example` says how, for the first of its kind. */
  wrongAnswer(kind: string, example: () => string, count = 1): void {
    const known = this.wrong.get(kind);
    if (known === undefined) this.wrong.set(kind, { count, example: example() });
    else known.count += count;
  }

  add(other: TallyMessage): void {
    for (const command of COMMANDS) {
      const mine = this.commands[command];
      const { requests, failed, hits, misses, latency } = other.commands[command];
      mine.requests += requests;
      mine.failed += failed;
      mine.hits += hits;
      mine.misses += misses;
      mine.latency.add(latency);
    }
    this.unsent += other.unsent;
    for (const [kind, count] of other.errors) this.error(kind, count);
    for (const [kind, { count, example }] of other.wrong) {
      this.wrongAnswer(kind, () => example, count);
    }
  }

  message(): TallyMessage {
    const { get, set } = this.commands;
    const plain = ({ latency, ...counts }: CommandTally) => ({
      ...counts,
      latency: { counts: latency.counts, max: latency.max },
    });
    return {
      commands: { get: plain(get), set: plain(set) },
      unsent: this.unsent,
      errors: this.errors,
      wrong: this.wrong,
    };
  }
}

function none(): CommandTally {
  return { requests: 0, failed: 0, hits: 0, misses: 0, latency: new Histogram() };
}
