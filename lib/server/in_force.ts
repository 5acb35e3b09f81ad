/**
 * What a server takes where an option says nothing, or where another one has said it.
 *
 * @module
 */

import { memoryOfMachine } from "../observe/process.ts";
import type { Configuration, Given } from "./configuration.ts";

/** The values of the options in force, and where each is from. */
export interface InForce {
  readonly values: Readonly<Record<string, unknown>>;
  readonly origins: ReadonlyMap<string, string>;
}

/** The options as they were given, and what came of those that depend on others. */
export function inForce(
  given: Given,
  configuration: Configuration,
  origins: ReadonlyMap<string, string>,
): InForce {
  const { store, dataDir, protocol, threads, unixSocket, authFile, idleTimeout } = configuration;
  const all = new Map(origins);
  const from = (name: keyof Given, other: keyof Given) => {
    if (given[name] !== configuration[name]) all.set(name, origins.get(other)!);
  };
  if (given.memoryFile !== undefined) all.set("dataDir", origins.get("memoryFile")!);
  from("unixSocket", "listen");
  from("idleTimeout", "extended");
  if (given.authFile !== authFile) all.set("authFile", "MEMCACHED_SASL_PWDB");
  const values = {
    ...given,
    ...{ store, protocol, threads, unixSocket, authFile, idleTimeout },
    dataDir: store === "disk" ? dataDir : undefined,
    maxClientMemory: clientMemoryOf(configuration),
  };
  return { values, origins: all };
}

/** Memory that all clients together may make the server hold, in bytes. */
export function clientMemoryOf({ maxClientMemory }: Configuration): number {
  return maxClientMemory ?? Math.floor(memoryOfMachine() / 4);
}
