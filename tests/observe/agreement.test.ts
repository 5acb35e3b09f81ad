import { assert, assertEquals } from "@std/assert";
import { AdjustableClock } from "../../lib/clock.ts";
import { sourceOf } from "../../lib/commands/stats.ts";
import { budgetRows } from "../../lib/observe/figures/budgets.ts";
import { type CopyFigures, copyRows } from "../../lib/observe/figures/copies.ts";
import { CLASS, items } from "../../lib/observe/figures/items.ts";
import { limitRows, limitsToldElsewhere } from "../../lib/observe/figures/limits.ts";
import { process } from "../../lib/observe/figures/process.ts";
import {
  partName,
  type Row,
  seriesOf,
  type Source,
  type Watch,
} from "../../lib/observe/figures/row.ts";
import { ownRows, ownWords, storeRows } from "../../lib/observe/figures/store.ts";
import { traffic } from "../../lib/observe/figures/traffic.ts";
import { table } from "../../lib/observe/figures/table.ts";
import { expose } from "../../lib/observe/prometheus.ts";
import { configure } from "../../lib/server/configuration.ts";
import { parseOptions } from "../../lib/cli/parse.ts";
import { serverOptions } from "../../lib/server/options.ts";
import { PrefixCounts } from "../../lib/observe/prefixes.ts";
import { liveSettings, settingsOf } from "../../lib/server/settings.ts";
import type { Store } from "../../lib/storage/contract.ts";
import { openDiskStore } from "../../lib/storage/disk/mod.ts";
import { openGcsStore } from "../../lib/storage/gcs/mod.ts";
import { openMemoryStore } from "../../lib/storage/memory/mod.ts";
import { openRedisStore } from "../../lib/storage/redis/mod.ts";
import { Harness } from "../server/harness.ts";
import { receiveUntil, send } from "../server/wire.ts";
import { Emulator } from "../storage/gcs/emulator/mod.ts";
import { RedisServer, redisTest } from "../storage/redis/servers.ts";
import { readExposition } from "./exposition.ts";

/** What clients did before figures are compared: something of everything, and something refused. */
const WORK = "set a 0 0 1\r\nx\r\nset b 0 0 1\r\nx\r\ncas a 0 0 1 1\r\nx\r\nget a b c\r\n" +
  "delete b\r\ntouch a 0\r\nincr none 1\r\nincr a 1\r\nmg a v\r\nnonsense\r\nflush_all 1000\r\nmn\r\n";

/** The rows that no line of `stats` is: words of settings, of the store and of copies as numbers. */
const withoutStats = new Set<Row>(
  [...process, ...storeRows, ...copyRows].filter(({ stat }) => !stat),
);
const processStats = new Set<Row>([...process, ...budgetRows]);
/** What moves by itself, up and down. */
const MOVING = /^(resident_memory_bytes|heap_bytes|event_loop_lag_seconds:\d+)$/;

/** What a server knows that is watched. */
const watch: Watch = {
  loopLag: [0.1, 0.2],
  http: {
    ...{ open: 3, most: 256, pages: 2, mostPages: 128 },
    ...{ stalled: 5, refused: 6, refusedPages: 7, denied: 8 },
  },
};

/** What a server knows of its copies. */
const copies: CopyFigures = {
  ...{
    state: "behind",
    reason: "more is written than is sent",
    lag: 71,
    lastSuccess: 1_790_000_000,
  },
  ...{ errors: 1, sentBytes: 2, sentObjects: 3, heldBytes: 4, removed: 5, kept: 6, moments: 7 },
  epoch: 8,
};

/** The line of `stats` that tells a row, and the group that it is in. */
function lineOf(row: Row, storeName: string): readonly [group: string, name: string] | undefined {
  if (withoutStats.has(row)) return undefined;
  const own = ownRows.find((own) => own === row)?.own;
  if (own !== undefined) {
    return own.startsWith(`${storeName} `)
      ? [storeName, own.slice(storeName.length + 1)]
      : undefined;
  }
  const limit = limitRows.find((limit) => limit === row)?.limit;
  if (limit !== undefined) return ["limits", limit];
  if (row.stat === undefined) throw new Error(`a row that nobody tells: ${row.meaning}`);
  if (processStats.has(row)) return ["process", row.stat];
  if (items.includes(row)) return ["items", `items:${CLASS}:${row.stat}`];
  return [traffic.includes(row) ? "traffic" : "", row.stat];
}

/** Compares what `stats` tells with what Prometheus is told before and after, on one connection. */
async function compare(storeName: string, store: Store, clock: AdjustableClock): Promise<void> {
  const configuration = configure(parseOptions(serverOptions, ["--store", "memory"]).options);
  const live = liveSettings(configuration);
  const settings = settingsOf(configuration, live, new PrefixCounts(":", false));
  await using harness = new Harness(
    {
      clock,
      store: () => store,
      context: { storeName, settings, watch: () => watch, copies: () => copies },
    },
    true,
  );
  using conn = await harness.connect();
  await send(conn, WORK);
  await receiveUntil(conn, "MN\r\n");
  const source = (): Source => sourceOf(harness.context);
  const scrape = () => readExposition(expose(table, source())).values;
  const before = scrape();
  const told = new Map<string, Map<string, string>>();
  for (const group of ["", "traffic", "limits", "items", "process", storeName]) {
    await send(conn, `stats ${group}`.trimEnd() + "\r\n");
    const reply = await receiveUntil(conn, "END\r\n");
    const lines = [...reply.matchAll(/^STAT (\S+) (.*)\r$/gm)];
    told.set(group, new Map(lines.map(([, name, value]) => [name!, value!])));
  }
  const after = scrape();
  const now = source();
  const compared = new Set<string>();
  for (const row of table) {
    const { series } = row;
    const line = lineOf(row, storeName);
    if (series === undefined || line === undefined) continue;
    const [group, name] = line;
    for (const [labels] of seriesOf(row, now)) {
      const { of } = series;
      const stat = row.parts === undefined ? name : partName(name, labels);
      const text = told.get(group)!.get(stat);
      assert(text !== undefined, `stats ${group} does not tell ${stat}`);
      const shown = of === undefined ? Number(text) : of(Number(text), now);
      const pairs = Object.entries(labels).map(([label, of]) => `${label}="${of}"`).join(",");
      const key = pairs === "" ? series.family.name : `${series.family.name}{${pairs}}`;
      const [low, high] = [before.get(key)!, after.get(key)!].sort((a, b) => a - b);
      // Asking is itself a request, and takes time and bytes: what moves is between the two.
      compared.add(key);
      if (MOVING.test(stat)) continue;
      assert(
        low! - 1e-6 <= shown && shown <= high! + 1e-6,
        `${key}: ${low} <= ${shown} <= ${high}`,
      );
    }
  }
  // Whatever a store and the limits tell has a row.
  const known = new Set([...ownRows.map(({ own }) => own), ...ownWords]);
  const errors = /^redis redis_error_/;
  const strays = [...told.get(storeName)!.keys()].map((name) => `${storeName} ${name}`)
    .filter((name) => !known.has(name) && !errors.test(name));
  assertEquals(strays, []);
  const limits = new Set([...limitRows.map(({ limit }) => limit), ...limitsToldElsewhere]);
  assertEquals([...told.get("limits")!.keys()].filter((name) => !limits.has(name)), []);
  assert(compared.size > 80, `only ${compared.size} figures`);
  const refused = 'kvs_refusals_total{cause="unreadable"}';
  assertEquals([after.get(refused), after.get('kvs_refusals_total{cause="not_numeric"}')], [1, 1]);
}

const log = () => {};

Deno.test("stats and Prometheus agree about every figure of a server in memory", async () => {
  const clock = new AdjustableClock();
  await compare("memory", openMemoryStore({ clock, log, limit: 2 ** 24, evict: true }), clock);
});

Deno.test("stats and Prometheus agree about every figure of a server on disk", async () => {
  const clock = new AdjustableClock();
  const directory = await Deno.makeTempDir();
  try {
    const store = await openDiskStore({
      ...{ clock, log, directory, fsync: "no", memoryLimit: 2 ** 20, maxDisk: 0, evict: false },
    });
    await compare("disk", store, clock);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

redisTest("stats and Prometheus agree about every figure of a server on Redis", async () => {
  const clock = new AdjustableClock();
  await using redis = new RedisServer();
  await redis.start();
  const options = { urls: [redis.url], cluster: false, prefix: "", clock, log };
  await compare("redis", await openRedisStore(options), clock);
});

Deno.test("stats and Prometheus agree about every figure of a server on a bucket", async () => {
  const clock = new AdjustableClock();
  await using emulator = await Emulator.start();
  const options = { bucket: "bucket", endpoint: emulator.endpoint, clock, log };
  await compare("gcs", await openGcsStore(options), clock);
});
