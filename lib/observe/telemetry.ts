/**
 * OpenTelemetry by Deno's own exporter, which `OTEL_DENO=true` turns on and the standard variables direct
 * (docs.deno.com, "OpenTelemetry"): the table of figures as metrics, and spans of what was timed.
 *
 * Spans are made when what they tell of is over, and of no more than {@linkcode MOST_SPANS} a second:
 * a client's request pays nothing for them. They name commands and results; no key and no value. A server
 * whose Deno does not export never loads this module.
 *
 * @module
 */

import {
  type Histogram,
  type Meter,
  metrics,
  type Observable,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import { bounds } from "./histogram.ts";
import { type Row, seriesOf, type Source } from "./figures/row.ts";
import type { TimedBatch, Timing } from "./timing.ts";

/** Spans of batches, and of exchanges with the store, in a second: each of these. */
const MOST_SPANS = 100;
/** Requests of one command in one batch that are recorded: all took the same time. */
const MOST_RECORDED = 64;

/** An exchange with Redis or Cloud Storage that is over; times in milliseconds, `began` by `performance.now()`. */
export interface SpannedExchange {
  readonly operation: string;
  readonly result: string;
  readonly began: number;
  readonly milliseconds: number;
  readonly requests: number;
}

/** Tells OpenTelemetry of one server. */
export class Telemetry {
  readonly #meter: Meter;
  readonly #tracer: Tracer;
  readonly #store: string;
  readonly #exchanges: Histogram;
  readonly #syncs: Histogram;
  readonly #exchangeSpans = new Allowance(MOST_SPANS);

  constructor(version: string, store: string) {
    this.#meter = metrics.getMeter("kvs", version);
    this.#tracer = trace.getTracer("kvs", version);
    this.#store = store;
    this.#exchanges = this.#histogram(
      "kvs_store_request_duration_seconds",
      "Time of a request to Redis or Cloud Storage, by what was asked.",
    );
    this.#syncs = this.#histogram("kvs_disk_sync_duration_seconds", "Time of a sync of the log.");
  }

  /** Exports the figures of the rows, read anew for each export. */
  observe(rows: readonly Row[], source: () => Source): void {
    const instruments = new Map<string, Observable>();
    for (const { series } of rows) {
      if (series === undefined || instruments.has(series.family.name)) continue;
      const { name, type, help: description } = series.family;
      const options = { description, unit: unitOf(name) };
      // What turns metrics into Prometheus's appends `_total` to a counter by itself.
      const instrument = type === "counter"
        ? this.#meter.createObservableCounter(name.replace(/_total$/, ""), options)
        : this.#meter.createObservableGauge(name, options);
      instruments.set(name, instrument);
    }
    this.#meter.addBatchObservableCallback((result) => {
      const now = source();
      for (const row of rows) {
        for (const [labels, value] of seriesOf(row, now)) {
          result.observe(instruments.get(row.series!.family.name)!, value, { ...labels });
        }
      }
    }, [...instruments.values()]);
  }

  /** Tells of the batches that are timed. */
  watch(timing: Timing): void {
    const requests = this.#histogram(
      "kvs_request_duration_seconds",
      "Time from a request's arrival to its reply, by command, of the requests that were timed.",
    );
    const allowance = new Allowance(MOST_SPANS);
    timing.onBatch = (batch, milliseconds, connection) => {
      for (const [command, count] of batch.commands) {
        const most = Math.min(count, MOST_RECORDED);
        for (let i = 0; i < most; i++) requests.record(milliseconds / 1000, { command });
      }
      if (allowance.take()) this.#spanOf(batch, milliseconds, connection);
    };
  }

  /** A sync of the disk store's log took so many milliseconds. */
  synced(milliseconds: number): void {
    this.#syncs.record(milliseconds / 1000);
  }

  /** An exchange with Redis or Cloud Storage is over. */
  exchanged({ operation, result, began, milliseconds, requests }: SpannedExchange): void {
    this.#exchanges.record(milliseconds / 1000, { operation });
    if (!this.#exchangeSpans.take()) return;
    const span = this.#tracer.startSpan(`${this.#store} ${operation}`, {
      kind: SpanKind.CLIENT,
      startTime: epochOf(began),
      attributes: {
        "db.system.name": this.#store,
        "db.operation.name": operation,
        "db.operation.batch.size": requests,
        "kvs.result": result,
      },
    });
    if (result !== "ok") span.setStatus({ code: SpanStatusCode.ERROR, message: result });
    span.end(epochOf(began + milliseconds));
  }

  #spanOf(batch: TimedBatch, milliseconds: number, connection: number): void {
    const { first, began, requests, weight } = batch;
    const span = this.#tracer.startSpan(first === "" ? "batch" : `batch ${first}`, {
      kind: SpanKind.SERVER,
      startTime: epochOf(began),
      attributes: {
        "db.operation.batch.size": requests,
        "kvs.connection": connection,
        // Of so many batches this one was timed.
        "kvs.stands_for": weight,
      },
    });
    span.end(epochOf(began + milliseconds));
  }

  #histogram(name: string, description: string): Histogram {
    const advice = { explicitBucketBoundaries: [...bounds] };
    return this.#meter.createHistogram(name, { description, unit: "s", advice });
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

/** The unit in OpenTelemetry's words (UCUM), as the name of a figure says. */
function unitOf(name: string): string {
  if (/_bytes(_total)?$/.test(name)) return "By";
  return /_seconds(_total)?$/.test(name) ? "s" : "1";
}
