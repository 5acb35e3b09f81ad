/**
 * How many threads serve connections where `-t` says nothing.
 *
 * A default must not make anything fail that would not fail with one thread. So it is more only where threads pay,
 * where nothing else that was asked for speaks against them, and where the machine has what they take.
 *
 * @module
 */

import { freeDescriptors } from "../../net/free_descriptors.ts";
import { memoryOfMachine } from "../../observe/process.ts";
import type { Configuration } from "../configuration.ts";

/** What a worker runs. In an executable it lies there. */
export const WORKER = new URL("./worker.ts", import.meta.url);

/** memcached's own number. */
const MOST = 4;
const MIB = 2 ** 20;
/** What a process takes beside values and clients, and each thread more, in bytes (docs/operations.md, "Memory"). */
const PROCESS = 150 * MIB;
const THREAD = 40 * MIB;
/** What the memory store's threads read from is this part of `-m` more; that of the disk store is within it. */
const SHELF = 1 / 4;
/** A thread's share of the memory for clients has room for so many of the greatest items. */
const ITEMS = 4;
/** Descriptors without which threads, which take six each, might leave too few. */
const DESCRIPTORS = 256;

/** What a machine has for this process. */
export interface Machine {
  /** Cores that the process may use. */
  readonly cores: number;
  /** Bytes of memory. */
  readonly memory: number;
  /** Whether the process can start threads, and let them share a port. */
  readonly startsThreads: boolean;
}

/** This machine, as this process may use it. */
export function thisMachine(): Machine {
  return {
    // Deno counts what the mask of affinity and the quotas of cgroups v1 and v2 allow, rounded down.
    cores: navigator.hardwareConcurrency,
    memory: memoryOfMachine(),
    startsThreads: mayReadWorker() && mayShareAPort() &&
      freeDescriptors(DESCRIPTORS) === DESCRIPTORS,
  };
}

type Wanted = Pick<
  Configuration,
  "store" | "endpoints" | "unixSocket" | "memoryLimit" | "maxItemSize" | "maxClientMemory"
>;

/** The number, at least 1. */
export function defaultThreads(wanted: Wanted, machine: () => Machine = thisMachine): number {
  const { store, endpoints, unixSocket, memoryLimit, maxItemSize, maxClientMemory } = wanted;
  // Elsewhere each thread has a store of its own: connections, logins and cache so many times, and fewer requests
  // in one exchange. What limits such a server is rarely its processor.
  if (store !== "disk" && store !== "memory") return 1;
  // All connections of a Unix socket, or of a TLS listener, are served by one thread.
  if (unixSocket !== undefined || endpoints.some(({ tls }) => tls !== "off")) return 1;
  const { cores, memory, startsThreads } = machine();
  // One more thread has the store.
  const byCores = Math.min(MOST, cores - 1);
  if (byCores <= 1 || !startsThreads) return 1;
  const clients = maxClientMemory ?? Math.floor(memory / 4);
  const values = memoryLimit * (store === "memory" ? 1 + SHELF : 1);
  const byMemory = Math.floor((memory - PROCESS - values - clients) / THREAD);
  const byItems = Math.floor(clients / maxItemSize / ITEMS);
  return Math.max(1, Math.min(byCores, byMemory, byItems));
}

/** Whether this process may load what a worker runs. */
function mayReadWorker(): boolean {
  return Deno.permissions.querySync({ name: "read", path: WORKER }).state === "granted";
}

/** Whether `reusePort` can be asked for: Deno has it, as listening for datagrams, with `--unstable-net` alone. */
function mayShareAPort(): boolean {
  return "listenDatagram" in Deno;
}
