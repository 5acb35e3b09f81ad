import { assertEquals } from "@std/assert";
import { AdjustableClock } from "../../lib/clock.ts";
import { StoreError } from "../../lib/errors.ts";
import type { Awaitable, Batch, Item } from "../../lib/storage/contract.ts";
import { Harness } from "./harness.ts";
import { WrappedStore } from "./wrapped_store.ts";

/** A store whose reads of `slow` wait, while what their batch has done is lost. */
class LosingStore extends WrappedStore {
  override read(key: Uint8Array, batch: Batch): Awaitable<Item | undefined> {
    if (new TextDecoder().decode(key) !== "slow") return super.read(key, batch);
    return new Promise<Item | undefined>((resolve) =>
      setTimeout(() => {
        batch.loss = new StoreError("Cannot write: the disk is gone");
        resolve(undefined);
      }, 5)
    );
  }

  override commit(batch: Batch): void {
    if (batch.loss !== undefined) throw batch.loss;
  }
}

const error = "SERVER_ERROR Cannot write: the disk is gone\r\n";

async function exchange(pieces: readonly string[]): Promise<string> {
  const clock = new AdjustableClock();
  await using harness = new Harness({ clock, store: () => new LosingStore(clock) });
  return await harness.exchange(pieces);
}

Deno.test("a batch whose swaps somebody else's failed commit has undone is answered with errors", async () => {
  assertEquals(
    await exchange(["set a 0 0 1\r\nx\r\nset b 0 0 1 noreply\r\nx\r\nget slow\r\n"]),
    error + error,
  );
});

Deno.test("a batch that begins after a loss is answered as ever", async () => {
  assertEquals(
    await exchange(["get slow\r\n", "set a 0 0 1\r\nx\r\n"]),
    `${error}STORED\r\n`,
  );
});

Deno.test("a loss is the answer to each request that was begun before it, sent or not", async () => {
  const large = "x".repeat(300_000);
  const clock = new AdjustableClock();
  await using harness = new Harness({ clock, store: () => new LosingStore(clock) });
  await harness.exchange([`set large 0 0 ${large.length}\r\n${large}\r\n`]);
  // The large value reaches the size at which replies are sent while the last set has none yet.
  assertEquals(
    await harness.exchange(["get slow\r\nget large\r\nset a 0 0 1\r\nx\r\n"]),
    error.repeat(3),
  );
});
