/**
 * Measures the aims: all servers that one shape of requests compares, in turn, round after round.
 *
 * @module
 */

import type { Progress } from "../../lib/load/progress.ts";
import type { LeftOut } from "../contestants.ts";
import type { Measurement } from "../generator.ts";
import { measure, median } from "../measure.ts";
import type { Server } from "../processes.ts";
import { type Aim, AIMS, isReached, type ServerId, type Shape, type Subject } from "./list.ts";
import { type Place, startAll } from "./servers.ts";

/** How long each server is asked before anything counts, in seconds. */
const WARM_UP = 0.3;

/** How long, and how often. */
export interface Effort {
  readonly rounds: number;
  /** Of each measurement. */
  readonly seconds: number;
}

/** What one server did: medians over the rounds. */
export interface Figures extends Subject {
  readonly operationsPerSecond: number;
  /** CPU time of its process an operation, in microseconds. */
  readonly cpuMicroseconds: number;
}

/** An aim, and where it stands. The ratios are medians of those of neighbours in time. */
export interface AimRow extends Shape {
  readonly subject: Figures;
  readonly baseline: Figures;
  /** What the aim is about. */
  readonly figure: Aim["figure"];
  readonly bound: number;
  readonly cpuRatio: number;
  readonly rateRatio: number;
  /** The least and the greatest of the ratios that the aim is about. */
  readonly spread: readonly [least: number, greatest: number];
  readonly isReached: boolean;
  /** The same ratio where bare loops stand for kvs, if there are such. */
  readonly floorRatio?: number;
  /** How much of all cores' time went to processes that were not measured, 0 to 1. */
  readonly othersShare: number;
}

/** Measures all aims of some servers, where these and what they are compared with can be started. */
export async function measureAims(
  place: Place,
  of: readonly string[],
  effort: Effort,
  progress: Progress,
): Promise<{ aims: AimRow[]; leftOut: LeftOut[] }> {
  await using stack = new AsyncDisposableStack();
  // A second memcached takes part where it is named.
  const wanted = AIMS.filter(({ subject, baseline }) =>
    of.includes(subject.server) &&
    (place.memcached.length > 1 || !baseline.server.startsWith("other"))
  );
  const ids = new Set(wanted.flatMap((aim) => subjectsOf(aim).map(({ server }) => server)));
  const { servers, leftOut } = await startAll([...ids], place, stack);
  const possible = wanted.filter((aim) =>
    subjectsOf(aim).every(({ server }) => servers.has(server))
  );
  const aims: AimRow[] = [];
  for (const ofShape of Map.groupBy(possible, ({ shape }) => JSON.stringify(shape)).values()) {
    aims.push(...await measureShape(ofShape, servers, place, effort, progress));
  }
  return { aims, leftOut };
}

/** Measures the aims of one shape of requests. */
async function measureShape(
  aims: readonly Aim[],
  servers: ReadonlyMap<ServerId, Server>,
  { keys, valueSize }: Place,
  { rounds, seconds }: Effort,
  progress: Progress,
): Promise<AimRow[]> {
  const { shape } = aims[0]!;
  const name = ({ server, protocol }: Subject) => `${server} ${protocol}`;
  const subjects = new Map(aims.flatMap(subjectsOf).map((one) => [name(one), one]));
  const found = new Map([...subjects.keys()].map((key) => [key, [] as Measurement[]]));
  // The first round is for the servers' code to get warm, and is not counted.
  for (let round = 0; round <= rounds; round++) {
    for (const [key, { server, protocol }] of subjects) {
      progress.show(() => `${shapeText(shape)}, round ${round} of ${rounds}: ${key}`);
      const { port, pid } = servers.get(server)!;
      const task = { ...shape, protocol, port, pid, keys, valueSize };
      const measured = await measure({ ...task, seconds: round === 0 ? WARM_UP : seconds });
      if (round > 0) found.get(key)!.push(measured);
    }
  }
  const figures = (subject: Subject): Figures => {
    const measured = found.get(name(subject))!;
    return {
      ...subject,
      operationsPerSecond: median(measured.map(rateOf)),
      cpuMicroseconds: median(measured.map(cpuOf)) * 1e6,
    };
  };
  return aims.map((aim) => {
    const { subject, baseline, figure, bound, floor } = aim;
    const base = found.get(name(baseline))!;
    const measured = found.get(name(subject))!;
    const cpu = ratios(measured, base, cpuOf);
    const rate = ratios(measured, base, rateOf);
    const decisive = figure === "cpu" ? cpu : rate;
    return {
      ...shape,
      subject: figures(subject),
      baseline: figures(baseline),
      ...{ figure, bound },
      cpuRatio: median(cpu),
      rateRatio: median(rate),
      spread: [Math.min(...decisive), Math.max(...decisive)],
      isReached: isReached(aim, median(decisive)),
      ...floor && {
        floorRatio: median(
          ratios(
            found.get(name(floor.subject))!,
            found.get(name(floor.baseline))!,
            figure === "cpu" ? cpuOf : rateOf,
          ),
        ),
      },
      othersShare: median([...measured, ...base].map((m) => m.othersShare)),
    };
  });
}

/** All that are measured for an aim. */
function subjectsOf({ subject, baseline, floor }: Aim): Subject[] {
  return [subject, baseline, ...(floor === undefined ? [] : [floor.subject, floor.baseline])];
}

/** Those of neighbours in time. */
function ratios(
  measured: readonly Measurement[],
  base: readonly Measurement[],
  of: (m: Measurement) => number,
): number[] {
  return measured.map((m, round) => of(m) / of(base[round]!));
}

const rateOf = (m: Measurement): number => m.operations / m.seconds;
const cpuOf = (m: Measurement): number => m.serverCpu / m.operations;

/** Requests as a table names them. */
export function shapeText({ operation, connections, pipeline }: Shape): string {
  const conns = `${connections.toLocaleString("en")} connection${connections === 1 ? "" : "s"}`;
  return pipeline === 1 ? `${operation}, ${conns}` : `${operation}, ${conns} × ${pipeline}`;
}
