/**
 * How long requests take that become due at random moments, whatever the server is busy with: while the
 * disk store's compaction follows sets, and beside clients that set large values. Rates are far below
 * what the servers can do, and the same for all.
 *
 * @module
 */

import type { Progress } from "../../lib/load/progress.ts";
import type { LeftOut } from "../contestants.ts";
import type { Measurement, Task } from "../generator.ts";
import { generating, measure, median } from "../measure.ts";
import type { Server } from "../processes.ts";
import { close, connect, Poll, receive, send } from "../sockets.ts";
import { bytesOf } from "../../lib/bytes.ts";
import type { ServerId } from "./list.ts";
import { type Place, startAll } from "./servers.ts";

/** How long and how often. */
export interface LatencyEffort {
  readonly rounds: number;
  /** Of each measurement. */
  readonly seconds: number;
}

/** What requests took on one server: milliseconds, medians over the rounds. */
export interface Latencies {
  readonly server: ServerId;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** One server's latencies beside memcached's in the same rounds. */
export interface LatencyRow {
  readonly name: string;
  /** Requests a second that became due. */
  readonly rate: number;
  readonly subject: Latencies;
  readonly baseline: Latencies;
  /** The median of the ratios of neighbours in time, and the least and the greatest. */
  readonly p99Ratio: number;
  readonly spread: readonly [least: number, greatest: number];
  /** Segments that compaction gave up meanwhile, a second. */
  readonly segmentsASecond: number;
  readonly isReached: boolean;
  /** How much of all cores' time went to processes that were not measured, 0 to 1. */
  readonly othersShare: number;
}

/** What the ratio of the 99th percentiles may be, and the disk store's 99.9th, in milliseconds. */
export const P99_BOUND = 1.5;
export const P999_BOUND = 20;

/** Sets and gets of values that fill segments fast, over so many keys. */
const FILLING = { operation: "half", valueSize: 1000, keys: 100_000, connections: 50 } as const;
/** Gets of small values, beside sets of large ones on so many connections. */
const SMALL = { operation: "get", valueSize: 100, keys: 10_000, connections: 20 } as const;
const SMALL_RATE = 5000;
const LARGE = {
  ...{ operation: "set", valueSize: 1_000_000, connections: 2 } as const,
  ...{ keys: 100, firstKey: 1_000_000 },
};
/** How long each server is asked before anything counts, in seconds at most. */
const WARM_UP = 1;

type Shape = Pick<Task, "operation" | "valueSize" | "keys" | "firstKey" | "connections">;

/** Measures each of them, where the servers can be started. */
export async function measureLatencies(
  place: Place,
  effort: LatencyEffort,
  progress: Progress,
): Promise<{ latencies: LatencyRow[]; leftOut: LeftOut[] }> {
  await using stack = new AsyncDisposableStack();
  const wanted = ["everysec", "memory", "memcached"] as const;
  const { servers, leftOut } = await startAll(wanted, { ...place, maxDisk: "500m" }, stack);
  if (!servers.has("memcached")) return { latencies: [], leftOut };
  const has = (ids: readonly ServerId[]) =>
    new Map([...servers].filter(([id]) => ids.includes(id)));
  const disk = has(["everysec", "memcached"]);
  const show = (text: string) => progress.show(() => text);
  const rate = disk.has("everysec") ? await halfOfHighest(disk.get("everysec")!) : 0;
  const latencies = [
    ...await measureShape(
      "half sets, 1,000 bytes",
      FILLING,
      rate,
      disk,
      effort,
      show,
    ),
    ...await measureShape("gets of 100 bytes", SMALL, SMALL_RATE, servers, effort, show),
    ...await measureShape("… beside sets of 1 MB", SMALL, SMALL_RATE, servers, effort, show, LARGE),
  ];
  return { latencies, leftOut };
}

function taskOf(shape: Shape, { port, pid }: Server) {
  return { ...shape, port, pid, pipeline: 1 };
}

async function measureShape(
  name: string,
  shape: Shape,
  rate: number,
  servers: ReadonlyMap<ServerId, Server>,
  { rounds, seconds }: LatencyEffort,
  show: (text: string) => void,
  beside?: Shape,
): Promise<LatencyRow[]> {
  const found = new Map([...servers.keys()].map((id) => [id, [] as Measured[]]));
  for (let round = 0; round <= rounds; round++) {
    for (const [id, server] of servers) {
      show(`${name}, round ${round} of ${rounds}: ${id}`);
      const task = {
        ...taskOf(shape, server),
        rate,
        seconds: round === 0 ? Math.min(WARM_UP, seconds) : seconds,
      };
      const measured = await measureOne(task, server, id === "everysec", beside);
      if (round > 0) found.get(id)!.push(measured);
    }
  }
  const base = found.get("memcached")!;
  const latencies = (server: ServerId): Latencies => {
    const of = (which: "p50" | "p99" | "p999") =>
      median(found.get(server)!.map(({ latency }) => latency![which]));
    return { server, p50: of("p50"), p99: of("p99"), p999: of("p999") };
  };
  return [...servers.keys()].filter((id) => id !== "memcached").map((id): LatencyRow => {
    const measured = found.get(id)!;
    const ratios = measured.map(({ latency }, round) => latency!.p99 / base[round]!.latency!.p99);
    const subject = latencies(id);
    return {
      ...{ name, rate, subject, baseline: latencies("memcached") },
      p99Ratio: median(ratios),
      spread: [Math.min(...ratios), Math.max(...ratios)],
      segmentsASecond: median(measured.map(({ segments, seconds }) => segments / seconds)),
      isReached: median(ratios) <= P99_BOUND && subject.p999 < P999_BOUND,
      othersShare: median([...measured, ...base].map(({ othersShare }) => othersShare)),
    };
  });
}

/** Half of the requests a second that a server can do, where each connection waits for the reply. */
async function halfOfHighest(server: Server): Promise<number> {
  const { operations, seconds } = await measure({ ...taskOf(FILLING, server), seconds: WARM_UP });
  return operations / seconds / 2;
}

type Measured = Measurement & { readonly segments: number };

async function measureOne(
  task: Omit<Task, "warmUpSeconds">,
  server: Server,
  hasSegments: boolean,
  beside: Shape | undefined,
): Promise<Measured> {
  const segments = () => hasSegments ? segmentsGivenUp(server.port) : 0;
  const before = segments();
  await using _large = beside === undefined ? undefined : generating(taskOf(beside, server));
  const measured = await measure(task);
  return { ...measured, segments: segments() - before };
}

/** What `stats disk` says that compaction has given up. */
function segmentsGivenUp(port: number): number {
  const socket = connect(port);
  const poll = new Poll([socket]);
  const input = new Uint8Array(1 << 16);
  let text = "";
  send(socket, bytesOf("stats disk\r\n"));
  while (!text.endsWith("END\r\n")) {
    poll.wait(-1);
    text += new TextDecoder().decode(input.subarray(0, receive(socket, input)));
  }
  close(socket);
  return Number(text.match(/^STAT compactions (\d+)/m)![1]);
}
