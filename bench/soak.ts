/**
 * Mixed load on a disk store for as long as you like: is what is read what was stored, does memory stay
 * flat, does the directory stay within its bounds, and how long do others wait while compaction runs?
 *
 *     deno run -A bench/soak.ts [--minutes 2] [--megabytes 2000] [--memory 64] [--dir DIR]
 *
 * Prints a row every ten seconds, and ends with exit code 1 if a value was wrong.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { systemClock } from "../lib/clock.ts";
import { type Fsync, openDiskStore } from "../lib/storage/disk/mod.ts";

const args = parseArgs(Deno.args, {
  string: ["dir", "fsync"],
  default: { minutes: 2, megabytes: 2000, memory: 64, fsync: "everysec" },
});
const minutes = Number(args.minutes);
const CONNECTIONS = 20;
const VALUE = 1000;
const KEYS = Math.floor(Number(args.megabytes) * 1e6 / VALUE);
const directory = args.dir ?? await Deno.makeTempDir({ prefix: "kvs-soak-" });

const store = await openDiskStore({
  directory,
  fsync: args.fsync as Fsync,
  clock: systemClock,
  memoryLimit: Number(args.memory) << 20,
  log: (line) => console.log(`  (${line})`),
});

/** The last version that was stored under each key; 0 for none. */
const versions = new Uint32Array(KEYS);
const encoder = new TextEncoder();
const value = new Uint8Array(2 * VALUE);
const words = new DataView(value.buffer);
let operations = 0;
let wrong = 0;
/** Milliseconds that batches took while compaction ran, and while it did not. */
let waits: { busy: number[]; idle: number[] } = { busy: [], idle: [] };

function own(name: string): number {
  return Number(new Map(store.info().own).get(name));
}

const busy = { at: 0, is: false };
function compacting(now: number): boolean {
  if (now - busy.at > 5) Object.assign(busy, { at: now, is: own("compacting") === 1 });
  return busy.is;
}

function sizeOf(index: number, version: number): number {
  return 16 + (index * 31 + version * 17) % (2 * VALUE - 32);
}

async function set(index: number): Promise<void> {
  const version = versions[index] = (versions[index] + 1) >>> 0;
  words.setUint32(0, index);
  words.setUint32(4, version);
  const size = sizeOf(index, version);
  await store.swap(encoder.encode(`key:${index}`), "any", {
    value: value.subarray(0, size),
    flags: version,
    exptime: 0,
    cas: 0n,
    stale: false,
    won: false,
    fetched: false,
    accessed: 0,
  });
}

async function get(index: number): Promise<void> {
  const version = versions[index];
  const read = store.read(encoder.encode(`key:${index}`));
  // What a read gives at once is valid until somebody waits.
  const item = read instanceof Promise ? await read : read;
  // Another connection may have stored a newer one while this one waited.
  if (versions[index] !== version) return;
  if (item === undefined) {
    if (version !== 0) wrong++;
    return;
  }
  const view = new DataView(item.value.buffer, item.value.byteOffset, item.value.byteLength);
  const right = view.getUint32(0) === index && view.getUint32(4) === version &&
    item.value.length === sizeOf(index, version) && item.flags === version;
  if (!right) wrong++;
}

let next = 0;
let stop = false;

async function connection(seed: number): Promise<void> {
  let state = seed;
  // A linear congruential generator: each connection has its own, repeatable keys.
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  while (!stop) {
    const began = performance.now();
    // Until all keys are there each batch adds some, and mixes in others afterwards.
    if (next < KEYS) {
      for (let n = 0; n < 10 && next < KEYS; n++) await set(next++);
    } else {
      for (let n = 0; n < 10; n++) {
        const index = Math.floor(random() ** 2 * KEYS);
        await (random() < 0.3 ? set(index) : get(index));
      }
    }
    await store.commit();
    const now = performance.now();
    (compacting(now) ? waits.busy : waits.idle).push(now - began);
    operations += 10;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function percentile(all: number[], share: number): string {
  if (all.length === 0) return "-";
  all.sort((a, b) => a - b);
  return all[Math.min(all.length - 1, Math.floor(all.length * share))].toFixed(2);
}

function row(cells: readonly string[]): void {
  console.log(cells.map((cell) => cell.padStart(10)).join(""));
}

row([
  "seconds",
  "ops/s",
  "items",
  "rss MB",
  "log/live",
  "segments",
  "compacted",
  "p50 ms",
  "p99 ms",
  "p99 comp.",
  "max ms",
  "wrong",
]);
const began = Date.now();
const loops = Array.from({ length: CONNECTIONS }, (_, i) => connection(i + 1));
let last = Date.now();
while (Date.now() - began < minutes * 60_000) {
  await new Promise((resolve) => setTimeout(resolve, Math.min(10_000, minutes * 60_000)));
  const pages = Number(Deno.readTextFileSync("/proc/self/statm").split(" ")[1]);
  const now = Date.now();
  const all = [percentile(waits.idle, 0.5), percentile(waits.idle, 0.99)];
  const compacted = percentile(waits.busy, 0.99);
  row([
    ((now - began) / 1000).toFixed(0),
    (operations / (now - last) * 1000).toFixed(0),
    String(store.info().items),
    (pages * 4096 / 1e6).toFixed(0),
    (own("log_bytes") / own("live_bytes")).toFixed(2),
    String(own("segments")),
    String(own("compactions")),
    ...all,
    compacted,
    Math.max(waits.busy.at(-1) ?? 0, waits.idle.at(-1) ?? 0).toFixed(1),
    String(wrong),
  ]);
  waits = { busy: [], idle: [] };
  operations = 0;
  last = now;
}
stop = true;
await Promise.all(loops);
await store.close();
if (args.dir === undefined) await Deno.remove(directory, { recursive: true });
console.log(wrong === 0 ? "every value read was the one stored last" : `${wrong} wrong values`);
Deno.exit(wrong === 0 ? 0 : 1);
