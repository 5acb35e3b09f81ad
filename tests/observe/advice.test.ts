import { assertEquals } from "@std/assert";
import { sourceOf } from "../../lib/commands/stats.ts";
import { type Advice, adviceOn } from "../../lib/observe/advice.ts";
import type { Named, Source } from "../../lib/observe/figures/row.ts";
import type { Readiness } from "../../lib/observe/health.ts";
import { Harness } from "../server/harness.ts";

const WELL: Readiness = { ready: true, phase: "serving", store: "ok", reason: "", warning: "" };

const SERVING: Advice = { level: "good", state: "Serving: reads and writes are taken", action: "" };

/** What else an operator is told of a server that is well but for some figures. */
async function told(
  change: (source: Source) => Partial<Source>,
): Promise<[state: string, action: string][]> {
  await using harness = new Harness();
  const source = sourceOf(harness.context);
  const advice = adviceOn(WELL, { ...source, ...change(source) });
  assertEquals(advice.pop(), SERVING);
  return advice.map(({ state, action }) => [state, action]);
}

/** The lines of `stats limits` with others of those names. */
function changed(limits: readonly Named[], ...others: Named[]): Named[] {
  const names = new Set(others.map(([name]) => name));
  return [...limits.filter(([name]) => !names.has(name)), ...others];
}

Deno.test("advice: a server that is well serves, and that is all", async () => {
  assertEquals(await told(() => ({})), []);
});

Deno.test("advice: a bound that is nearly reached is said, with what to do", async () => {
  assertEquals(
    await told(({ limits }) => ({
      limits: changed(limits, ["max_watchers", 20], ["watchers", 19]),
    })),
    [["Watchers: 95 % of the limit is in use", "End one."]],
  );
  assertEquals(
    await told(() => ({ connections: 97, maxConnections: 100 })),
    [["Connections: 97 % of the limit is in use", "Raise -c, or set --idle-timeout."]],
  );
});

Deno.test("advice: that as many connections are open as may be is said once", async () => {
  assertEquals(
    await told(() => ({ connections: 100, maxConnections: 100 })),
    [["As many connections as -c allows are open", "Raise -c or set --idle-timeout."]],
  );
});

Deno.test("advice: a store at its limit is said where it refuses, and not where it evicts", async () => {
  const full = ({ store }: Source, evictions: string): Partial<Source> => ({
    store: { ...store, bytes: 99, limit: 100 },
    settings: [["evictions", evictions]],
  });
  assertEquals(
    await told((source) => full(source, "off")),
    [[
      "Store: 99 % of the limit is in use",
      "Raise the limit, delete keys, or add servers.",
    ]],
  );
  assertEquals(
    await told((source) => full(source, "on")),
    [],
  );
});
