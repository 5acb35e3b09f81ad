/**
 * How long requests take that become due at random moments, at half of the disk store's highest rate, while
 * compaction follows sets.
 *
 * @module
 */

import type { Progress } from "../../lib/load/progress.ts";
import type { LeftOut } from "../contestants.ts";
import type { Measurement } from "../generator.ts";
import { measure, median } from "../measure.ts";
import type { Server } from "../processes.ts";
import { close, connect, Poll, receive, send } from "../sockets.ts";
import { bytesOf } from "../../lib/bytes.ts";
import type { ServerId } from "./list.ts";
import type { Effort } from "./measure.ts";
import { type Place, startAll } from "./servers.ts";

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
/** How long each server is asked before anything counts, in seconds at most. */
const WARM_UP = 1;

/** Measures the disk store and memcached, in turn, where both can be started. */
export async function measureLatencies(
  place: Place,
  { rounds, seconds }: Effort,
  progress: Progress,
): Promise<{ latencies: LatencyRow[]; leftOut: LeftOut[] }> {
  await using stack = new AsyncDisposableStack();
  const ids = ["everysec", "memcached"] as const;
  const { servers, leftOut } = await startAll(ids, { ...place, maxDisk: "500m" }, stack);
  if (leftOut.length > 0) return { latencies: [], leftOut };
  const rate = await halfOfHighest(servers.get("everysec")!);
  const found = { everysec: [] as Measured[], memcached: [] as Measured[] };
  for (let round = 0; round <= rounds; round++) {
    for (const id of ids) {
      progress.show(() => `latencies, round ${round} of ${rounds}: ${id}`);
      const server = servers.get(id)!;
      const segments = () => id === "everysec" ? segmentsGivenUp(server.port) : 0;
      const before = segments();
      const length = round === 0 ? Math.min(WARM_UP, seconds) : seconds;
      const measured = await measure({ ...taskOf(server), rate, seconds: length });
      if (round > 0) found[id].push({ ...measured, segments: segments() - before });
    }
  }
  return { latencies: [rowOf(rate, found)], leftOut };
}

function taskOf({ port, pid }: Server) {
  return { ...FILLING, port, pid, pipeline: 1 };
}

function rowOf(
  rate: number,
  { everysec, memcached }: { everysec: Measured[]; memcached: Measured[] },
): LatencyRow {
  const latencies = (server: ServerId, measured: readonly Measured[]): Latencies => {
    const of = (which: "p50" | "p99" | "p999") =>
      median(measured.map(({ latency }) => latency![which]));
    return { server, p50: of("p50"), p99: of("p99"), p999: of("p999") };
  };
  const ratios = everysec.map(({ latency }, round) =>
    latency!.p99 / memcached[round]!.latency!.p99
  );
  const subject = latencies("everysec", everysec);
  return {
    ...{ name: "half sets, 1,000 bytes", rate, subject },
    baseline: latencies("memcached", memcached),
    p99Ratio: median(ratios),
    spread: [Math.min(...ratios), Math.max(...ratios)],
    segmentsASecond: median(everysec.map(({ segments, seconds }) => segments / seconds)),
    isReached: median(ratios) <= P99_BOUND && subject.p999 < P999_BOUND,
    othersShare: median([...everysec, ...memcached].map(({ othersShare }) => othersShare)),
  };
}

type Measured = Measurement & { readonly segments: number };

/** Half of the requests a second that a server can do, where each connection waits for the reply. */
async function halfOfHighest(server: Server): Promise<number> {
  const { operations, seconds } = await measure({ ...taskOf(server), seconds: WARM_UP });
  return operations / seconds / 2;
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
