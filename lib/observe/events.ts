/**
 * The last lines of the log as a text.
 *
 * @module
 */

import type { LogEvent } from "./log.ts";

/** A line each, the oldest first: time in UTC, level, text. */
export function eventLines(events: readonly LogEvent[]): string {
  return events.map(({ time, level, text }) => `${new Date(time).toISOString()} ${level} ${text}\n`)
    .join("");
}
