/**
 * Spans by Deno's OpenTelemetry: one of a batch of requests that is sampled, with a child for each exchange with
 * Redis or Cloud Storage that it has asked for.
 *
 * A batch is sampled where it is timed anyway, and no more than {@linkcode MOST_BATCHES} times a second: the
 * others pay nothing. Its span is in the asynchronous context of its requests, so that what they ask of the
 * store, then or after a wait, knows for whom that is. Spans name commands and results; no key and no value. A
 * thread has its own, and a server whose Deno does not export never loads this module.
 *
 * @module
 */

import {
  type Context,
  context,
  createContextKey,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import type { BatchSpan, TimedBatch } from "./timing.ts";

/** Spans of batches in a second, and of exchanges that no sampled batch has asked for: each of these. */
const MOST_BATCHES = 100;
/** Spans of exchanges that sampled batches have asked for, in a second. */
const MOST_CHILDREN = 1000;
/** Batches that a span of an exchange is linked to beside its parent. */
const MOST_LINKS = 32;

/** An exchange with Redis or Cloud Storage that is over; times in milliseconds, `began` by `performance.now()`. */
export interface SpannedExchange {
  readonly operation: string;
  readonly result: string;
  readonly began: number;
  readonly milliseconds: number;
  readonly requests: number;
  /** The batches that have asked for it, as {@linkcode Spans.cause} named them. */
  readonly causes?: Iterable<object> | undefined;
}

const CAUSE = createContextKey("the batch of a client");

/** Makes the spans of one thread. */
export class Spans {
  readonly #tracer: Tracer;
  readonly #store: string;
  readonly #batches = new Allowance(MOST_BATCHES);
  readonly #strays = new Allowance(MOST_BATCHES);
  readonly #children = new Allowance(MOST_CHILDREN);

  constructor(version: string, store: string) {
    this.#tracer = trace.getTracer("kvs", version);
    this.#store = store;
  }

  /** A batch begins; `undefined` where it is not sampled. */
  begin(): BatchSpan | undefined {
    if (!this.#batches.take()) return undefined;
    const span = this.#tracer.startSpan("batch", { kind: SpanKind.SERVER });
    return span.isRecording() ? new SampledBatch(span) : undefined;
  }

  /** The sampled batch in whose name something is done now, where it is one and not yet over. */
  readonly cause = (): object | undefined => {
    const batch = context.active().getValue(CAUSE) as SampledBatch | undefined;
    return batch?.isOver === false ? batch : undefined;
  };

  /** An exchange is over. */
  exchanged(exchange: SpannedExchange): void {
    const { operation, result, began, milliseconds, requests, causes = [] } = exchange;
    const [parent, ...others] = causes as Iterable<SampledBatch>;
    if (!(parent === undefined ? this.#strays : this.#children).take()) return;
    const span = this.#tracer.startSpan(`${this.#store} ${operation}`, {
      kind: SpanKind.CLIENT,
      startTime: epochOf(began),
      attributes: {
        "db.system.name": this.#store,
        "db.operation.name": operation,
        "db.operation.batch.size": requests,
        "kvs.result": result,
      },
      // One write to Redis carries the requests of many batches.
      links: others.slice(0, MOST_LINKS).map(({ span }) => ({ context: span.spanContext() })),
    }, parent?.context);
    if (result !== "ok") span.setStatus({ code: SpanStatusCode.ERROR, message: result });
    span.end(epochOf(began + milliseconds));
  }
}

/** A batch of a client that is sampled. */
class SampledBatch implements BatchSpan {
  readonly span: Span;
  readonly context: Context;
  isOver = false;

  constructor(span: Span) {
    this.span = span;
    this.context = trace.setSpan(context.active(), span).setValue(CAUSE, this);
  }

  run<T>(work: () => T): T {
    return context.with(this.context, work);
  }

  end({ first, requests, weight }: TimedBatch, connection: number): void {
    this.isOver = true;
    if (first !== "") this.span.updateName(`batch ${first}`);
    this.span.setAttributes({
      "db.operation.batch.size": requests,
      "kvs.connection": connection,
      // Of so many batches this one was timed.
      "kvs.stands_for": weight,
    });
    this.span.end();
  }
}

/** So many in a second. */
class Allowance {
  readonly #most: number;
  #second = 0;
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Whether there is one more in this second; takes it. */
  take(): boolean {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) [this.#second, this.#taken] = [second, 0];
    return this.#taken++ < this.#most;
  }
}

/** Milliseconds since 1970 of a moment of `performance.now()`. */
function epochOf(moment: number): number {
  return performance.timeOrigin + moment;
}
