import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Entry } from "./page.ts";
import type { Run } from "./run_file.ts";
import { detailsOf, lineOf, type Row, totalOf, verdictOf } from "./table.ts";
import { parseTap } from "./tap.ts";

const passes: Entry = { file: "a.t", class: "passes", stores: ["disk", "memory"], why: "" };
const onDisk: Entry = { ...passes, stores: ["disk"], why: "memory forgets" };
const proxy: Entry = { file: "a.t", class: "not applicable", stores: [], why: "the proxy" };

function ran(output: string, broken?: string): Run {
  return { tap: parseTap(output), broken, seconds: 1.25, output };
}

function row(entry: Entry | undefined, run: Run | undefined, store: Row["store"] = "disk"): Row {
  return { file: "a.t", store, entry, run };
}

const good = ran("1..2\nok 1\nok 2 # skip no old system\n");
const bad = ran("1..2\nok 1\nnot ok 2 - counted\n#  got: '1'\n");
const short = ran("1..2\nok 1\n", "ended with code 2 after 1 of 2 tests");
const empty = ran("1..0 # skip not enabled\n");

Deno.test("a file that the page says passes has passed when all its tests have", () => {
  assertEquals(verdictOf(row(passes, good)), "passed");
});

Deno.test("a file that the page says passes has failed with a test, with its process, and when it skips itself", () => {
  assertEquals(verdictOf(row(passes, bad)), "failed");
  assertEquals(verdictOf(row(passes, short)), "failed");
  assertEquals(verdictOf(row(passes, empty)), "failed");
});

Deno.test("what the page does not say passes does not count, whatever became of it", () => {
  assertEquals(verdictOf(row(proxy, bad)), "skipped");
  assertEquals(verdictOf(row(proxy, undefined)), "skipped");
  assertEquals(verdictOf(row(onDisk, bad, "memory")), "skipped");
  assertEquals(verdictOf(row(undefined, good)), "skipped");
});

Deno.test("a row says how many tests passed, failed and were skipped, and why", () => {
  assertEquals(
    lineOf(row(passes, good)),
    "a.t                          disk           1       0       1     1.3  " +
      "ok; skipped: no old system",
  );
  assertStringIncludes(lineOf(row(passes, bad)), "1       1       0     1.3  FAILED");
  assertStringIncludes(lineOf(row(passes, short)), "FAILED; ended with code 2 after 1 of 2 tests");
  assertStringIncludes(lineOf(row(passes, empty)), "FAILED; skipped itself: not enabled");
});

Deno.test("a row of a file that was not run says why not", () => {
  assertStringIncludes(lineOf(row(proxy, undefined)), "not run: not applicable: the proxy");
  assertStringIncludes(
    lineOf(row(onDisk, undefined, "memory")),
    "not run: not on memory: memory forgets",
  );
  assertStringIncludes(lineOf(row(undefined, undefined)), "not run: memcached.md does not list it");
});

Deno.test("the details of a row are its failed tests with what they got", () => {
  assertEquals(detailsOf(row(passes, bad)), [
    "a.t on disk:",
    "  not ok 2 - counted",
    "       got: '1'",
  ]);
  assertEquals(detailsOf(row(passes, good)), []);
});

Deno.test("the details of a file that broke off are its last lines", () => {
  assertEquals(detailsOf(row(passes, short)), [
    "a.t on disk:",
    "  ended with code 2 after 1 of 2 tests; the last that it printed:",
    "      1..2",
    "      ok 1",
  ]);
});

Deno.test("the total counts each file and store once", () => {
  assertEquals(
    totalOf([row(passes, good), row(passes, bad), row(proxy, undefined), row(passes, good)]),
    "2 passed, 1 failed, 1 skipped",
  );
});
