/**
 * How a server is watched, from its first moment to its last: log, health, systemd, and `--http`.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Context } from "../commands/context.ts";
import { sourceOf } from "../commands/stats.ts";
import type { Say } from "../log_level.ts";
import type { HistogramFamily, HttpCounts, Row, Source } from "../observe/figures/row.ts";
import { eventLines } from "../observe/events.ts";
import { identity } from "../observe/figures/process.ts";
import { table } from "../observe/figures/table.ts";
import { Health } from "../observe/health.ts";
import { Log } from "../observe/log.ts";
import { LoopLag } from "../observe/loop_lag.ts";
import { expose } from "../observe/prometheus.ts";
import { isExporting } from "../observe/process.ts";
import type { Telemetry } from "../observe/telemetry.ts";
import { Timing } from "../observe/timing.ts";
import { VERSION } from "../version.ts";
import type { StoreOptions } from "../storage/contract.ts";
import type { Access } from "./access/access.ts";
import type { Configuration } from "./configuration.ts";
import { isLoopback } from "./http/address.ts";
import type { HttpServer } from "./http/http.ts";
import type { Live } from "./http/live.ts";
import { Notifier } from "./notify.ts";
import type { Front } from "./front.ts";
import { optionParts } from "./option_labels.ts";
import { isJournal, writeStderr } from "./stderr.ts";

/** Milliseconds between two signs that a start goes on, and what systemd then allows it, in microseconds. */
const SIGN_INTERVAL = 10_000;
const EXTENSION = 60_000_000;

/** A server's log, as its options say. */
export async function openLog(
  { logFormat: format, logLevel: level }: Configuration,
  clock: Clock,
  verbosity: () => number,
): Promise<Log> {
  return new Log({
    format,
    level,
    verbosity,
    journal: await isJournal(),
    now: () => clock.now(),
    write: writeStderr,
  });
}

/** Watches one server. */
export class Observation {
  readonly health = new Health();
  readonly log: Log;
  /** Times of requests and syncs; only where `--http` or `--slow-ms` wants them. */
  readonly timing: Timing | undefined;
  readonly #configuration: Configuration;
  readonly #telemetry: Telemetry | undefined;
  readonly #lag: LoopLag | undefined;
  readonly #notifier: Notifier | undefined;
  #http: HttpServer | undefined;
  #live: Live | undefined;
  #server: Pick<Front, "talkers" | "loopLag" | "refresh"> | undefined;
  #context: Context | undefined;
  #rows: readonly Row[] = [];
  #signs: ReturnType<typeof setInterval> | undefined;
  #watchdog: ReturnType<typeof setInterval> | undefined;

  private constructor(
    configuration: Configuration,
    log: Log,
    telemetry: Telemetry | undefined,
  ) {
    this.log = log;
    this.#configuration = configuration;
    this.#telemetry = telemetry;
    const { http, slowMs } = configuration;
    const isWatched = http !== undefined || telemetry !== undefined;
    if (isWatched || slowMs !== undefined) this.timing = new Timing(slowMs);
    if (isWatched) this.#lag = new LoopLag();
    if (this.timing !== undefined) telemetry?.watch(this.timing);
    this.#notifier = Notifier.open(log.say);
  }

  /**
   * Begins, before the store is opened.
   *
   * @throws {ExitError} 71, in one line, where the address of `--http` cannot be listened on
   */
  static async begin(
    configuration: Configuration,
    log: Log,
    access: Access,
  ): Promise<Observation> {
    const telemetry = await telemetryOf(configuration);
    const observation = new Observation(configuration, log, telemetry);
    await observation.#listen(access);
    observation.#tellSystemd();
    return observation;
  }

  /** Says a line, which is also told as progress while the server starts. */
  readonly say: Say = (line, level) => {
    this.log.say(line, level);
    this.health.progress(line);
  };

  /** What else than clients is talked to while the server runs. */
  get speaksTo(): { readonly collector: boolean; readonly machine: boolean } {
    return {
      collector: this.#telemetry !== undefined,
      // systemd's socket, and the one inside of --http: Unix sockets, which are of the network for Deno.
      machine: this.#notifier !== undefined || this.#http !== undefined,
    };
  }

  /** The port of `--http`, where there is one. */
  get port(): number | undefined {
    return this.#http?.port;
  }

  /** The store is open and connections are accepted. */
  serve(
    context: Context,
    server: Pick<Front, "talkers" | "loopLag" | "refresh">,
    detail: string,
  ): void {
    this.#context = context;
    this.#server = server;
    const { version: memcached, storeName } = context;
    this.#rows = [
      ...identity({
        memcached,
        version: VERSION,
        store: storeName,
        deno: Deno.version.deno,
        options: optionParts(this.#configuration),
      }),
      ...table,
    ];
    this.#telemetry?.observe(this.#rows, () => this.source()!);
    this.health.serve(() => context.store.info().own, detail, () => context.copies?.());
  }

  /** What the store is to tell of its syncs, and of its exchanges with what is elsewhere. */
  get storeHooks(): Pick<StoreOptions, "onSynced" | "onExchanged" | "causeOf"> {
    const timing = this.timing;
    if (timing === undefined) return {};
    const telemetry = this.#telemetry;
    const taken = this.exchangedElsewhere!;
    return {
      onSynced: (milliseconds) => {
        timing.synced(milliseconds);
        telemetry?.synced(milliseconds);
      },
      onExchanged: (exchanged) => {
        taken(exchanged);
        telemetry?.spans.exchanged(exchanged);
      },
      causeOf: telemetry?.spans.cause,
    };
  }

  /** Takes the time of an exchange of another thread, which makes its span itself. */
  get exchangedElsewhere(): StoreOptions["onExchanged"] {
    const { timing } = this;
    if (timing === undefined) return undefined;
    return ({ operation, milliseconds }) => {
      timing.exchanged(operation, milliseconds);
      this.#telemetry?.exchanged(operation, milliseconds);
    };
  }

  /** All is over. */
  async end(): Promise<void> {
    this.health.stop();
    clearInterval(this.#signs);
    clearInterval(this.#watchdog);
    this.#lag?.[Symbol.dispose]();
    this.#live?.close();
    await this.#http?.close();
    await this.#notifier?.close();
    this.log.flush();
  }

  /** What Prometheus is told; `undefined` before the store is open. */
  metrics(): string | undefined {
    const source = this.source();
    return source === undefined ? undefined : expose(this.#rows, source, this.#histograms());
  }

  /** What the figures are read from. */
  source(): Source | undefined {
    return this.#context && sourceOf(this.#context);
  }

  /** What is known of the process where somebody watches it. */
  get watch(): Source["watch"] {
    if (this.#lag === undefined) return undefined;
    const loopLag = [this.#lag.seconds, ...this.#server?.loopLag() ?? []];
    return { loopLag, http: this.#httpCounts };
  }

  get #httpCounts(): HttpCounts | undefined {
    const gate = this.#http?.gate;
    const live = this.#live;
    return gate && live && {
      ...{ open: gate.size, most: gate.most },
      ...{ pages: live.pages, mostPages: live.most },
      ...{ stalled: gate.stalled, refused: gate.refused, refusedPages: live.refused },
      denied: gate.denied,
    };
  }

  #histograms(): HistogramFamily[] {
    const { timing } = this;
    if (timing === undefined) return [];
    const families: HistogramFamily[] = [{
      name: "kvs_request_duration_seconds",
      help:
        "Time from a request's arrival to its reply, by command; estimated from some hundred batches a second.",
      series: [...timing.requests].map(([command, histogram]) => ({
        labels: { command },
        histogram,
      })),
    }];
    if (timing.exchanges.size > 0) {
      families.push({
        name: "kvs_store_request_duration_seconds",
        help: "Time of a request to Redis or Cloud Storage, by what was asked.",
        series: [...timing.exchanges].map(([operation, histogram]) => ({
          labels: { operation },
          histogram,
        })),
      });
    }
    if (this.#configuration.store === "disk") {
      families.push({
        name: "kvs_disk_sync_duration_seconds",
        help: "Time of a sync of the log.",
        series: [{ labels: {}, histogram: timing.syncs }],
      });
    }
    return families;
  }

  async #listen({ users, tls }: Access): Promise<void> {
    const { http } = this.#configuration;
    if (http === undefined) return;
    const [{ HttpServer }, { Live }, { page }] = await Promise.all([
      import("./http/http.ts"),
      import("./http/live.ts"),
      import("./http/page.ts"),
    ]);
    const live = this.#live = new Live({
      health: this.health,
      log: this.log,
      timing: this.timing!,
      title: `${VERSION}, store ${this.#configuration.store}, process ${Deno.pid}`,
      source: () => this.source(),
      talkers: (order, most) => this.#server?.talkers(order, most) ?? [],
    });
    const isInClear = tls === undefined || isLoopback(http.host);
    this.#http = await HttpServer.open(http, {
      health: this.health,
      metrics: async () => {
        await this.#server?.refresh();
        return this.metrics();
      },
      users,
      pages: new Map<string, () => Response | Promise<Response>>([
        ["/", page],
        ["/history", () => live.history()],
        ["/events", () => live.events()],
        ["/log", () => new Response(eventLines(this.log.events))],
      ]),
    }, { tls: isInClear ? undefined : tls });
    const host = http.host.includes(":") ? `[${http.host}]` : http.host;
    this.log.say(`${this.#http.scheme} on ${host}:${this.#http.port}`, "notice");
  }

  #tellSystemd(): void {
    const notifier = this.#notifier;
    if (notifier === undefined) return;
    const extend = `EXTEND_TIMEOUT_USEC=${EXTENSION}`;
    notifier.send("STATUS=starting", extend);
    this.#signs = setInterval(() => notifier.send(extend), SIGN_INTERVAL);
    if (notifier.watchdogInterval > 0) {
      this.#watchdog = setInterval(() => notifier.send("WATCHDOG=1"), notifier.watchdogInterval);
    }
    this.health.onChange((phase, detail) => {
      const status = `STATUS=${detail.replaceAll("\n", " ")}`;
      if (phase === "serving") {
        clearInterval(this.#signs);
        notifier.send("READY=1", status);
      } else if (phase === "draining" || phase === "stopped") notifier.send("STOPPING=1", status);
      else notifier.send(status, extend);
    });
  }
}

/** What tells OpenTelemetry, where Deno exports anything (`OTEL_DENO`). */
async function telemetryOf({ store }: Configuration): Promise<Telemetry | undefined> {
  if (!isExporting()) return undefined;
  const { Telemetry } = await import("../observe/telemetry.ts");
  return new Telemetry(VERSION, store);
}
