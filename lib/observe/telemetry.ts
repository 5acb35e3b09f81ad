/**
 * OpenTelemetry by Deno's own exporter, which `OTEL_DENO=true` turns on and the standard variables direct
 * (docs.deno.com, "OpenTelemetry"): the table of figures as metrics, and the times that were taken. The main
 * thread tells of all threads. A server whose Deno does not export never loads this module.
 *
 * @module
 */

import { type Histogram, type Meter, metrics, type Observable } from "@opentelemetry/api";
import { bounds } from "./histogram.ts";
import { type Row, seriesOf, type Source } from "./figures/row.ts";
import { Spans } from "./spans.ts";
import type { Timing } from "./timing.ts";

/** Requests of one command in one batch that are recorded: all took the same time. */
const MOST_RECORDED = 64;

/** Tells OpenTelemetry of one server. */
export class Telemetry {
  readonly #meter: Meter;
  readonly #exchanges: Histogram;
  readonly #syncs: Histogram;
  readonly spans: Spans;

  constructor(version: string, store: string) {
    this.#meter = metrics.getMeter("kvs", version);
    this.spans = new Spans(version, store);
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
    timing.spans = this.spans;
    timing.onBatch = (commands, milliseconds) => {
      for (const [command, count] of commands) {
        const most = Math.min(count, MOST_RECORDED);
        for (let i = 0; i < most; i++) requests.record(milliseconds / 1000, { command });
      }
    };
  }

  /** A sync of the disk store's log took so many milliseconds. */
  synced(milliseconds: number): void {
    this.#syncs.record(milliseconds / 1000);
  }

  /** An exchange with Redis or Cloud Storage took so many milliseconds. */
  exchanged(operation: string, milliseconds: number): void {
    this.#exchanges.record(milliseconds / 1000, { operation });
  }

  #histogram(name: string, description: string): Histogram {
    const advice = { explicitBucketBoundaries: [...bounds] };
    return this.#meter.createHistogram(name, { description, unit: "s", advice });
  }
}

/** The unit in OpenTelemetry's words (UCUM), as the name of a figure says. */
function unitOf(name: string): string {
  if (/_bytes(_total)?$/.test(name)) return "By";
  return /_seconds(_total)?$/.test(name) ? "s" : "1";
}
