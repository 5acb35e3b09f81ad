/**
 * A receiver of OpenTelemetry: OTLP over HTTP, in protobuf, read by OpenTelemetry's own messages.
 *
 * @module
 */

import root from "npm:@opentelemetry/otlp-transformer@0.57.2/build/src/generated/root.js";

/** A number as protobuf has it. */
type Long = number | { toNumber(): number };

interface Attribute {
  readonly key: string;
  readonly value: {
    readonly stringValue?: string;
    readonly doubleValue?: number;
    readonly intValue?: Long;
  };
}

interface Point {
  readonly attributes: readonly Attribute[];
  readonly asDouble?: number;
  readonly asInt?: Long;
  readonly count?: Long;
}

interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly gauge?: { readonly dataPoints: readonly Point[] };
  readonly sum?: { readonly dataPoints: readonly Point[]; readonly isMonotonic: boolean };
  readonly histogram?: { readonly dataPoints: readonly Point[] };
}

/** A span. */
export interface Span {
  readonly name: string;
  readonly kind: number;
  readonly spanId: Uint8Array;
  readonly parentSpanId?: Uint8Array | null;
  readonly links?: readonly { readonly spanId: Uint8Array }[];
  readonly startTimeUnixNano: Long;
  readonly endTimeUnixNano: Long;
  readonly attributes: readonly Attribute[];
  readonly status?: { readonly code?: number };
}

interface Scope {
  readonly scope: { readonly name: string };
  readonly metrics?: readonly Metric[];
  readonly spans?: readonly Span[];
}

interface Message {
  decode(bytes: Uint8Array): {
    readonly resourceMetrics?: readonly { readonly scopeMetrics: readonly Scope[] }[];
    readonly resourceSpans?: readonly { readonly scopeSpans: readonly Scope[] }[];
  };
}

// deno-lint-ignore no-explicit-any -- the generated messages have no types for this path
const { trace, metrics } = (root as any).opentelemetry.proto.collector;
const messages: Readonly<Record<string, Message>> = {
  "/v1/traces": trace.v1.ExportTraceServiceRequest,
  "/v1/metrics": metrics.v1.ExportMetricsServiceRequest,
};

/** Receives what servers export, until it is disposed of. */
export class Receiver implements AsyncDisposable {
  /** Spans of kvs's own, and its metrics by name, as they came last. */
  readonly spans: Span[] = [];
  readonly metrics = new Map<string, Metric>();
  /** All that came, one character a byte. */
  raw = "";
  #arrived = Promise.withResolvers<void>();
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => this.#take(request),
  );

  /** What a process needs in its environment to export here. */
  get environment(): Record<string, string> {
    return {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${this.#server.addr.port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
      OTEL_METRIC_EXPORT_INTERVAL: "200",
      OTEL_BSP_SCHEDULE_DELAY: "200",
      OTEL_SERVICE_NAME: "kvs",
    };
  }

  /** Waits until something holds of what has arrived. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await this.#arrived.promise;
  }

  /** The last value of a series; `undefined` where none has come. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    const metric = this.metrics.get(name);
    const points = metric?.gauge?.dataPoints ?? metric?.sum?.dataPoints ??
      metric?.histogram?.dataPoints ?? [];
    const point = points.find(({ attributes }) =>
      attributes.length === Object.keys(labels).length &&
      attributes.every(({ key, value }) => value.stringValue === labels[key])
    );
    const found = point?.asDouble ?? point?.asInt ?? point?.count;
    return typeof found === "object" ? found.toNumber() : found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #take(request: Request): Promise<Response> {
    const bytes = new Uint8Array(await request.arrayBuffer());
    const message = messages[new URL(request.url).pathname];
    this.raw += new TextDecoder("latin1").decode(bytes);
    if (message !== undefined) {
      const { resourceMetrics = [], resourceSpans = [] } = message.decode(bytes);
      const scopes = [
        ...resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics),
        ...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans),
      ];
      for (const { scope, metrics = [], spans = [] } of scopes) {
        if (scope.name !== "kvs") continue;
        this.spans.push(...spans);
        for (const metric of metrics) this.metrics.set(metric.name, metric);
      }
    }
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers();
    return new Response();
  }
}

/** An attribute of a span. */
export function attributeOf({ attributes }: Span, name: string): string | number | undefined {
  const value = attributes.find(({ key }) => key === name)?.value;
  const found = value?.stringValue ?? value?.doubleValue ?? value?.intValue;
  return typeof found === "object" ? found.toNumber() : found;
}

/** The span that one is a child of, among others. */
export function parentOf({ parentSpanId }: Span, among: readonly Span[]): Span | undefined {
  const id = parentSpanId?.join();
  return id === undefined ? undefined : among.find(({ spanId }) => spanId.join() === id);
}
