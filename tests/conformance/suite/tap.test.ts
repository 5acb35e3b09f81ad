import { assertEquals } from "@std/assert";
import { parseTap, testsOf } from "./tap.ts";

Deno.test("TAP: tests that passed and failed are told apart, a failed one with what was printed about it", () => {
  const tap = parseTap(
    [
      "1..3",
      "ok 1 - stored foo",
      "not ok 2 - foo == 'fooval'",
      "#   Failed test 'foo == 'fooval''",
      "#          got: 'END",
      "# '",
      "ok 3",
      "# Looks like you failed 1 test of 3.",
    ].join("\n"),
  );
  assertEquals(tap.planned, 3);
  assertEquals(tap.passed, 2);
  assertEquals(tap.failed, [{
    line: "not ok 2 - foo == 'fooval'",
    notes: ["  Failed test 'foo == 'fooval''", "         got: 'END", "'"],
  }]);
  assertEquals(testsOf(tap), 3);
});

Deno.test("TAP: a plan may stand at the end", () => {
  assertEquals(parseTap("ok 1\nok 2\n1..2\n").planned, 2);
});

Deno.test("TAP: a file that ends before its plan has none", () => {
  assertEquals(parseTap("ok 1\n").planned, undefined);
});

Deno.test("TAP: a skipped test neither passed nor failed, and says why", () => {
  const tap = parseTap("1..2\nok 1 # skip no such thing here\nok 2 - real\n");
  assertEquals(tap.skipped, [{ reason: "no such thing here" }]);
  assertEquals(tap.passed, 1);
  assertEquals(testsOf(tap), 2);
});

Deno.test("TAP: a test that is to do may fail", () => {
  const tap = parseTap("1..1\nnot ok 1 - later # TODO not written\n");
  assertEquals(tap.failed, []);
  assertEquals(tap.passed, 1);
});

Deno.test("TAP: a file that skips itself says why", () => {
  const tap = parseTap("1..0 # SKIP proxy not enabled\n");
  assertEquals(tap.planned, 0);
  assertEquals(tap.skippedAll, "proxy not enabled");
});

Deno.test("TAP: a file that bails out says why", () => {
  assertEquals(parseTap("1..2\nok 1\nBail out!  no server\n").bailedOut, "no server");
});

Deno.test("TAP: the tests of a subtest count as the one test that it is", () => {
  const tap = parseTap(
    [
      "# Subtest: md x",
      "    ok 1 - set",
      "    not ok 2 - value zeroed out",
      "    1..2",
      "not ok 1 - md x",
      "1..1",
    ].join("\n"),
  );
  assertEquals(tap.planned, 1);
  assertEquals(tap.passed, 0);
  assertEquals(tap.failed.map(({ line }) => line), ["not ok 1 - md x"]);
});

Deno.test("TAP: a name may have any bytes in it", () => {
  const tap = parseTap("1..2\nok 1 - a\0b\r\rc\u2028d\nnot ok 2 - \r\n");
  assertEquals(tap.passed, 1);
  assertEquals(tap.failed.length, 1);
});

Deno.test("TAP: a hash in a name that was escaped begins no directive", () => {
  assertEquals(parseTap("ok 1 - a \\# skip b\n").skipped, []);
});

Deno.test("TAP: what a server prints is no test", () => {
  assertEquals(
    testsOf(parseTap("okay\nnot okay\nkvs-server: ok 1\n>30 new auto-negotiating\n")),
    0,
  );
});

Deno.test("TAP: of a name of a megabyte the beginning is kept", () => {
  const [failed] = parseTap(`not ok 1 - ${"x".repeat(2 ** 20)}\n`).failed;
  assertEquals(failed!.line.length < 1000, true);
});
