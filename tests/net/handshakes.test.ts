import { assertEquals } from "@std/assert";
import { Handshakes } from "../../lib/net/tls/handshakes.ts";

Deno.test("of too many handshakes the oldest makes room, and one that has ended counts no more", () => {
  const closed: string[] = [];
  const handshakes = new Handshakes(() => {}, { most: 2 });
  const begin = (name: string) => handshakes.begin(() => void closed.push(name));
  const first = begin("first");
  begin("second");
  first.end();
  begin("third");
  assertEquals([closed, handshakes.size], [[], 2]);
  begin("fourth");
  assertEquals([closed, handshakes.size], [["second"], 2]);
  handshakes.close();
  assertEquals([closed, handshakes.size], [["second", "third", "fourth"], 0]);
});

Deno.test("a handshake that takes too long is closed, one that has ended is not", async () => {
  const handshakes = new Handshakes(() => {}, { longest: 1 });
  const late = Promise.withResolvers<string>();
  handshakes.begin(() => late.resolve("ended")).end();
  handshakes.begin(() => late.resolve("late"));
  assertEquals(await late.promise, "late");
  assertEquals(handshakes.size, 0);
});
