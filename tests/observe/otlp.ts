/**
 * A receiver of OpenTelemetry: OTLP over HTTP, in JSON.
 *
 * @module
 */

/** A whole number as JSON has it: a string where it may have 64 bits. */
type Long = number | string;

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
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly links?: readonly { readonly spanId: string }[];
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

/** What is sent to `/v1/metrics` and `/v1/traces`. */
interface Message {
  readonly resourceMetrics?: readonly { readonly scopeMetrics: readonly Scope[] }[];
  readonly resourceSpans?: readonly { readonly scopeSpans: readonly Scope[] }[];
}

/** Receives what servers export, until it is disposed of. */
export class Receiver implements AsyncDisposable {
  /** Spans of kvs's own, and its metrics by name, as they came last. */
  readonly spans: Span[] = [];
  readonly metrics = new Map<string, Metric>();
  /** All that came. */
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
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
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
    return found === undefined ? undefined : Number(found);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #take(request: Request): Promise<Response> {
    const text = await request.text();
    this.raw += text;
    if (/^\/v1\/(metrics|traces)$/.test(new URL(request.url).pathname)) {
      const { resourceMetrics = [], resourceSpans = [] }: Message = JSON.parse(text);
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
  if (value?.stringValue !== undefined) return value.stringValue;
  const found = value?.doubleValue ?? value?.intValue;
  return found === undefined ? undefined : Number(found);
}

/** The span that one is a child of, among others. */
export function parentOf({ parentSpanId }: Span, among: readonly Span[]): Span | undefined {
  // A span without a parent has none, or an empty one.
  return parentSpanId ? among.find(({ spanId }) => spanId === parentSpanId) : undefined;
}
