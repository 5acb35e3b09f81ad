/**
 * The audit log: a line for each login, failed login, `flush_all`, `shutdown` and reload. What one user
 * repeats from one address is counted, and said with the next line of it that is due.
 *
 * @module
 */

import type { Audit } from "../../commands/context.ts";
import type { Session } from "../../commands/session.ts";
import type { Say } from "../../log_level.ts";

/** The same is said once in so many milliseconds. */
const INTERVAL = 60_000;
/** What is remembered, at most; beyond that the oldest is forgotten, and may be said again. */
const MOST = 1000;

/** What was said, and how often it has happened since. */
interface Said {
  readonly at: number;
  count: number;
}

/** Says who did what. */
export class AuditLog implements Audit {
  readonly #log: Say;
  readonly #now: () => number;
  readonly #said = new Map<string, Said>();

  /** @param now milliseconds that only grow */
  constructor(log: Say, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  say(what: string, session: Session, user = session.user?.name): void {
    const who = user === undefined ? "" : ` user=${JSON.stringify(user.slice(0, 64))}`;
    this.#write(`audit: ${what}${who} address=${session.address || "unknown"}`);
  }

  /** Says what the server did by itself, or was told by a signal. */
  event(what: string): void {
    this.#write(`audit: ${what}`);
  }

  #write(line: string): void {
    const now = this.#now();
    const said = this.#said.get(line);
    if (said !== undefined && now - said.at < INTERVAL) {
      said.count++;
      return;
    }
    const more = said === undefined || said.count === 0 ? "" : ` (${said.count} more since)`;
    this.#said.delete(line);
    if (this.#said.size >= MOST) {
      const [oldest] = this.#said.keys();
      this.#said.delete(oldest!);
    }
    this.#said.set(line, { at: now, count: 0 });
    this.#log(`${line}${more}`, "notice");
  }
}
