/**
 * The live page's data: the last hour at `/history`, and from then on an event a second at `/events`.
 *
 * @module
 */

import { bytesOf } from "../../bytes.ts";
import { adviceOn } from "../../observe/advice.ts";
import { budgetsOf, type BudgetUse } from "../../observe/figures/budgets.ts";
import type { Source } from "../../observe/figures/row.ts";
import type { Health } from "../../observe/health.ts";
import { History, rounded } from "../../observe/history.ts";
import type { Log, LogEvent } from "../../observe/log.ts";
import { columns, Sampler } from "../../observe/sampler.ts";
import type { Timing } from "../../observe/timing.ts";
import type { Talker, talkerOrders } from "../talkers.ts";

/** Pages that may be open. */
const MAX_PAGES = 128;
/** Events that may wait for a page before it is dropped. */
const MAX_WAITING = 10;
/**
 * Milliseconds after which a page has to ask again. A page that has stopped reading is not noticed as long as
 * the system's buffers take what is sent to it; one that does not ask again is gone.
 */
export const PAGE_LIFE = 60_000;
/** Milliseconds between two samples. */
const INTERVAL = 1000;
const TALKERS = 10;

/** What the page is fed from. */
export interface Feed {
  readonly health: Health;
  readonly log: Log;
  readonly timing: Timing;
  /** Which server it is, in a line. */
  readonly title: string;
  readonly source: () => Source | undefined;
  readonly talkers: (order: keyof typeof talkerOrders, most: number) => readonly Talker[];
}

type Controller = ReadableStreamDefaultController<Uint8Array>;

/** What is known of a page that is open. */
interface OpenPage {
  /** When it was opened, by `performance.now()`. */
  readonly opened: number;
  /** The newest line of the log that it was told. */
  newest: LogEvent | undefined;
}

/** The last event of a stream: the page asks for another one, without its history. */
const AGAIN = bytesOf("event: again\ndata:\n\n");

/** Feeds all open pages. */
export class Live {
  readonly #feed: Feed;
  readonly #history = new History(columns);
  readonly #sampler: Sampler;
  readonly #pages = new Map<Controller, OpenPage>();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #life: number;
  #last = performance.now();
  /** The last sample, and when it was taken, in seconds since 1970. */
  #values: readonly (number | null)[] = [];
  #time = 0;

  /**
   * @param interval milliseconds between two samples
   * @param life milliseconds after which a page has to ask again
   */
  constructor(feed: Feed, interval = INTERVAL, life = PAGE_LIFE) {
    this.#feed = feed;
    this.#life = life;
    this.#sampler = new Sampler(feed.timing);
    this.#take();
    this.#timer = setInterval(() => this.#take(), interval);
  }

  /** Pages refused as too many were open. */
  refused = 0;

  /** Pages that may be open. */
  readonly most = MAX_PAGES;

  /** Pages that are open. */
  get pages(): number {
    return this.#pages.size;
  }

  close(): void {
    clearInterval(this.#timer);
    for (const page of this.#pages.keys()) page.close();
    this.#pages.clear();
  }

  /** The last hour. */
  history(): Response {
    return Response.json({ names: columns, ...this.#history.read() });
  }

  /** A stream of events, one now and one a second, for a minute. */
  events(): Response {
    if (this.#pages.size >= MAX_PAGES) {
      this.refused++;
      return new Response("as many pages are open as may be\n", { status: 503 });
    }
    let page: Controller;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        page = controller;
        const newest = this.#feed.log.events.at(-1);
        this.#pages.set(page, { opened: performance.now(), newest });
        page.enqueue(eventOf({
          ...this.#tell(this.#feed.source()),
          log: this.#feed.log.events,
        }));
      },
      cancel: () => void this.#pages.delete(page),
    }, { highWaterMark: MAX_WAITING });
    return new Response(stream, { headers: { "content-type": "text/event-stream" } });
  }

  #take(): void {
    const now = performance.now();
    const { log } = this.#feed;
    const source = this.#feed.source();
    const time = Math.round(Date.now() / 1000);
    let values: (number | null)[] = columns.map(() => null);
    if (source !== undefined) {
      const sample = this.#sampler.sample(source, Math.max(0.001, (now - this.#last) / 1000));
      this.#history.add(time, sample);
      values = sample.map(rounded);
    }
    this.#last = now;
    this.#time = time;
    this.#values = values;
    // A server that nobody looks at pays for its history alone.
    if (this.#pages.size === 0) return;
    const told = this.#tell(source);
    const event = eventOf(told);
    let withLog: Uint8Array<ArrayBuffer> | undefined;
    const newest = log.events.at(-1);
    for (const [page, shown] of this.#pages) {
      const isLast = now - shown.opened >= this.#life;
      // A hundred lines can be two hundred times as long as the rest, and seldom change.
      const isNews = shown.newest !== newest;
      shown.newest = newest;
      if (isNews) withLog ??= eventOf({ ...told, log: log.events });
      this.#send(page, isNews ? withLog! : event, isLast);
    }
  }

  /** What pages are told but for the log: the last sample, and all else as it is now. */
  #tell(source: Source | undefined) {
    const { health, talkers, title } = this.#feed;
    return {
      time: this.#time,
      title,
      started: source && Math.round(source.started / 1000),
      values: this.#values,
      advice: adviceOn(health.readiness(), source),
      budgets: source === undefined ? [] : budgetsOf(source).map(shownBudget),
      talkers: { bytes: talkers("bytes", TALKERS), requests: talkers("requests", TALKERS) },
    };
  }

  #send(page: Controller, event: Uint8Array<ArrayBuffer>, isLast: boolean): void {
    if (page.desiredSize! <= 0) {
      // It does not read: what it misses would be kept for it without end.
      this.#pages.delete(page);
      page.error(new Error("the page does not keep up"));
      return;
    }
    page.enqueue(event);
    if (!isLast) return;
    this.#pages.delete(page);
    page.enqueue(AGAIN);
    page.close();
  }
}

/** A budget as the page takes it. */
function shownBudget({ budget: { title, unit, action }, used, limit }: BudgetUse) {
  return { title, unit, action, used, limit };
}

function eventOf(told: unknown): Uint8Array<ArrayBuffer> {
  return bytesOf(`data: ${JSON.stringify(told)}\n\n`);
}
