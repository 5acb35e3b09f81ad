/** Resumable uploads, and objects that may not go, are as the service's documentation has them. */

import { assert, assertEquals } from "@std/assert";
import { ask, insert, objects } from "./ask.ts";
import { Emulator } from "./mod.ts";

/** Begins a resumable upload; returns what asks its session, with a `Content-Range`. */
async function session(
  emulator: Emulator,
  name: string,
  { query = "", resource = {} }: { query?: string; resource?: Record<string, unknown> } = {},
) {
  const path = `/upload/storage/v1/b/bucket/o?uploadType=resumable&name=${name}${query}`;
  const start = await ask(emulator, "POST", path, { body: JSON.stringify(resource) });
  assertEquals([start.status, start.text], [200, ""]);
  const { pathname, search } = new URL(start.headers.get("location")!);
  return {
    put: (body: string, range: string) =>
      ask(emulator, "PUT", pathname + search, { body, headers: { "content-range": range } }),
    cancel: () => ask(emulator, "DELETE", pathname + search),
  };
}

/** The least that a part of a resumable upload has which is not the last. */
const quantum = 1 << 18;
const part = "x".repeat(quantum);

Deno.test("emulator: a resumable upload comes in parts, and tells at any time how far it is", async () => {
  await using emulator = await Emulator.start();
  const { put } = await session(emulator, "big");
  const before = await put("", "bytes */*");
  assertEquals([before.status, before.headers.get("range")], [308, null]);
  const first = await put(part, `bytes 0-${quantum - 1}/*`);
  assertEquals([first.status, first.headers.get("range")], [308, `bytes=0-${quantum - 1}`]);
  assertEquals((await put("", "bytes */*")).headers.get("range"), `bytes=0-${quantum - 1}`);
  assertEquals((await ask(emulator, "GET", "/bucket/big")).status, 404);
  const end = quantum + 5;
  const last = await put("world", `bytes ${quantum}-${end - 1}/${end}`);
  assertEquals([last.status, last.json.name, last.json.size], [200, "big", String(end)]);
  assertEquals((await ask(emulator, "GET", "/bucket/big")).text, `${part}world`);
  // Once it is over it tells what it came to, whatever it is asked.
  for (const [body, range] of [["", `bytes */${end}`], [part, `bytes 0-${quantum - 1}/*`]]) {
    const again = await put(body, range);
    assertEquals([again.status, again.json], [200, last.json]);
  }
  assertEquals(emulator.counts, { ...emulator.counts, insert: 1, upload: 6 });
});

Deno.test("emulator: of a part only whole multiples of 256 KiB are kept, and a smaller one is refused", async () => {
  await using emulator = await Emulator.start();
  const { put } = await session(emulator, "big");
  const small = await put("x", "bytes 0-0/*");
  assertEquals([small.status, /equal or greater than 262144/.test(small.text)], [400, true]);
  const odd = await put(`${part}abc`, `bytes 0-${quantum + 2}/*`);
  assertEquals([odd.status, odd.headers.get("range")], [308, `bytes=0-${quantum - 1}`]);
  const gap = await put(part, `bytes ${quantum + 3}-${2 * quantum + 2}/*`);
  assertEquals(gap.status, 503);
  assertEquals(gap.headers.get("content-type"), "text/plain; charset=utf-8");
  assertEquals(
    gap.text,
    "Invalid request.  According to the Content-Range header, the upload offset is " +
      `${quantum + 3} byte(s), which exceeds already uploaded size of ${quantum} byte(s).`,
  );
  // What has come before is passed over, whatever it says now.
  const end = quantum + 3;
  assertEquals((await put(`${"y".repeat(quantum)}def`, `bytes 0-${end - 1}/${end}`)).status, 200);
  assertEquals((await ask(emulator, "GET", "/bucket/big")).text, `${part}def`);
  const other = await session(emulator, "other");
  assertEquals((await other.put("abc", "bytes 0-9/10")).status, 400);
  assertEquals((await other.put("abc", "bits 0-2/3")).status, 400);
});

Deno.test("emulator: a resumable upload is held to its conditions at both ends, and to its checksum", async () => {
  await using emulator = await Emulator.start();
  const none = { query: "&ifGenerationMatch=0" };
  const { put } = await session(emulator, "k", none);
  assertEquals((await insert(emulator, "k", "other")).status, 200);
  assertEquals((await put("hello", "bytes 0-4/5")).status, 412);
  assertEquals((await put("hello", "bytes 0-4/5")).status, 404);
  const path = "/upload/storage/v1/b/bucket/o?uploadType=resumable&name=k&ifGenerationMatch=0";
  assertEquals((await ask(emulator, "POST", path, { body: "{}" })).status, 412);
  const right = await session(emulator, "l", { resource: { crc32c: "mnG7TA==" } });
  const wrong = await right.put("hallo", "bytes 0-4/5");
  assertEquals([wrong.status, /doesn't match calculated CRC32C/.test(wrong.text)], [400, true]);
  assertEquals((await right.put("hello", "bytes 0-4/5")).status, 404);
  const again = await session(emulator, "l", { resource: { crc32c: "mnG7TA==" } });
  assertEquals((await again.put("hello", "bytes 0-4/5")).json.crc32c, "mnG7TA==");
});

Deno.test("emulator: a session that was given up, or is too old, is gone", async () => {
  await using emulator = await Emulator.start();
  const one = await session(emulator, "k");
  assertEquals((await one.cancel()).status, 499);
  assertEquals((await one.put("hello", "bytes 0-4/5")).status, 404);
  const two = await session(emulator, "k");
  assertEquals(emulator.bucket().uploads.open, 1);
  emulator.bucket().uploads.forget();
  assertEquals((await two.put("", "bytes */5")).status, 404);
  assertEquals(emulator.bucket().size, 0);
});

Deno.test("emulator: a fault may keep a beginning of the part that it meets", async () => {
  await using emulator = await Emulator.start();
  const { put } = await session(emulator, "big");
  emulator.faults.add({ what: 503, operations: ["upload"], name: "big", times: 1, kept: quantum });
  assertEquals((await put(`${part}${part}`, `bytes 0-${2 * quantum - 1}/*`)).status, 503);
  assertEquals((await put("", "bytes */*")).headers.get("range"), `bytes=0-${quantum - 1}`);
  emulator.faults.add({ what: "change", operations: ["upload"], times: 1 });
  const end = quantum + 5;
  assertEquals((await put("hello", `bytes ${quantum}-${end - 1}/${end}`)).status, 200);
  const { text } = await ask(emulator, "GET", "/bucket/big");
  assertEquals([text.length, text === `${part}hello`, text.startsWith(part)], [end, false, true]);
});

Deno.test("emulator: a retention policy and a hold keep an object from being deleted or replaced", async () => {
  await using emulator = await Emulator.start();
  const bucket = emulator.bucket();
  const { json } = await insert(emulator, "k", "1");
  bucket.retention = 3_600_000;
  const remove = (query = "") => ask(emulator, "DELETE", `${objects}/k?${query}`);
  for (const refused of [await remove(), await insert(emulator, "k", "2")]) {
    assertEquals([refused.status, refused.json.error.errors[0].reason], [
      403,
      "retentionPolicyNotMet",
    ]);
    assert(/cannot be deleted or overwritten until 20/.test(refused.json.error.message));
  }
  // A condition that does not hold is what the service tells first.
  assertEquals((await remove("ifGenerationMatch=1")).status, 412);
  bucket.retention = 0;
  const hold = (on: boolean) =>
    ask(emulator, "PATCH", `${objects}/k`, { body: JSON.stringify({ temporaryHold: on }) });
  await hold(true);
  assertEquals((await remove()).json.error.errors[0].reason, "objectUnderActiveHold");
  await hold(false);
  assertEquals((await remove(`ifGenerationMatch=${json.generation}`)).status, 204);
});

Deno.test("emulator: with versions what is replaced or deleted is kept, until that generation is deleted", async () => {
  await using emulator = await Emulator.start();
  const bucket = emulator.bucket();
  bucket.versioning = true;
  bucket.retention = 3_600_000;
  const one = (await insert(emulator, "k", "1")).json.generation;
  const two = (await insert(emulator, "k", "2")).json.generation;
  assertEquals((await ask(emulator, "DELETE", `${objects}/k`)).status, 204);
  assertEquals((await ask(emulator, "GET", `${objects}/k`)).status, 404);
  assertEquals((await ask(emulator, "GET", objects)).json.items, undefined);
  assertEquals(bucket.noncurrent("k").map(({ generation }) => generation), [one, two]);
  const media = await ask(emulator, "GET", `${objects}/k?alt=media&generation=${one}`);
  assertEquals(media.text, "1");
  const remove = () => ask(emulator, "DELETE", `${objects}/k?generation=${one}`);
  assertEquals((await remove()).status, 403);
  bucket.retention = 0;
  assertEquals((await remove()).status, 204);
  assertEquals((await remove()).status, 404);
});
