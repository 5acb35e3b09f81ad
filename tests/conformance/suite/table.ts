/**
 * The table that the runner prints: a row for each file and store.
 *
 * @module
 */

import type { Entry, StoreName } from "./page.ts";
import type { Run } from "./run_file.ts";

/** What a row says. */
export interface Row {
  readonly file: string;
  readonly store: StoreName;
  readonly entry: Entry | undefined;
  /** Undefined where the file was not run. */
  readonly run: Run | undefined;
}

/** Whether a file passed, failed, or does not count. */
export type Verdict = "passed" | "failed" | "skipped";

/** Which of the three a row is: only what the page says that it passes can pass or fail. */
export function verdictOf({ entry, store, run }: Row): Verdict {
  if (entry === undefined || !entry.stores.includes(store) || run === undefined) return "skipped";
  const { tap, broken } = run;
  const ran = broken === undefined && tap.skippedAll === undefined;
  return ran && tap.failed.length === 0 ? "passed" : "failed";
}

const NAME = 28;
const STORE = 8;
const NUMBER = 8;
const WIDTH = 110;

/** The line above the rows. */
export const heading = line("file", "store", "passed", "failed", "skipped", "seconds", "");

/** The line of a row. */
export function lineOf(row: Row): string {
  const { file, store, run } = row;
  if (run === undefined) return line(file, store, "", "", "", "", notRun(row));
  const { tap, seconds } = run;
  return line(
    file,
    store,
    String(tap.passed),
    String(tap.failed.length),
    String(tap.skipped.length),
    seconds.toFixed(1),
    remark(row, run),
  );
}

function line(file: string, store: string, ...rest: [...string[]]): string {
  const numbers = rest.slice(0, -1).map((text) => text.padStart(NUMBER)).join("");
  return `${file.padEnd(NAME)} ${store.padEnd(STORE)}${numbers}  ${rest.at(-1)}`.trimEnd();
}

function notRun({ entry, store }: Row): string {
  if (entry === undefined) return "not run: memcached.md does not list it";
  const where = entry.class === "passes" ? `not on ${store}` : entry.class;
  return cut(`not run: ${where}${entry.why === "" ? "" : `: ${entry.why}`}`);
}

/** What is to be said of a file that was run. */
function remark(row: Row, { tap, broken }: Run): string {
  const { entry, store } = row;
  const verdict = verdictOf(row);
  const parts = [];
  if (verdict !== "skipped") parts.push(verdict === "passed" ? "ok" : "FAILED");
  else if (entry !== undefined) {
    parts.push(entry.class === "passes" ? `not on ${store}` : entry.class);
  }
  if (broken !== undefined) parts.push(broken);
  if (tap.skippedAll !== undefined) parts.push(`skipped itself: ${tap.skippedAll}`);
  const reasons = [...new Set(tap.skipped.map(({ reason }) => reason))];
  if (reasons.length > 0) parts.push(`skipped: ${reasons.join("; ")}`);
  return parts.join("; ");
}

function cut(text: string): string {
  return text.length <= WIDTH ? text : `${text.slice(0, WIDTH - 1)}…`;
}

/** The failed tests of a row, with what was printed about them, for people. */
export function detailsOf({ file, store, run }: Row, notes = 6): string[] {
  if (run === undefined) return [];
  const { tap, broken, output } = run;
  const lines = tap.failed.flatMap((test) => [
    `  ${test.line}`,
    ...test.notes.slice(0, notes).map((note) => `      ${note}`),
  ]);
  if (broken !== undefined) {
    const last = output.trimEnd().split("\n").slice(-notes);
    lines.push(
      `  ${broken}; the last that it printed:`,
      ...last.map((text) => `      ${cut(text)}`),
    );
  }
  return lines.length === 0 ? [] : [`${file} on ${store}:`, ...lines];
}

/** `55 passed, 1 failed, 60 skipped` */
export function totalOf(rows: readonly Row[]): string {
  const count = (verdict: Verdict) => rows.filter((row) => verdictOf(row) === verdict).length;
  return `${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`;
}
