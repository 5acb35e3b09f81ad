import { assertEquals } from "@std/assert";
import { AdjustableClock } from "../../lib/clock.ts";
import { StoreError } from "../../lib/errors.ts";
import { openMemoryStore } from "../../lib/storage/memory.ts";
import type { Item, NewItem, Store } from "../../lib/storage/store.ts";
import { Harness } from "./harness.ts";

/** A store in memory whose reads of `slow` wait, and that tells of a loss meanwhile. */
function losingStore(clock: AdjustableClock): Store {
  const memory = openMemoryStore({ clock, log: () => {}, limit: 0, evict: true });
  let lastLoss: StoreError | undefined;
  return {
    get lastLoss() {
      return lastLoss;
    },
    read(key) {
      if (new TextDecoder().decode(key) !== "slow") return memory.read(key);
      return new Promise<Item | undefined>((resolve) =>
        setTimeout(() => {
          lastLoss = new StoreError("Cannot write: the disk is gone");
          resolve(undefined);
        }, 5)
      );
    },
    swap: (key, expected, next: NewItem | null) => memory.swap(key, expected, next),
    commit: () => {},
    flush: (at) => memory.flush(at),
    scan: () => memory.scan(),
    info: () => memory.info(),
    close: () => memory.close(),
  };
}

Deno.test("a batch whose swaps somebody else's failed commit has undone is answered with errors", async () => {
  const clock = new AdjustableClock();
  await using harness = new Harness({ clock, store: () => losingStore(clock) });
  const error = "SERVER_ERROR Cannot write: the disk is gone\r\n";
  assertEquals(
    await harness.exchange(["set a 0 0 1\r\nx\r\nset b 0 0 1 noreply\r\nx\r\nget slow\r\n"]),
    error + error,
  );
});

Deno.test("a batch that begins after a loss is answered as ever", async () => {
  const clock = new AdjustableClock();
  await using harness = new Harness({ clock, store: () => losingStore(clock) });
  await harness.exchange(["get slow\r\n"]);
  assertEquals(await harness.exchange(["set a 0 0 1\r\nx\r\n"]), "STORED\r\n");
});
