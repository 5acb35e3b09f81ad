import { assert, assertEquals } from "@std/assert";
import { parseSizes } from "../../lib/load/distribution.ts";
import { Lines } from "../../lib/load/lines.ts";
import { runLoad } from "../../lib/load/load.ts";
import { Records } from "../../lib/load/records.ts";
import { exitCodeOf, type Report, reportOf } from "../../lib/load/report.ts";
import type { Plan } from "../../lib/load/runner.ts";
import { type Behaviour, startFakeServer } from "./fake_server.ts";

/** Five clients that do 200 requests each on ten keys, verified. */
async function reportOn(behaviour: Behaviour, change: Partial<Plan> = {}): Promise<Report> {
  using server = startFakeServer(behaviour);
  const records = new Records(1, parseSizes("16")!, parseSizes("0")!);
  return reportOf(
    await runLoad({
      threads: 1,
      servers: [server.address],
      timeout: 10_000,
      clients: 5,
      pipeline: 3,
      requests: 200,
      duration: Infinity,
      getRatio: 0.5,
      keys: Lines.make(10, (out, index) => records.writeKey(out, index)).shared,
      keyDistribution: "uniform",
      valueSizes: "10-200",
      run: "test",
      seed: 1,
      ...change,
    }),
  );
}

function fileOf(...values: string[]) {
  return Lines.make(values.length, (out, index) => out.ascii(values[index]!)).shared;
}

Deno.test("a server that tells the truth passes", async () => {
  const report = await reportOn({});
  assertEquals([report.wrong, report.errors, exitCodeOf(report)], [{}, {}, 0]);
  assertEquals(report.requests, 1000);
});

const lies: Record<string, Behaviour> = {
  stale: {
    set: (items, key, value) => void items.getOrInsert(key, value),
  },
  lost: {
    get: () => undefined,
  },
  damaged: {
    get(items, key) {
      const value = items.get(key)?.slice();
      if (value !== undefined) value[value.length - 1]! ^= 1;
      return value;
    },
  },
  "not written": {
    get: () => new Uint8Array(100),
  },
  "not stored": {
    stored: "NOT_STORED",
  },
  refused: {
    stored: "CLIENT_ERROR bad data chunk",
  },
};
for (const [kind, behaviour] of Object.entries(lies)) {
  Deno.test(`a server whose answers are ${kind} is caught, and the exit code is 1`, async () => {
    const report = await reportOn(behaviour);
    assertEquals(Object.keys(report.wrong), [kind]);
    assert(report.wrong[kind]!.count > 0 && report.wrong[kind]!.example !== "");
    assertEquals(exitCodeOf(report), 1);
  });
}

Deno.test("a server that mixes keys up is caught", async () => {
  const report = await reportOn({ get: (items) => items.values().next().value });
  assert(report.wrong.damaged!.example.includes("it was written for key"));
});

Deno.test("what lay under a key before the run is no wrong answer", async () => {
  const before = new Uint8Array(30).fill(120);
  const report = await reportOn({ get: (items, key) => items.get(key) ?? before });
  assertEquals(report.wrong, {});
});

Deno.test("values of a file are verified line by line", async () => {
  const values = fileOf(..."abcdefghij");
  assertEquals((await reportOn({}, { values })).wrong, {});
  const report = await reportOn({ get: (items) => items.values().next().value }, { values });
  assertEquals(Object.keys(report.wrong), ["not written"]);
});

Deno.test("a server's errors are counted by kind, and the exit code is 70", async () => {
  const report = await reportOn({ stored: "SERVER_ERROR out of memory storing object" });
  assertEquals(Object.keys(report.errors), ["SERVER_ERROR out of memory storing object"]);
  assertEquals([report.wrong, exitCodeOf(report)], [{}, 70]);
});

Deno.test("by the clock, a request that waits in line has been waiting since it was due", async () => {
  // Twenty requests are due within 190 ms; the server lets the first wait for 300 ms.
  const report = await reportOn({ stall: 300 }, {
    clients: 1,
    pipeline: 1,
    requests: 20,
    getRatio: 1,
    rate: 100,
  });
  const { requests, latencyMs } = report.commands.get!;
  assertEquals(requests, 20);
  assert(latencyMs.p50 >= 150, `half of them took ${latencyMs.p50} ms`);
});
