import { assertEquals } from "@std/assert";
import { bytesOf } from "../lib/bytes.ts";
import { KeyHash } from "../lib/key_hash.ts";

Deno.test("a hash of one word is the first word of the whole", () => {
  const secret = Uint8Array.from({ length: 16 }, (_, i) => 31 * i);
  const whole = new KeyHash(secret);
  const short = new KeyHash(secret, 1);
  for (let length = 0; length <= 250; length++) {
    const key = bytesOf("k".repeat(length));
    whole.of(key);
    short.of(key);
    assertEquals(short.a, whole.a);
    assertEquals([short.b, short.c], [0, 0]);
  }
});
