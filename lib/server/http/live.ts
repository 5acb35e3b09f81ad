/**
 * The live page's data: the last hour at `/history`, and from then on an event a second at `/events`.
 *
 * @module
 */

import { bytesOf } from "../../bytes.ts";
import { adviceOn } from "../../observe/advice.ts";
import type { Source } from "../../observe/figures/row.ts";
import type { Health } from "../../observe/health.ts";
import { History, rounded } from "../../observe/history.ts";
import type { Log } from "../../observe/log.ts";
import { columns, Sampler } from "../../observe/sampler.ts";
import type { Timing } from "../../observe/timing.ts";
import type { Talker, talkerOrders } from "../talkers.ts";

/** Pages that may be open. */
const MAX_PAGES = 128;
/** Events that may wait for a page before it is dropped. */
const MAX_WAITING = 10;
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

/** Feeds all open pages. */
export class Live {
  readonly #feed: Feed;
  readonly #history = new History(columns);
  readonly #sampler: Sampler;
  readonly #pages = new Set<Controller>();
  readonly #timer: ReturnType<typeof setInterval>;
  #last = performance.now();
  #event = bytesOf("");

  /** @param interval milliseconds between two samples */
  constructor(feed: Feed, interval = INTERVAL) {
    this.#feed = feed;
    this.#sampler = new Sampler(feed.timing);
    this.#take();
    this.#timer = setInterval(() => this.#take(), interval);
  }

  /** Pages that are open. */
  get pages(): number {
    return this.#pages.size;
  }

  close(): void {
    clearInterval(this.#timer);
    for (const page of this.#pages) page.close();
    this.#pages.clear();
  }

  /** The last hour. */
  history(): Response {
    return Response.json({ names: columns, ...this.#history.read() });
  }

  /** A stream of events, one now and one a second. */
  events(): Response {
    if (this.#pages.size >= MAX_PAGES) {
      return new Response("as many pages are open as may be\n", { status: 503 });
    }
    let page: Controller;
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        page = controller;
        this.#pages.add(page);
        page.enqueue(this.#event);
      },
      cancel: () => void this.#pages.delete(page),
    }, { highWaterMark: MAX_WAITING });
    return new Response(stream, { headers: { "content-type": "text/event-stream" } });
  }

  #take(): void {
    const now = performance.now();
    const { health, log, talkers, title } = this.#feed;
    const source = this.#feed.source();
    const time = Math.round(Date.now() / 1000);
    let values: (number | null)[] = columns.map(() => null);
    if (source !== undefined) {
      const sample = this.#sampler.sample(source, Math.max(0.001, (now - this.#last) / 1000));
      this.#history.add(time, sample);
      values = sample.map(rounded);
    }
    this.#last = now;
    this.#event = bytesOf(
      `data: ${
        JSON.stringify({
          time,
          title,
          values,
          advice: adviceOn(health.readiness(), source),
          talkers: { bytes: talkers("bytes", TALKERS), requests: talkers("requests", TALKERS) },
          log: log.events,
        })
      }\n\n`,
    );
    for (const page of this.#pages) {
      if (page.desiredSize! > 0) page.enqueue(this.#event);
      else {
        // It does not read: what it misses would be kept for it without end.
        this.#pages.delete(page);
        page.error(new Error("the page does not keep up"));
      }
    }
  }
}
