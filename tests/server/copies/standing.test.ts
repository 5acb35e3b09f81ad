import { assertEquals } from "@std/assert";
import { type CopyReport, NOTHING_YET } from "../../../lib/copies/copying.ts";
import { adviceOn } from "../../../lib/observe/advice.ts";
import { Health } from "../../../lib/observe/health.ts";
import { copyWarning } from "../../../lib/observe/figures/copies.ts";
import { CopyStanding } from "../../../lib/server/copies/standing.ts";

const INTERVAL = 10_000;

/** A standing, its clocks, and the place that the store's log has reached. */
function begin() {
  const time = { now: 1_790_000_000_000, monotonic: 5000 };
  const store = { position: 0 };
  const clock = { now: () => time.now, monotonic: () => time.monotonic };
  const standing = new CopyStanding(INTERVAL, clock, () => store.position);
  const pass = (seconds: number) => {
    time.now += seconds * 1000;
    time.monotonic += seconds * 1000;
  };
  const report = (change: Partial<CopyReport>): CopyReport => ({
    ...NOTHING_YET,
    state: "copying",
    epoch: 1,
    ...change,
  });
  return { time, store, standing, pass, report };
}

Deno.test("copies: the lag is the age of the oldest change that is in none, and 0 where all are", () => {
  const { time, store, standing, pass, report } = begin();
  pass(100);
  assertEquals(standing.lag, 0);
  store.position = 10;
  pass(7);
  assertEquals(standing.lag, 7);
  // What was there 4 seconds ago is copied, and more has come since.
  store.position = 20;
  standing.take(report({ position: 10, cleanAt: time.now - 4000 }));
  assertEquals(standing.lag, 4);
  standing.take(report({ position: 20, cleanAt: time.now - 1000 }));
  assertEquals(standing.lag, 0);
  // A store at rest is not late, however long ago the last copy was.
  pass(3600);
  assertEquals([standing.lag, standing.figures.state], [0, "copying"]);
  store.position = 21;
  pass(1);
  assertEquals(standing.lag, 1);
});

Deno.test("copies: a clock that is set back or forward changes no lag", () => {
  const { time, store, standing, pass, report } = begin();
  standing.take(report({ position: 0, cleanAt: time.now }));
  store.position = 5;
  time.now += 86_400_000;
  pass(2);
  assertEquals(standing.lag, 2);
  time.now -= 2 * 86_400_000;
  pass(3);
  assertEquals(standing.lag, 5);
});

Deno.test("copies: a thread that tells nothing any more is behind, after three intervals and a minute", () => {
  const { store, standing, pass, report } = begin();
  standing.take(report({ position: 0 }));
  assertEquals(copyWarning(standing.figures), "");
  store.position = 1;
  pass(60);
  assertEquals(standing.figures.state, "copying");
  pass(1);
  assertEquals(
    copyWarning(standing.figures),
    "copies behind: changes of the last 61 s are in no copy",
  );
  standing.failure = "the thread that copies has failed: out of memory";
  assertEquals(
    copyWarning(standing.figures),
    "copies failing: the thread that copies has failed: out of memory",
  );
});

Deno.test("copies: what is not well is a warning of readiness and an advice, and what is well is none", () => {
  const { standing, report } = begin();
  const adviceOf = () => {
    const source = {
      copies: standing.figures,
      store: { own: [] },
      settings: [],
      limits: [],
      accepting: { now: true },
      maxConnections: 1,
      connections: 0,
    };
    const ready = { ready: true, phase: "serving", store: "ok", reason: "", warning: "" } as const;
    return adviceOn(ready, source as never).filter(({ level }) => level !== "good")
      .map(({ level, state }) => `${level}: ${state}`);
  };
  standing.take(report({ state: "failing", reason: "the bucket is away" }));
  assertEquals(adviceOf(), ["critical: Copies failing: the bucket is away"]);
  const health = new Health();
  health.serve(() => [], "serving", () => standing.figures);
  const { ready, reason, warning } = health.readiness();
  assertEquals([ready, reason, warning], [true, "", "copies failing: the bucket is away"]);
  standing.take(report({ state: "fenced", reason: "another has it" }));
  assertEquals(adviceOf(), ["critical: Copies fenced: another has it"]);
  standing.take(report({}));
  assertEquals(adviceOf(), []);
});
