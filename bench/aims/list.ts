/**
 * What kvs is to reach on one machine, each as a ratio of two measurements of the same run.
 *
 * @module
 */

import type { Protocol } from "../frames.ts";
import type { Task } from "../generator.ts";

/** Who is measured. */
export type ServerId =
  /** Bare loops of `bench/floor.ts`: which keep nothing, with two threads, and with a file. */
  | "floor"
  | "floor -t 2"
  | "floor everysec"
  | "floor always"
  | "memcached"
  | "memcached -t 2"
  /** A second memcached, of another version. */
  | "other memcached"
  | "other memcached -t 2"
  | "memory"
  | "memory -t 2"
  | "everysec"
  | "everysec -t 2"
  | "always"
  /** kvs on the Redis that `redis` is. */
  | "kvs redis"
  /** Redis itself, its log synced every second. */
  | "redis"
  | "redis always";

/** The same requests for all that are compared by them. */
export interface Shape {
  readonly operation: Task["operation"];
  readonly connections: number;
  /** Requests in one write, answered before the next. */
  readonly pipeline: number;
}

/** A server that is spoken to in one protocol. */
export interface Subject {
  readonly server: ServerId;
  readonly protocol: Protocol;
}

/** What is compared: CPU time of the server's process an operation, or operations a second. */
export type Figure = "cpu" | "rate";

/** One aim: a figure of one server divided by that of another. */
export interface Aim {
  readonly shape: Shape;
  readonly subject: Subject;
  readonly baseline: Subject;
  readonly figure: Figure;
  /** The most that the ratio may be where it is CPU time, the least where it is a rate. */
  readonly bound: number;
  /** Bare loops whose ratio says what is left of the aim to whoever does the rest. */
  readonly floor?: { readonly subject: Subject; readonly baseline: Subject };
}

const text = (server: ServerId): Subject => ({ server, protocol: "text" });
const resp = (server: ServerId): Subject => ({ server, protocol: "redis" });

/** Nothing but the noise of a measurement. */
const AS_FAST = 1.05;

/** All of them. */
export const AIMS: readonly Aim[] = [
  ...[50, 1000].flatMap((connections) =>
    (["memory", "everysec"] as const).map((store): Aim => ({
      shape: { operation: "mixed", connections, pipeline: 1 },
      subject: text(store),
      baseline: text("floor"),
      figure: "cpu",
      bound: 1.1,
    }))
  ),
  ...([["set", 1.3], ["mixed", 4]] as const).flatMap(([operation, bound]) =>
    (["memcached", "other memcached"] as const).flatMap((memcached) =>
      (["memory", "everysec"] as const).map((store): Aim => ({
        shape: { operation, connections: 50, pipeline: 16 },
        subject: text(store),
        baseline: text(memcached),
        figure: "rate",
        bound,
        floor: {
          subject: text(store === "memory" ? "floor" : "floor everysec"),
          baseline: text(memcached),
        },
      }))
    )
  ),
  ...(["set", "get"] as const).flatMap((operation) =>
    (["meta", "binary"] as const).map((protocol): Aim => ({
      shape: { operation, connections: 50, pipeline: 16 },
      subject: { server: "memory", protocol },
      baseline: text("memory"),
      figure: "cpu",
      bound: AS_FAST,
    }))
  ),
  ...([[50, 1.3], [1, 1]] as const).map(([connections, bound]): Aim => ({
    shape: { operation: "set", connections, pipeline: 1 },
    subject: text("always"),
    baseline: resp("redis always"),
    figure: "rate",
    bound,
    floor: { subject: text("floor always"), baseline: resp("redis always") },
  })),
  ...([[1, 1.25], [16, 1.1]] as const).flatMap(([pipeline, bound]) =>
    (["memory", "everysec"] as const).map((store): Aim => ({
      shape: { operation: "mixed", connections: 50, pipeline },
      subject: text(`${store} -t 2`),
      baseline: text(store),
      figure: "cpu",
      bound,
      floor: { subject: text("floor -t 2"), baseline: text("floor") },
    }))
  ),
  ...([[1, 0.85], [16, 1.5]] as const).flatMap(([pipeline, bound]) =>
    (["memcached -t 2", "other memcached -t 2"] as const).flatMap((memcached) =>
      (["memory", "everysec"] as const).map((store): Aim => ({
        shape: { operation: "mixed", connections: 50, pipeline },
        subject: text(`${store} -t 2`),
        baseline: text(memcached),
        figure: "rate",
        bound,
        floor: { subject: text("floor -t 2"), baseline: text(memcached) },
      }))
    )
  ),
  ...(["set", "get"] as const).map((operation): Aim => ({
    shape: { operation, connections: 50, pipeline: 16 },
    subject: text("kvs redis"),
    baseline: resp("redis"),
    figure: "rate",
    bound: 0.6,
  })),
];

/** Whether a ratio is what the aim asks for. */
export function isReached({ figure, bound }: Aim, ratio: number): boolean {
  return figure === "cpu" ? ratio <= bound : ratio >= bound;
}
