/**
 * Requests of a store to what is elsewhere, Redis or Cloud Storage: how they ended, and how long they took.
 *
 * @module
 */

/**
 * How a request ended: answered, with what it asks for or with a no that is part of it; answered with an
 * error of its own, of the service, or of too many requests; not answered in time; or its connection was
 * lost first.
 */
export const results = [
  "ok",
  "error",
  "service_error",
  "rate_limit",
  "timeout",
  "connection",
] as const;

/** One of {@linkcode results}. */
export type Result = typeof results[number];

/** One exchange that is over. */
export interface Exchanged {
  /** What was asked: `read`, `write`, `delete`, or `pipeline` for many requests in one write. */
  readonly operation: string;
  readonly result: Result;
  /** When it began, by `performance.now()`, and how long it took, both in milliseconds. */
  readonly began: number;
  readonly milliseconds: number;
  /** How many requests it was. */
  readonly requests: number;
  /** In whose name it was asked for, as {@linkcode CauseOf} told; nothing where nobody asks. */
  readonly causes?: Iterable<object> | undefined;
}

/** In whose name something is asked of the store now; the store hands it back with what came of it. */
export type CauseOf = () => object | undefined;

/** Counts requests by how they ended. */
export class ResultCounts {
  readonly #counts: Record<Result, number> = {
    ok: 0,
    error: 0,
    service_error: 0,
    rate_limit: 0,
    timeout: 0,
    connection: 0,
  };

  add(result: Result): void {
    this.#counts[result]++;
  }

  /** The lines of `stats`, each named `prefix` and the result. */
  figures(prefix: string, shown: readonly Result[] = results): [string, number][] {
    return shown.map((result) => [`${prefix}${result}`, this.#counts[result]]);
  }
}
