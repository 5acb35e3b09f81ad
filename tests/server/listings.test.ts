import { assert, assertEquals, assertMatch } from "@std/assert";
import { Listings, MAX_LISTINGS } from "../../lib/commands/listings.ts";
import { Harness } from "./harness.ts";
import { receiveAll, receiveUntil, send } from "./wire.ts";

/** Stores so much that its listing fits in no socket's buffers. */
async function fill(harness: Harness): Promise<void> {
  const key = "k".repeat(240);
  for (let i = 0; i < 60_000; i += 1000) {
    await harness.exchange([
      Array.from({ length: 1000 }, (_, j) => `set ${key}${i + j} 0 0 1 noreply\r\nx\r\n`).join(""),
    ]);
  }
}

Deno.test("listings: more than two that are sent concurrently are BUSY, until one is over", async () => {
  await using harness = new Harness({}, true);
  await fill(harness);
  const unread = await Promise.all(Array.from({ length: MAX_LISTINGS }, () => harness.connect()));
  for (const conn of unread) await send(conn, "lru_crawler metadump all\r\n");
  const { listings } = harness.context;
  while (listings.running < MAX_LISTINGS) await new Promise((resolve) => setTimeout(resolve, 1));
  using other = await harness.connect();
  await send(other, "lru_crawler mgdump all\r\n");
  assertEquals(
    await receiveUntil(other, "\r\n"),
    "BUSY currently processing crawler request\r\n",
  );
  unread[0]!.close();
  while (listings.running === MAX_LISTINGS) await new Promise((resolve) => setTimeout(resolve, 1));
  await send(other, "lru_crawler mgdump all\r\n");
  assertMatch(await receiveUntil(other, "EN\r\n"), /^OK\r\nmg k/);
  unread[1]!.close();
});

Deno.test("listings: one that its client does not take ends the connection, with a line", async () => {
  const listings = new Listings(20);
  await using harness = new Harness({ context: { listings } }, true);
  await fill(harness);
  using conn = await harness.connect();
  await send(conn, "lru_crawler metadump all\r\n");
  while (listings.kicks === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const received = await receiveAll(conn);
  assert(!received.endsWith("END\r\n"), "all was sent");
  while (listings.running > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  assertMatch(harness.said.join(), /does not read its listing of keys: the connection is closed/);
});

Deno.test("listings: a listing that is refused behind other replies takes no place", async () => {
  await using harness = new Harness();
  const sent = "version\r\nlru_crawler metadump all\r\n".repeat(5);
  const replies = await harness.exchange([sent]);
  assertEquals(replies.split("ERROR cannot pipeline").length - 1, 5);
  assertEquals(harness.context.listings.running, 0);
});

Deno.test("listings: counts of all sizes are made one after the other", async () => {
  await using harness = new Harness({ context: { trackSizes: true } });
  await harness.exchange(["set k 0 0 1\r\nx\r\n"]);
  const replies = await Promise.all(
    Array.from({ length: 10 }, () => harness.exchange(["stats sizes\r\n"])),
  );
  assertEquals(new Set(replies).size, 1);
  assertMatch(replies[0]!, /^STAT \d+ 1\r\nEND\r\n$/);
});
