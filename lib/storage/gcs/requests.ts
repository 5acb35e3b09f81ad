/**
 * Requests to one bucket: reads that are tried until they have an answer, and single tries.
 *
 * @module
 */

import { StoreError } from "../../errors.ts";
import { messageOf, Refused, retryAfterOf } from "./answers.ts";
import type { Counters } from "./counters.ts";
import type { Gate } from "./gate.ts";
import { type Answer, type Request, type Transport, Unanswered } from "./transport.ts";

/** Why there was no whole answer, and whether what was asked may have been done. */
export interface Untold {
  readonly trouble: string;
  readonly sent: boolean;
}

/** Sends requests. Times are `performance.now()`'s. */
export class Requests {
  constructor(
    /** The bucket's name. */
    readonly name: string,
    readonly transport: Transport,
    readonly counters: Counters,
  ) {}

  /** The error of who gave up waiting for an answer; `trouble` is what went wrong last, or empty. */
  late(trouble: string): StoreError {
    const why = trouble === "" ? "" : `: ${trouble}`;
    return new StoreError(`The bucket '${this.name}' did not answer in time${why}`);
  }

  /**
   * Reads until there is an answer: 200 or 404.
   *
   * @param wrong what is wrong with an answer that is whole; then it is asked for again.
   */
  async read(
    request: Request,
    until: number,
    gate: Gate | undefined,
    wrong: (answer: Answer) => string | undefined = () => undefined,
  ): Promise<Answer> {
    for (let tries = 0;; tries++) {
      const answer = await this.attempt(request, until, gate);
      let trouble: string | undefined;
      let pause = backoff(tries);
      if ("trouble" in answer) {
        trouble = answer.trouble;
      } else if (answer.status === 200 || answer.status === 404) {
        trouble = answer.status === 200 ? wrong(answer) : undefined;
        if (trouble === undefined) return answer;
      } else {
        trouble = this.troubleOf(answer);
        if (trouble === undefined) throw this.refused(answer);
        pause = Math.max(pause, retryAfterOf(answer));
      }
      if (performance.now() + pause > until) throw this.late(trouble);
      await this.transport.deadlines.pause(pause);
    }
  }

  /** One try: the answer, or why there was no whole one. */
  async attempt(
    request: Request,
    until: number,
    gate: Gate | undefined,
  ): Promise<Answer | Untold> {
    try {
      return await this.transport.send(request, gate, until);
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      this.counters[error.kind]++;
      return { trouble: error.message, sent: error.sent };
    }
  }

  /** What an answer tells of a trouble that passes, counted; `undefined` if it will not pass. */
  troubleOf(answer: Answer): string | undefined {
    const { status } = answer;
    if (status === 429) this.counters.limited++;
    else if (status === 408 || status >= 500) this.counters.failed++;
    else return undefined;
    return `${status} ${messageOf(answer)}`.trimEnd();
  }

  /** The error of an answer that no retry would mend. */
  refused(answer: Answer): Refused {
    const { status } = answer;
    const said = messageOf(answer);
    const what = refusals[status] ?? `refused the request (${status})`;
    return new Refused(`The bucket '${this.name}' ${what}: ${said}`);
  }
}

const refusals: Record<number, string> = {
  401: "does not take the credentials",
  403: "may not be used (the account needs the role roles/storage.objectUser on it)",
  404: "is not there",
};

/** The pause after a try that failed, in milliseconds: 50 doubling to 2000, half of it by chance. */
export function backoff(tries: number): number {
  return Math.min(2000, 50 * 2 ** tries) * (0.5 + Math.random() / 2);
}
