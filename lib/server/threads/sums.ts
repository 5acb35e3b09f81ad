/**
 * What all workers have counted, as one.
 *
 * @module
 */

import type { Context } from "../../commands/context.ts";
import type { Across, ConnectionCount } from "../../observe/figures/row.ts";
import { ownRows, redisErrors } from "../../observe/figures/store.ts";
import { Counts } from "../../observe/prefixes.ts";
import type { Figure } from "../../protocol/outcome.ts";
import type { StoreInfo } from "../../storage/contract.ts";
import type { Snapshot } from "./calls.ts";

/** Bounds that each thread has whole: of others each has its share, or its own count. */
const SAME = new Set([
  "max_connections",
  "max_connections_per_ip",
  "connect_rate",
  "max_strangers",
  "max_listings",
  "listings",
  "max_watchers",
]);

/** Sums that are kept in the objects of the main thread, beside what that counts itself. */
export class Sums {
  /** What each worker told last. */
  readonly #last = new Map<number, Snapshot>();

  /** What the workers told last, in their order. */
  get snapshots(): Snapshot[] {
    return [...this.#last].sort(([a], [b]) => a - b).map(([, snapshot]) => snapshot);
  }

  /** Adds what a worker has counted since it was asked last. */
  add(worker: number, now: Snapshot, { counters, watchers }: Context): void {
    const before = this.#last.get(worker);
    const sums = counters as unknown as Record<string, number>;
    for (const [name, count] of Object.entries(now.counters)) {
      sums[name] += count - (before?.counters[name] ?? 0);
    }
    for (const name of ["written", "sent", "skipped"] as const) {
      watchers[name] += now.watchers[name] - (before?.watchers[name] ?? 0);
    }
    this.#last.set(worker, now);
    watchers.countElsewhere = this.snapshots.reduce((sum, { watchers }) => sum + watchers.count, 0);
  }

  /** The workers have begun to count anew. */
  reset(): void {
    for (const [worker, snapshot] of this.#last) {
      this.#last.set(worker, { ...snapshot, counters: {}, prefixes: [] });
    }
  }

  /** Connections by listener and protocol. */
  connectionsBy(): ConnectionCount[] {
    const sums = new Map<string, ConnectionCount>();
    for (const one of this.snapshots.flatMap(({ connectionsBy }) => connectionsBy)) {
      const name = `${one.listener} ${one.protocol}`;
      sums.set(name, { ...one, count: one.count + (sums.get(name)?.count ?? 0) });
    }
    return [...sums.values()];
  }

  /** Counts by prefix. */
  prefixes({ prefixes }: Context): void {
    prefixes.clear();
    for (const snapshot of this.snapshots) {
      for (const [prefix, counts] of snapshot.prefixes) {
        prefixes.add(prefix, Object.assign(new Counts(), counts));
      }
    }
  }

  /** The lines of `stats threads`. */
  threads(): Figure[] {
    return [...this.#last].sort(([a], [b]) => a - b).flatMap(([worker, snapshot]): Figure[] => [
      [`${worker}:connections`, snapshot.connectionsBy.reduce((sum, { count }) => sum + count, 0)],
      ...["cmd_get", "cmd_set", "total_connections"].map((name): Figure => [
        `${worker}:${name}`,
        snapshot.counters[name] ?? 0,
      ]),
    ]);
  }

  /** The lines of `stats limits`. */
  limits(): Figure[] {
    const [first, ...others] = this.snapshots;
    if (first === undefined) return [];
    return first.limits.map(([name, value]): Figure => {
      if (SAME.has(name)) return [name, value];
      const values = others.map(({ limits }) => limits.find((one) => one[0] === name)?.[1] ?? 0);
      return [name, values.reduce((sum: number, value) => sum + Number(value), Number(value))];
    });
  }

  /** What the stores of all threads tell; `main` is that of the main thread. */
  store(name: string, main: StoreInfo): StoreInfo {
    const infos = this.snapshots.flatMap(({ store }) => store ?? []);
    const sum = (of: (info: StoreInfo) => number) =>
      infos.reduce((sum, info) => sum + of(info), of(main));
    // What is not well with one of them is not well.
    const ill = [main, ...infos].find((info) => (figure(info, "state") ?? "ok") !== "ok") ?? main;
    return {
      ...main,
      // Redis tells each of them the same.
      ...name !== "redis" && {
        evictions: sum(({ evictions }) => evictions),
        reclaimed: sum(({ reclaimed }) => reclaimed),
      },
      flushedReads: sum(({ flushedReads }) => flushedReads),
      own: namesIn([main, ...infos], ill).map((stat) => {
        if (STATE.includes(stat)) return [stat, figure(ill, stat)!];
        const adds = acrossOf(name, stat) === "sum";
        return [stat, adds ? sum((info) => Number(figure(info, stat) ?? 0)) : figure(main, stat)!];
      }),
    };
  }
}

/** What a store tells of its state. */
const STATE: readonly string[] = ["state", "state_reason"];

function figure({ own }: StoreInfo, stat: string): string | number | undefined {
  return own.find(([other]) => other === stat)?.[1];
}

/** How the figures that the stores of all threads tell under a name become one. */
function acrossOf(store: string, stat: string): Across {
  if (stat.startsWith(redisErrors)) return "sum";
  return ownRows.find((row) => row.own === `${store} ${stat}`)?.across ?? "same";
}

/**
 * The names of figures that a store tells: those of the main thread, the errors that others have met, and the state
 * of one.
 */
function namesIn([main, ...others]: readonly StoreInfo[], ill: StoreInfo): string[] {
  const names = (info: StoreInfo) => info.own.map(([stat]) => stat);
  const errors = others.flatMap(names).filter((stat) => stat.startsWith(redisErrors));
  const state = names(ill).filter((stat) => STATE.includes(stat));
  return [...new Set([...names(main!), ...errors, ...state])];
}
