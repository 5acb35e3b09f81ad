/** Bounds of docs/operations.md that have no tests of their own beside what they bound. */

import { assert, assertEquals } from "@std/assert";
import { Handshakes } from "../../lib/net/tls/handshakes.ts";
import { Harness, ScriptedSocket } from "./harness.ts";

Deno.test("stats detail counts 10,000 prefixes, and no more", async () => {
  await using harness = new Harness();
  const gets = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => `get ${from + i}:k\r\n`).join("");
  await harness.exchange(["stats detail on\r\n", gets(0, 12_000), gets(0, 10)]);
  const lines = (await harness.exchange(["stats detail dump\r\n"])).split("\r\n");
  assertEquals(lines.filter((line) => line.startsWith("PREFIX ")).length, 10_000);
  assert(lines.includes("PREFIX 9 get 2 hit 0 set 0 del 0"));
});

Deno.test("stats detail dump keeps to its lines, whatever bytes the keys have", async () => {
  await using harness = new Harness();
  const key = btoa("a b\r\nEND\r\n:k");
  await harness.exchange(["stats detail on\r\n", `mg ${key} b v\r\n`, "get x:y\r\n"]);
  assertEquals(
    await harness.exchange(["stats detail dump\r\n"]),
    "PREFIX a%20b%0D%0AEND%0D%0A get 1 hit 0 set 0 del 0\r\n" +
      "PREFIX x get 1 hit 0 set 0 del 0\r\nEND\r\n",
  );
});

Deno.test("stats cachedump ends at 2 MiB of lines", async () => {
  await using harness = new Harness();
  const key = "k".repeat(240);
  const sets = Array.from({ length: 12_000 }, (_, i) => `set ${key}${i} 0 0 1 noreply\r\nx\r\n`);
  await harness.exchange([sets.join("")]);
  const reply = await harness.exchange(["stats cachedump 1 0\r\n"]);
  assert(reply.endsWith("END\r\n"));
  assert(reply.length > 1.5 * 2 ** 20 && reply.length <= 2 * 2 ** 20, `${reply.length} bytes`);
});

Deno.test("a line that does not end is no longer waited for after 2 KiB", async () => {
  await using harness = new Harness();
  let read = 0;
  const socket = new class extends ScriptedSocket {
    override async read(into: Uint8Array): Promise<number | null> {
      const count = await super.read(into);
      read += count ?? 0;
      return count;
    }
  }(Array.from({ length: 1000 }, () => "set k".padEnd(1000, "x")));
  await harness.serve(socket);
  assert(read < 16 * 1024, `${read} bytes were read`);
});

Deno.test("of handshakes that do not end, one more than 128 ends the oldest, and time ends each", async () => {
  const ended: number[] = [];
  const all = new Handshakes(() => {});
  const begun = Array.from({ length: 130 }, (_, i) => all.begin(() => ended.push(i)));
  assertEquals([ended, all.size], [[0, 1], 128]);
  for (const handshake of begun) handshake.end();
  assertEquals(all.size, 0);
  const brief = new Handshakes(() => {}, { longest: 1 });
  await new Promise<void>((resolve) => brief.begin(resolve));
  assertEquals(brief.size, 0);
});
