/** Reads a shelf while another thread changes it, and says what was wrong. */

/// <reference lib="webworker" />

import { systemClock } from "../../../lib/clock.ts";
import { ShelfReader } from "../../../lib/storage/shared/shelf_reader.ts";
import { isWhole, keyOf, type ShelfTask, versionIn } from "./shelf_task.ts";

const thread = globalThis as unknown as DedicatedWorkerGlobalScope;

thread.onmessage = ({ data }: MessageEvent<ShelfTask>) => {
  const { memory, floors, state, keys, reader: number } = data;
  const reader = new ShelfReader(memory, number, systemClock);
  const floor = new Int32Array(floors);
  const control = new Int32Array(state);
  const names = Array.from({ length: keys }, (_, i) => keyOf(i));
  const wrong: string[] = [];
  const seconds = Math.floor(Date.now() / 1000);
  Atomics.add(control, 1, 1);
  Atomics.notify(control, 1);
  let misses = 0;
  for (
    let i = number;
    Atomics.load(control, 0) === 0 && wrong.length < 5;
    i = (i * 7 + 11) % keys
  ) {
    const key = names[i]!;
    const least = Atomics.load(floor, i);
    reader.hash.of(key);
    const item = reader.read(key, seconds, (i & 1) === 0);
    if (item === undefined) {
      misses++;
      continue;
    }
    const version = versionIn(item);
    if (!isWhole(item, i)) wrong.push(`key ${i}: version ${item.version} is torn`);
    else if (version < least) wrong.push(`key ${i}: version ${version} after ${least}`);
  }
  thread.postMessage({ wrong, hits: reader.hits, races: reader.races, misses });
};
