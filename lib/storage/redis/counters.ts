import { ResultCounts } from "../exchanges.ts";

/** What is counted for `stats redis`. */
export class Counters {
  readonly results = new ResultCounts();
  reconnects = 0;
  timeouts = 0;
  lost = 0;
  refused = 0;
  redirections = 0;
  batches = 0;
  requests = 0;
  /** Values under a key of ours that kvs has not written. */
  foreign = 0;
  readonly errors = new Map<string, number>();

  /** The lines of `stats` of how requests ended. */
  resultFigures(): [string, number][] {
    return this.results.figures("redis_results_", ["ok", "error", "timeout", "connection"]);
  }
}
