/**
 * Fair turns at reading for the connections of one thread.
 *
 * Deno's event loop carries out 128 socket operations at a time (the budget of a tokio task). What
 * is ready beyond that has to wait, and is taken up the latest first and behind all that has become
 * ready since: of some hundreds of connections that always have something to read, those that waited
 * longest would go on waiting, for many seconds.
 *
 * So when that many reads complete at a time, connections that were served do not read again before
 * all others that are ready have been served. Up to 128 connections nothing of this is needed, and
 * nothing is done.
 *
 * @module
 */

/** So many operations the event loop carries out at a time. */
const BUDGET = 128;
/** From so many reads at a time on others may be left over: writes share the budget. */
const CROWD = BUDGET / 2;
/**
 * The event loop looks for what has become ready at least once in 61 turns (tokio's event interval).
 * When no read completes for more than twice that, none is ready.
 */
const QUIET_TURNS = 130;

/** The round in which connections read. */
export class Rounds {
  /** Connections that take part. */
  private members = 0;
  /** Reads that have completed at this time. */
  private completed = 0;
  /** Whether those that were served wait for the next round. */
  private holding = false;
  private held: (() => void)[] = [];
  private quietTurns = 0;
  private watching = false;

  join(): void {
    this.members++;
  }

  leave(): void {
    this.members--;
  }

  /** What to wait for before the next read; nothing as long as there is no crowd. */
  next(): Promise<void> | undefined {
    if (!this.holding) return undefined;
    return new Promise((resolve) => this.held.push(resolve));
  }

  /** A read has completed. */
  served(): void {
    if (this.members <= BUDGET || this.completed++ > 0) return;
    // All reads that complete at one time go on before this does.
    queueMicrotask(() => this.count());
  }

  private count(): void {
    const crowded = this.completed >= CROWD;
    this.completed = 0;
    this.quietTurns = 0;
    if (!crowded) return this.begin();
    this.holding = true;
    if (this.watching) return;
    this.watching = true;
    setImmediate(() => this.watch());
  }

  /** Begins the next round, also where the last ready ones were a crowd. */
  private watch(): void {
    if (this.holding && ++this.quietTurns >= QUIET_TURNS) this.begin();
    this.watching = this.holding;
    if (this.watching) setImmediate(() => this.watch());
  }

  private begin(): void {
    this.holding = false;
    for (const proceed of this.held.splice(0)) proceed();
  }
}
