/**
 * Requests to the bucket that keeps copies, asked until there is an answer that counts.
 *
 * @module
 */

import { StoreError } from "../errors.ts";
import { Counters } from "../storage/gcs/counters.ts";
import { Deadlines } from "../storage/gcs/deadlines.ts";
import { headerOf, retryAfterOf, saysNoBucket } from "../storage/gcs/answers.ts";
import { backoff, Requests, type Untold } from "../storage/gcs/requests.ts";
import { type Answer, type Request, Transport, Unanswered } from "../storage/gcs/transport.ts";
import type { Credentials } from "../storage/google_credentials.ts";
import { Contents, type Opened } from "./bucket_content.ts";
import { DestinationError } from "./destination.ts";

/** How long a request may take once it is under way, in milliseconds. */
const requestAttempt = 10_000;

/** How long a part of an upload or download may take: on a line of 1.2 Mbit/s, in milliseconds. */
export const partAttempt = 60_000;

/** The least pause after the service says that it is asked too often, in milliseconds. */
const pace = 1000;

/** An answer, and whether an earlier try of the same request may have been done. */
export interface Told {
  readonly answer: Answer;
  readonly unclear: boolean;
}

/** Failures one after another; a new one begins when something has come of a try. */
export class Streak {
  tries = 0;
  /** When it is too late for another try, as `performance.now()` tells time. */
  until = Infinity;
}

/** Sends requests to one bucket. */
export class BucketRequests {
  readonly counters = new Counters();
  readonly deadlines = new Deadlines();
  /** When the service has answered last by its own clock, in milliseconds since 1970. */
  time: number | undefined = undefined;
  readonly #requests: Requests;
  readonly #transport: Transport;
  readonly #contents: Contents;
  #closed = false;

  /**
   * @param address the service's, such as `https://storage.googleapis.com`.
   * @param patience for how long something is tried again after it has failed, in milliseconds.
   * @param attempt how long the beginning of a content or a block of it may take, in milliseconds.
   */
  constructor(
    readonly bucket: string,
    address: string,
    credentials: Credentials | undefined,
    readonly patience: number,
    attempt: number,
  ) {
    const { deadlines, counters } = this;
    this.#transport = new Transport(address, requestAttempt, credentials, deadlines, counters);
    this.#requests = new Requests(bucket, this.#transport, counters);
    this.#contents = new Contents(address, attempt, credentials, deadlines, counters);
  }

  /**
   * Asks until an answer says more than that it may be asked again (408, 429, 5xx).
   *
   * @param wrong what is wrong with an answer that is whole; then it is asked for again.
   * @throws {DestinationError} where that takes too long.
   */
  ask(request: Request, wrong?: (answer: Answer) => string | undefined): Promise<Told> {
    return this.#asked(() => this.try(request), wrong, new Streak());
  }

  /**
   * {@linkcode ask} for a content that is read as it comes, after failures of which there may have been
   * some.
   */
  async open(
    request: Pick<Request, "path" | "headers">,
    wrong: (answer: Answer) => string | undefined,
    streak: Streak,
  ): Promise<Opened> {
    return (await this.#asked(
      () => this.#told(() => this.#contents.open(request)),
      wrong,
      streak,
    )).answer;
  }

  /** Asks until an answer counts. */
  async #asked<T extends Opened>(
    ask: () => Promise<T | Untold>,
    wrong: ((answer: Answer) => string | undefined) | undefined,
    streak: Streak,
  ): Promise<{ readonly answer: T; readonly unclear: boolean }> {
    let unclear = false;
    for (;;) {
      const answer = await ask();
      let pause = 0;
      let trouble: string;
      if ("trouble" in answer) {
        trouble = answer.trouble;
        unclear ||= answer.sent;
      } else {
        const passing = this.passing(answer);
        if (passing === undefined) {
          const damage = wrong?.(answer);
          if (damage === undefined) return { answer, unclear };
          await answer.content?.end();
          trouble = damage;
        } else {
          trouble = passing.trouble;
          pause = passing.pause;
          unclear ||= answer.status !== 429;
        }
      }
      await this.pause(streak, pause, trouble);
    }
  }

  /**
   * One try: the answer, or why there was no whole one.
   *
   * @throws {DestinationError} where there are no credentials, or all of this is closed.
   */
  async try(request: Request): Promise<Answer | Untold> {
    const told = await this.#told(() => this.#requests.attempt(request, Infinity, undefined));
    if ("headers" in told) {
      const time = Date.parse(headerOf(told, "date") ?? "");
      if (!Number.isNaN(time)) this.time = time;
    }
    return told;
  }

  /** What came of a try, where that is no error of the destination's. */
  async #told<T>(attempt: () => Promise<T>): Promise<T | Untold> {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof Unanswered) return this.untold(error);
      if (error instanceof StoreError) throw new DestinationError(error.message, !this.#closed);
      throw error;
    }
  }

  /** Counts that there was no whole answer. */
  untold(error: Unanswered): Untold {
    this.counters[error.kind]++;
    return { trouble: error.message, sent: error.sent };
  }

  /** What an answer says of a trouble that passes, and how long it asks to wait; else nothing. */
  passing(answer: Answer): { readonly trouble: string; readonly pause: number } | undefined {
    const trouble = this.#requests.troubleOf(answer);
    if (trouble === undefined) return undefined;
    return { trouble, pause: Math.max(retryAfterOf(answer), answer.status === 429 ? pace : 0) };
  }

  /**
   * Waits before the next try.
   *
   * @param least milliseconds; longer where several tries have failed.
   * @throws {DestinationError} where the next try would come too late.
   */
  async pause(streak: Streak, least: number, trouble: string): Promise<void> {
    const now = performance.now();
    // What works, however slowly, takes no patience.
    if (streak.tries === 0) streak.until = now + this.patience;
    const ms = Math.max(least, backoff(streak.tries++));
    if (now + ms > streak.until) {
      throw new DestinationError(this.#requests.late(trouble).message, true);
    }
    await this.deadlines.pause(ms);
  }

  /** The error of an answer that no retry would mend. */
  refused(answer: Answer): DestinationError {
    return new DestinationError(this.#requests.refused(answer).message, false);
  }

  /** A 404 is that a name is not there, unless the service says that the bucket is not. */
  missing(answer: Answer): undefined {
    if (saysNoBucket(answer)) throw this.refused(answer);
    return undefined;
  }

  /** Counts an answer that is not what the service sends; the trouble that it is. */
  unreadable(): string {
    this.counters.unreadable++;
    return "its answer cannot be read";
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#transport.close();
    this.#contents.close();
    this.deadlines.end();
  }
}
