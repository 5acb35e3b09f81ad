/**
 * The server's log: a line each, on standard error.
 *
 * @module
 */

import { redacted } from "../redact.ts";
import { type LogLevel, logLevels } from "../log_level.ts";

/** How lines are written: for people, or an object of JSON each for machines. */
export const logFormats = ["text", "json"] as const;

/** What a line says in figures: names as in JSON, values in base units. */
export type LogFields = Readonly<Record<string, string | number>>;

/** How a log is written. */
export interface LogOptions {
  readonly format: typeof logFormats[number];
  readonly level: LogLevel;
  /** What is raised while the server runs: memcached's `-v`. 1 shows `info`, 2 and more `debug`. */
  readonly verbosity: () => number;
  /** Whether the lines go to systemd's journal, which adds the time and reads the level. */
  readonly journal: boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Takes the lines; may throw. */
  readonly write: (line: string) => void;
}

/** A line is cut at so many characters. */
const MAX_LINE = 2000;
/** Within so many milliseconds a line is said so often; after that, or directly after itself, it is counted. */
const REPEAT_AFTER = 60_000;
const MOST_SAID = 10;
/** Lines that are remembered for that. */
const REMEMBERED = 64;
/** What the live page shows of the log. */
const EVENTS = 100;

/** syslog's numbers, as the journal reads them before a line. */
const PRIORITY: Readonly<Record<LogLevel, number>> = {
  error: 3,
  warning: 4,
  notice: 5,
  info: 6,
  debug: 7,
};

/** A line that was said. */
export interface LogEvent {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly level: LogLevel;
  readonly text: string;
}

interface Said {
  readonly until: number;
  readonly level: LogLevel;
  times: number;
  repeats: number;
  /** When it was repeated last. */
  last: number;
}

/** Says lines. It never throws: that nobody can be told ends no server. */
export class Log {
  /** Lines that could not be written. */
  lost = 0;
  /** The last lines of a level up to `info`, the oldest first. */
  readonly events: LogEvent[] = [];
  readonly #options: LogOptions;
  readonly #said = new Map<string, Said>();
  readonly #counts = new Map<LogLevel, number>();
  #last = "";
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LogOptions) {
    this.#options = options;
  }

  /** Lines said so far, by level. */
  count(level: LogLevel): number {
    return this.#counts.get(level) ?? 0;
  }

  /** Whether lines of this level are said. */
  shows(level: LogLevel): boolean {
    const { level: least, verbosity } = this.#options;
    const raised = verbosity() >= 2 ? "debug" : verbosity() === 1 ? "info" : least;
    return logLevels.indexOf(level) <=
      Math.max(logLevels.indexOf(least), logLevels.indexOf(raised));
  }

  /** Says a line; one that repeats the last one, or was said often within a minute, is counted instead. */
  readonly say = (text: string, level: LogLevel = "warning", fields: LogFields = {}): void => {
    this.#counts.set(level, this.count(level) + 1);
    const now = this.#options.now();
    this.#endRepeats(now);
    if (level !== "debug" && !this.#remember(text, level, now)) return;
    if (this.shows(level)) this.#put(text, level, fields, now);
  };

  /** Says how often lines were repeated whose minute is over, or all of them. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#endRepeats(Infinity);
  }

  /** Whether the line is to be said. */
  #remember(text: string, level: LogLevel, now: number): boolean {
    const isSame = this.#last === text;
    this.#last = text;
    const said = this.#said.get(text);
    if (said !== undefined && (isSame || said.times >= MOST_SAID)) {
      said.last = now;
      if (said.repeats++ === 0) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#endRepeats(this.#options.now()), REPEAT_AFTER);
        this.#timer.unref();
      }
      return false;
    }
    if (said !== undefined) said.times++;
    else {
      if (this.#said.size >= REMEMBERED) this.#end(this.#said.keys().next().value!);
      this.#said.set(text, { until: now + REPEAT_AFTER, level, times: 1, repeats: 0, last: now });
    }
    this.events.push({ time: now, level, text: oneLine(text) });
    if (this.events.length > EVENTS) this.events.shift();
    return true;
  }

  #endRepeats(now: number): void {
    for (const [text, { until }] of this.#said) if (until <= now) this.#end(text);
  }

  #end(text: string): void {
    const { repeats, level, last } = this.#said.get(text)!;
    this.#said.delete(text);
    if (repeats === 0 || !this.shows(level)) return;
    // It may tell of a state that is over by now.
    const at = new Date(last).toISOString().slice(11);
    const often = repeats === 1
      ? `once more, at ${at}`
      : `${repeats} more times, the last at ${at}`;
    this.#put(`${text} (${often})`, level, { repeats }, this.#options.now());
  }

  #put(text: string, level: LogLevel, fields: LogFields, now: number): void {
    const { format, journal, write } = this.#options;
    const time = new Date(now).toISOString();
    const line = oneLine(text);
    try {
      if (format === "json") {
        const severity = level.toUpperCase();
        write(`${JSON.stringify({ severity, time, message: line, ...fields })}\n`);
      } else if (journal) write(`<${PRIORITY[level]}>kvs-server: ${line}\n`);
      else write(`${time} kvs-server: ${line}\n`);
    } catch {
      // The disk is full, or nobody reads standard error any more.
      this.lost++;
    }
  }
}

/** A text on one line, cut, without passwords of URLs; what could move a terminal's cursor or end the line is escaped. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what must not reach the line
  const line = redacted(text).trimEnd().replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (char) => {
    const code = char.charCodeAt(0);
    return code === 10 ? "\\n" : `\\u${code.toString(16).padStart(4, "0")}`;
  });
  return line.length <= MAX_LINE ? line : `${line.slice(0, MAX_LINE)}… (${line.length} characters)`;
}
