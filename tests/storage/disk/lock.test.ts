/** One server a directory, whatever is done to its files meanwhile. */

import { assertEquals, assertRejects } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { systemClock } from "../../../lib/clock.ts";
import { ExitError, StoreError } from "../../../lib/errors.ts";
import { openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { isDirectoryLocked } from "../../../lib/storage/disk/fs/lock.ts";
import { callerOf } from "../caller.ts";
import { itemOf } from "../contract.ts";

async function withDirectory(body: (directory: string, said: string[]) => Promise<void>) {
  const parent = await Deno.makeTempDir();
  try {
    await body(`${parent}/data`, []);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

function open(directory: string, said: string[] = []) {
  const log = (line: string) => void said.push(line);
  return callerOf(
    openDiskStore({ directory, clock: systemClock, log, fsync: "everysec", memoryLimit: 1 << 20 }),
  );
}

Deno.test("a directory whose kvs.lock was removed still belongs to its server", async () => {
  await withDirectory(async (directory) => {
    const store = await open(directory);
    await Deno.remove(`${directory}/kvs.lock`);
    assertEquals(isDirectoryLocked(directory), true);
    await assertRejects(() => open(directory), ExitError, "it is locked by another process");
    await store.swap(bytesOf("k"), "any", itemOf("v"));
    await store.commit();
    await store.close();
    assertEquals(isDirectoryLocked(directory), false);
    await (await open(directory)).close();
  });
});

Deno.test("a directory that has a server names it to others", async () => {
  await withDirectory(async (directory) => {
    const store = await open(directory);
    await assertRejects(() => open(directory), ExitError, `it is locked by process ${Deno.pid}`);
    await store.close();
  });
});

for (const [what, away] of [["removed", false], ["moved away", true]] as const) {
  Deno.test(`a directory that is ${what} takes no more writes, and says why`, async () => {
    await withDirectory(async (directory, said) => {
      const store = await open(directory, said);
      await store.swap(bytesOf("k"), "any", itemOf("v"));
      await store.commit();
      if (away) {
        await Deno.rename(directory, `${directory}.old`);
        await Deno.mkdir(directory);
      } else await Deno.remove(directory, { recursive: true });
      const reason = away ? `'${directory}' was replaced` : `'${directory}' was removed`;
      const writing = async () => {
        for (;;) {
          await store.swap(bytesOf("k"), "any", itemOf("w"));
          await store.commit();
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      };
      await assertRejects(writing, StoreError, reason);
      assertEquals(said.filter((line) => line.includes(reason)).length, 1);
      await store.close().catch(() => {});
    });
  });
}
