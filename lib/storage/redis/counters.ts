/** What is counted for `stats redis`. */
export class Counters {
  reconnects = 0;
  timeouts = 0;
  lost = 0;
  refused = 0;
  redirections = 0;
  batches = 0;
  requests = 0;
  readonly errors = new Map<string, number>();
}
