/**
 * Fair turns at reading for the connections of one thread.
 *
 * Deno's event loop carries out 128 socket operations at a time (the budget of a tokio task). What
 * is ready beyond that has to wait, and is taken up the latest first and behind all that has become
 * ready since: of some hundreds of connections that always have something to read, those that waited
 * longest would go on waiting, for many seconds.
 *
 * So when that many complete at a time, connections that were served do not read again before all
 * others that are ready have been served. Up to 128 connections nothing of this is needed, and
 * nothing is done.
 *
 * @module
 */

/** So many operations the event loop carries out at a time. */
const BUDGET = 128;
/** From so many that complete at a time on, others may remain ready. */
const CROWD = BUDGET / 2;
/** So many begin to read together: whatever remains ready is looked at each time. */
const GROUP = 4 * BUDGET;
/**
 * The event loop looks for what has become ready at least once in 61 turns (tokio's event interval).
 * When nothing completes for more than twice that, nothing is ready.
 */
const QUIET_TURNS = 130;

/** The round in which connections read. */
export class Rounds {
  /** Connections that take part. */
  #members = 0;
  /** Reads under way: their connections wait for their clients, or remain ready. */
  #reading = 0;
  /** Reads and writes that have completed at this time. */
  #completions = 0;
  /** Whether there is a read among them. */
  #hasRead = false;
  /** Whether those that were served wait for the next round. */
  #holding = false;
  #held: (() => void)[] = [];
  #quietTurns = 0;
  #watching = false;

  join(): void {
    this.#members++;
  }

  leave(): void {
    this.#members--;
  }

  /**
   * Whether a connection may read now, as it may while there is no crowd; else `go` is called when it may.
   *
   * @param go must not throw
   */
  next(go: () => void): boolean {
    if (this.#holding) {
      this.#held.push(go);
      return false;
    }
    this.#reading++;
    return true;
  }

  /** A read has ended, well or not. */
  readDone(): void {
    this.#reading--;
    if (this.#members <= BUDGET && !this.#holding) return;
    this.#hasRead = true;
    this.#add();
  }

  /** A write has completed. */
  writeDone(): void {
    if (this.#members > BUDGET) this.#add();
  }

  #add(): void {
    // All that complete at one time go on before this does.
    if (this.#completions++ === 0) queueMicrotask(this.#count);
  }

  readonly #count = (): void => {
    // Where no read is pending none remains ready.
    const crowded = this.#completions >= CROWD && this.#reading > 0;
    // Most writes complete immediately, so that a few of them say nothing of what is ready.
    const last = !crowded && this.#hasRead;
    this.#completions = 0;
    this.#hasRead = false;
    this.#quietTurns = 0;
    if (crowded) this.#hold();
    else if (last) this.#proceed();
  };

  #hold(): void {
    this.#holding = true;
    if (this.#watching) return;
    this.#watching = true;
    setImmediate(this.#watch);
  }

  /** Goes on also where the last ready ones were a crowd. */
  readonly #watch = (): void => {
    if (this.#holding && ++this.#quietTurns >= QUIET_TURNS) this.#proceed();
    this.#watching = this.#holding;
    if (this.#watching) setImmediate(this.#watch);
  };

  /** None remains ready: those that have waited longest may read. */
  #proceed(): void {
    this.#quietTurns = 0;
    const group = this.#held.splice(0, GROUP);
    this.#reading += group.length;
    this.#holding = this.#held.length > 0;
    for (const go of group) go();
  }
}
