import { assertEquals } from "@std/assert";
import { expiryOf, exptimeAfter, exptimeAt, LATEST_EXPTIME } from "../../lib/exptime.ts";
import { Client } from "../../lib/client/client.ts";
import { runClient } from "./run_client.ts";
import { dialects, startKvs } from "./servers.ts";

const DAY = 86_400_000;
/** 2026-11-01, in milliseconds. */
const NOW = Date.UTC(2026, 10, 1);

Deno.test("a span of time means the same to client and server, up to 30 days and above", () => {
  for (const span of [1, 999, 1000, 30 * DAY - 1, 30 * DAY, 30 * DAY + 1000, 31 * DAY, 400 * DAY]) {
    const seconds = Math.ceil(span / 1000);
    assertEquals(expiryOf(exptimeAfter(span, NOW), NOW), NOW + seconds * 1000, `${span} ms`);
  }
  assertEquals(exptimeAfter(0, NOW), 0);
  assertEquals(exptimeAfter(10_000 * DAY, NOW), LATEST_EXPTIME);
});

Deno.test("a moment means the same to client and server, also one of 1970", () => {
  assertEquals(exptimeAt(0), 0);
  assertEquals(expiryOf(exptimeAt(1_800_000_000), NOW), 1_800_000_000_000);
  assertEquals(expiryOf(exptimeAt(5), NOW) < NOW, true);
});

for (const { name, protocol, ignore, start } of dialects) {
  Deno.test({
    name: `a flush in more than 30 days leaves what is there (${name})`,
    ignore,
    fn: async () => {
      await using server = await start();
      using client = new Client({ servers: [server.address], protocol });
      await client.set("k", "v");
      await client.flushAll(31 * DAY / 1000);
      assertEquals((await client.get("k"))?.text, "v");
    },
  });
}

Deno.test("flush 31d, --ttl 31d and touch 31d of the command line keep the item", async () => {
  await using server = await startKvs();
  const { code, stdout } = await runClient(server.address, ["shell"], {
    stdin: "set k v --ttl 31d\nflush 31d\ntouch k 31d\nget k\n",
  });
  assertEquals([code, stdout], [0, "v\n"]);
});
