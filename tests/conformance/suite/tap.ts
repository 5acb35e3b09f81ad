/**
 * Reads TAP, the output of memcached's test files (Perl's Test::More): what passed, what failed and
 * what was left out.
 *
 * Only the lines of the file itself count: those of a subtest are indented, and its outcome is a line of
 * its own. Lines that are no TAP are passed over, but those behind a failed test are kept, for they say
 * what was got and what was expected.
 *
 * @module
 */

/** A test that failed. */
export interface FailedTest {
  /** `not ok 3 - stored foo`, as it was printed. */
  readonly line: string;
  /** What was printed about it, without the `#`. */
  readonly notes: readonly string[];
}

/** A test, or a number of them, that was left out. */
export interface SkippedTest {
  readonly reason: string;
}

/** What a test file has printed. */
export interface TapResult {
  /** How many tests the file meant to run; undefined where it ended before it said so. */
  readonly planned: number | undefined;
  readonly passed: number;
  readonly failed: readonly FailedTest[];
  readonly skipped: readonly SkippedTest[];
  /** Why the file was left out as a whole. */
  readonly skippedAll: string | undefined;
  /** Why the file gave up. */
  readonly bailedOut: string | undefined;
}

// A name may have any bytes but a line end in it: of a dot that is what `s` says.
const PLAN = /^1\.\.(\d+)(?:\s*#\s*skip\S*\s*(.*))?$/is;
const TEST = /^(not )?ok\b\s*(\d*)(.*)$/s;
const DIRECTIVE = /(?<!\\)#\s*(skip|todo)\b\S*\s*(.*)$/is;
const BAIL_OUT = /^Bail out!\s*(.*)$/s;
/** Of what one failed test printed, this much is kept, in lines. */
const NOTES = 40;
/** A line is kept up to this many characters: tests compare values of a megabyte. */
const WIDTH = 300;

/** Reads all that a test file has printed. */
export function parseTap(text: string): TapResult {
  let planned: number | undefined;
  let passed = 0;
  const failed: { line: string; notes: string[] }[] = [];
  const skipped: SkippedTest[] = [];
  let skippedAll: string | undefined;
  let bailedOut: string | undefined;
  let notes: string[] | undefined;

  for (const line of text.split("\n")) {
    const test = TEST.exec(line);
    if (test !== null) {
      const [, not, , rest = ""] = test;
      const [, word, reason = ""] = DIRECTIVE.exec(rest) ?? [];
      notes = undefined;
      if (word?.toLowerCase() === "skip") {
        skipped.push({ reason: reason.trim() });
      } else if (not === undefined || word !== undefined) {
        // A test that is to do may fail.
        passed++;
      } else {
        notes = [];
        failed.push({ line: shortened(line), notes });
      }
      continue;
    }
    const plan = PLAN.exec(line);
    if (plan !== null) {
      planned = Number(plan[1]);
      if (planned === 0) skippedAll = plan[2]?.trim() ?? "";
      continue;
    }
    const bail = BAIL_OUT.exec(line);
    if (bail !== null) {
      bailedOut = bail[1]!;
    } else if (notes !== undefined && notes.length < NOTES && line.trim() !== "") {
      notes.push(shortened(line.replace(/^\s*#\s?/, "")));
    }
  }
  return { planned, passed, failed, skipped, skippedAll, bailedOut };
}

/** How many tests were run or left out. */
export function testsOf({ passed, failed, skipped }: TapResult): number {
  return passed + failed.length + skipped.length;
}

function shortened(line: string): string {
  return line.length <= WIDTH ? line : `${line.slice(0, WIDTH)}… (${line.length} characters)`;
}
