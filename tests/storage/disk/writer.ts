/** Writes to a store until it is killed, and prints each key and number that was acknowledged. */

import { bytesOf } from "../../../lib/bytes.ts";
import { systemClock } from "../../../lib/clock.ts";
import { openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { itemOf } from "../contract.ts";
import { callerOf } from "../caller.ts";

const [directory, round] = Deno.args;
const store = await callerOf(openDiskStore({
  directory,
  clock: systemClock,
  fsync: Number(round) === 1 ? "always" : "everysec",
  memoryLimit: 1 << 16,
  segmentBytes: 1 << 14,
  log: () => {},
}));
const first = Number(round) * 1_000_000;
for (let n = first;; n += 10) {
  for (let i = n; i < n + 10; i++) {
    await store.swap(bytesOf(`k${i % 150}`), "any", itemOf(`${i} ${"x".repeat(i % 300)}`));
  }
  await store.commit();
  let text = "";
  for (let i = n; i < n + 10; i++) text += `k${i % 150} ${i}\n`;
  Deno.stdout.writeSync(bytesOf(text));
}
