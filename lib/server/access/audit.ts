/**
 * The audit log: a line for each login, failed login, `flush_all`, `shutdown` and reload. What one user
 * repeats from one address is counted, and said with the next line of it that is due.
 *
 * @module
 */

import type { Audit } from "../../commands/context.ts";
import type { Session } from "../../commands/session.ts";

/** The same is said once in so many milliseconds. */
const INTERVAL = 60_000;
/** What is remembered, at most; beyond that the oldest is forgotten, and may be said again. */
const MOST = 1000;

/** What was said, and how often it has happened since. */
interface Said {
  readonly at: number;
  count: number;
}

/** Is told a line that is due, and how often it has happened since it was said before. */
export type Told = (line: string, more: number) => void;

/** A line as people read it. */
export function auditLine(line: string, more: number): string {
  return more === 0 ? line : `${line} (${more} more since)`;
}

/** Says who did what. That of a thread tells that of the main thread, whose lines are the log's. */
export class AuditLog implements Audit {
  readonly #told: Told;
  readonly #now: () => number;
  readonly #said = new Map<string, Said>();

  /** @param now milliseconds that only grow */
  constructor(told: Told, now: () => number = () => performance.now()) {
    this.#told = told;
    this.#now = now;
  }

  say(what: string, session: Session, user = session.user?.name): void {
    const who = user === undefined ? "" : ` user=${JSON.stringify(user.slice(0, 64))}`;
    this.take(`audit: ${what}${who} address=${session.address || "unknown"}`);
  }

  /** Says what the server did by itself, or was told by a signal. */
  event(what: string): void {
    this.take(`audit: ${what}`);
  }

  /** Says a line, or counts it; `more` is how often it has happened beside this time. */
  take(line: string, more = 0): void {
    const now = this.#now();
    const said = this.#said.get(line);
    if (said !== undefined && now - said.at < INTERVAL) {
      said.count += 1 + more;
      return;
    }
    this.#said.delete(line);
    if (this.#said.size >= MOST) {
      const [oldest] = this.#said.keys();
      this.#said.delete(oldest!);
    }
    this.#said.set(line, { at: now, count: 0 });
    this.#told(line, more + (said?.count ?? 0));
  }
}
