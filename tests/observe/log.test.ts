import { assertEquals, assertMatch } from "@std/assert";
import { Log, type LogOptions } from "../../lib/observe/log.ts";

/** A log whose lines are kept, and whose clock stands still. */
function keeping(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const time = { now: Date.UTC(2026, 0, 2, 3, 4, 5, 678) };
  const log = new Log({
    format: "text",
    level: "notice",
    verbosity: () => 0,
    journal: false,
    now: () => time.now,
    write: (line) => lines.push(line),
    ...options,
  });
  return { log, lines, time };
}

Deno.test("log: a line has the time in UTC, to the millisecond", () => {
  const { log, lines } = keeping();
  log.say("it happened");
  assertEquals(lines, ["2026-01-02T03:04:05.678Z kvs-server: it happened\n"]);
});

Deno.test("log: the journal gets the level and adds the time itself", () => {
  const { log, lines } = keeping({ journal: true });
  log.say("it broke", "error");
  assertEquals(lines, ["<3>kvs-server: it broke\n"]);
});

Deno.test("log: a line of JSON has the severity and time that Google Cloud Logging reads", () => {
  const { log, lines } = keeping({ format: "json" });
  log.say('ready "now"', "notice", { items: 3 });
  assertEquals(JSON.parse(lines[0]!), {
    severity: "NOTICE",
    time: "2026-01-02T03:04:05.678Z",
    message: 'ready "now"',
    items: 3,
  });
});

Deno.test("log: lines below the level are not said, until verbosity raises it", () => {
  let verbosity = 0;
  const { log, lines } = keeping({ verbosity: () => verbosity });
  const all = () => {
    for (const level of ["error", "warning", "notice", "info", "debug"] as const) {
      log.say(`${level} ${verbosity}`, level);
    }
    return lines.splice(0).length;
  };
  assertEquals(all(), 3);
  verbosity = 1;
  assertEquals(all(), 4);
  verbosity = 2;
  assertEquals(all(), 5);
});

Deno.test("log: a line that repeats the last one is counted, and the count said once", () => {
  const { log, lines, time } = keeping();
  for (let i = 0; i < 5; i++) log.say("again");
  assertEquals(lines.length, 1);
  time.now += 61_000;
  log.say("something else");
  assertMatch(lines[1]!, /again \(4 more times, the last at \d\d:\d\d:\d\d\.\d{3}Z\)\n$/);
  assertEquals(lines.length, 3);
  log.flush();
});

Deno.test("log: a state that begins and ends in turn is said each time, up to a bound", () => {
  const { log, lines } = keeping();
  for (let i = 0; i < 3; i++) {
    log.say("away");
    log.say("back", "notice");
  }
  assertEquals(lines.length, 6);
  for (let i = 0; i < 100; i++) {
    log.say("away");
    log.say("back", "notice");
  }
  assertEquals(lines.length, 20);
  log.flush();
});

Deno.test("log: what a line contains can neither end it nor move a terminal's cursor", () => {
  const { log, lines } = keeping();
  log.say("a\r\nb\x1b[2Jc\u2028d");
  assertMatch(lines[0]!, /: a\\u000d\\nb\\u001b\[2Jc\\u2028d\n$/);
});

Deno.test("log: a long line is cut and says how long it was", () => {
  const { log, lines } = keeping();
  log.say("x".repeat(5000));
  assertMatch(lines[0]!, /x… \(5000 characters\)\n$/);
});

Deno.test("log: a line that cannot be written is counted and throws nothing", () => {
  const { log } = keeping({
    write: () => {
      throw new Error("no space left");
    },
  });
  log.say("to nobody");
  assertEquals(log.lost, 1);
});

Deno.test("log: the last hundred lines are remembered", () => {
  const { log } = keeping();
  for (let i = 0; i < 150; i++) log.say(`line ${i}`);
  assertEquals([log.events.length, log.events[0]!.text], [100, "line 50"]);
});
