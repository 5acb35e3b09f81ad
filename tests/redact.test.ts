import { assertEquals, assertThrows } from "@std/assert";
import { ExitError } from "../lib/errors.ts";
import { redacted, redactedUrl } from "../lib/redact.ts";
import { addressOfUrl } from "../lib/storage/redis/url.ts";

const texts: Record<string, string> = {
  "redis://host:6379/1": "redis://host:6379/1",
  "cannot reach redis://user:secret@host:1: refused": "cannot reach redis://user:…@host:1: refused",
  "redis://:secret@host": "redis://:…@host",
  "redis://secret@host": "redis://…@host",
  "redis://user:se@cr/et@host:1": "redis://user:…@host:1",
  "'redis://user:se\"cr'et@host': why": "'redis://user:…@host': why",
  "redis://a:secret@h1,rediss://b:secret@h2/3": "redis://a:…@h1,rediss://b:…@h2/3",
  "redis-sentinel://u:secret@h/m": "redis-sentinel://u:…@h/m",
};
for (const [text, shown] of Object.entries(texts)) {
  Deno.test(`passwords are left out: ${shown}`, () => assertEquals(redacted(text), shown));
}

Deno.test("an error about --redis-url never repeats a part of its password", () => {
  for (const password of ["p@ss", "p/a/s/s", "p:a@s/s", "p a s s", "%zz", "p\"a's", "p#a?s"]) {
    const url = `redis://user:${password}secret@`;
    assertEquals(redactedUrl(url).includes("secret"), false);
    const { message } = assertThrows(() => addressOfUrl(`${url}/x/y`), ExitError);
    for (const part of [password, "secret"]) assertEquals(message.includes(part), false, message);
  }
});
