import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { gzipSync } from "node:zlib";
import { bytesOf } from "../../../lib/bytes.ts";
import { ExitError, StoreError } from "../../../lib/errors.ts";
import { crc32c, crc32cText } from "../../../lib/crc32c.ts";
import { itemOf } from "../contract.ts";
import * as commands from "./commands.ts";
import { crc32c as plainCrc32c } from "./emulator/crc32c.ts";
import type { StoredObject } from "./emulator/bucket.ts";
import type { Deviations } from "./emulator/mod.ts";
import { figure, Place, until } from "./open.ts";

const DEVIATIONS: Record<string, Deviations> = {
  "a 404 without a code": { plainMissing: true },
  "a delete that is answered 200": { deletesWith200: true },
  "no metadata on XML reads": { noXmlMetadata: true },
  "no size where there are no bytes": { noZeroSize: true },
  "no checksums": { noChecksums: true },
  "a wrong checksum that is answered 412": { damagedWith412: true },
  "few preconditions": { fewPreconditions: true },
  "all of these": {
    fewPreconditions: true,
    plainMissing: true,
    deletesWith200: true,
    noXmlMetadata: true,
    noZeroSize: true,
    noChecksums: true,
  },
};

for (const [what, deviations] of Object.entries(DEVIATIONS)) {
  Deno.test(`gcs, ${what}: values, flags, misses, deletes, listings and flushes are right`, async () => {
    await using place = await Place.open({ deviations });
    const store = await place.store();
    assertEquals(await commands.get(store, "none"), undefined);
    assertEquals(await commands.remove(store, "none"), false);
    await commands.set(store, "k", "value", { flags: 7 });
    await commands.set(store, "empty", "", { flags: 8 });
    // Another server, which has no hint of them.
    const other = await place.store();
    const item = await other.read(bytesOf("k"));
    assertEquals([item?.flags, new TextDecoder().decode(item?.value)], [7, "value"]);
    const empty = await other.read(bytesOf("empty"));
    assertEquals([empty?.flags, empty?.value.length], [8, 0]);
    const listed: [string, number, number][] = [];
    for await (const group of other.scan()) {
      for (const { key, size, flags } of group) {
        listed.push([new TextDecoder().decode(key), size, flags]);
      }
    }
    assertEquals(listed.sort(), [["empty", 0, 8], ["k", 5, 7]]);
    assertEquals(await commands.remove(other, "k"), true);
    assertEquals(await commands.get(other, "k"), undefined);
    await commands.set(store, "k", "again");
    await store.flush(place.clock.now());
    assertEquals(await commands.get(other, "k"), undefined);
    await commands.set(store, "k", "after");
    assertEquals(await commands.get(await place.store(), "k"), "after");
    assertEquals(Number.isInteger(store.info().bytes), true);
  });

  Deno.test(`gcs, ${what}: a bucket that is not there is told at start`, async () => {
    await using place = await Place.open({ deviations });
    const error = await assertRejects(() => place.store({ bucket: "nowhere" }), ExitError);
    assertStringIncludes(error.message, "The bucket 'nowhere' is not there");
  });
}

Deno.test("gcs, no metadata on XML reads: it is noticed once, and then asked for in another way", async () => {
  await using place = await Place.open({ deviations: { noXmlMetadata: true } });
  const writer = await place.store();
  await writer.flush(place.clock.now());
  await commands.set(writer, "k", "v", { flags: 3 });
  const reader = await place.store();
  const before = figure(reader, "requests");
  assertEquals((await reader.read(bytesOf("k")))?.flags, 3);
  // Metadata and content; the epoch has told before. It is read meanwhile, too.
  assert(
    figure(reader, "requests") - before <= 4,
    `${figure(reader, "requests") - before} requests`,
  );
});

Deno.test("gcs: what another program stored is an item, also where it is compressed", async () => {
  await using place = await Place.open();
  const store = await place.store();
  await commands.set(store, "model", "x");
  const object = [
    ...place.emulator.bucket().list({ prefix: "kvs/", delimiter: "", maxResults: 9 }).objects,
  ]
    .find(({ name }) => name.endsWith("/model"))!;
  const text = "compressed ".repeat(1000);
  place.emulator.bucket().insert(object.name, gzipSync(text), { contentEncoding: "gzip" }, {});
  const reader = await place.store();
  assertEquals(await commands.get(reader, "model"), text);
  place.emulator.bucket().insert(object.name, bytesOf("plain"), {}, {});
  assertEquals(await commands.get(reader, "model"), "plain");
});

Deno.test("gcs checksums: the sum is CRC-32C, at every length and alignment", () => {
  assertEquals(crc32c(bytesOf("123456789")), 0xe3069283);
  assertEquals(crc32cText(bytesOf("hello")), "mnG7TA==");
  const bytes = crypto.getRandomValues(new Uint8Array(300));
  for (let from = 0; from < 8; from++) {
    for (let to = from; to < bytes.length; to++) {
      assertEquals(crc32c(bytes.subarray(from, to)), plainCrc32c(bytes.subarray(from, to)));
    }
  }
});

Deno.test("gcs checksums: a byte that is changed on a read is noticed, and the read made again", async () => {
  for (const deviations of [{}, { noXmlMetadata: true }]) {
    await using place = await Place.open({ deviations });
    const store = await place.store();
    await commands.set(store, "k", "a value of some length");
    const reader = await place.store();
    place.emulator.faults.add({ what: "change", operations: ["get"], name: "/k", times: 3 });
    assertEquals(await commands.get(reader, "k"), "a value of some length");
    if (!("noXmlMetadata" in deviations)) assertEquals(figure(reader, "damaged_contents"), 3);
  }
});

Deno.test("gcs checksums: a content that is never right is an error and never a value", async () => {
  await using place = await Place.open();
  const store = await place.store();
  await commands.set(store, "k", "a value");
  const reader = await place.store({ timeout: 3000 });
  place.emulator.faults.add({ what: "change", operations: ["get"], name: "/k" });
  const error = await assertRejects(() => commands.get(reader, "k"), StoreError);
  assertStringIncludes(error.message, "the content does not have its checksum");
});

Deno.test("gcs checksums: a byte that is changed on a write is refused, and the write made again", async () => {
  await using place = await Place.open();
  const store = await place.store();
  place.emulator.faults.add({ what: "change", operations: ["insert"], times: 2 });
  await commands.set(store, "k", "right");
  assertEquals(figure(store, "damaged_contents"), 2);
  assertEquals(await commands.get(await place.store(), "k"), "right");
});

Deno.test("gcs checksums: so it is where the service takes it for a failed precondition", async () => {
  await using place = await Place.open({ deviations: { damagedWith412: true } });
  const store = await place.store();
  const damage = (times: number) =>
    place.emulator.faults.add({ what: "change", operations: ["insert"], name: "/k", times });
  damage(2);
  assertEquals(typeof await store.swap(bytesOf("k"), "absent", itemOf("added")), "bigint");
  assertEquals(await commands.get(await place.store(), "k"), "added");
  damage(1);
  const unique = await commands.set(store, "k", "set");
  damage(1);
  assertEquals(typeof await store.swap(bytesOf("k"), { cas: unique }, itemOf("right")), "bigint");
  assertEquals(await commands.get(await place.store(), "k"), "right");
});

Deno.test("gcs, no metadata on XML reads: what is overwritten between metadata and content is read again", async () => {
  await using place = await Place.open({ deviations: { noXmlMetadata: true } });
  const writer = await place.store();
  await writer.flush(place.clock.now());
  await commands.set(writer, "k", "before", { flags: 1 });
  const reader = await place.store();
  let reads = 0;
  place.emulator.onRequest = (operation, name) => {
    if (operation !== "get" || !name?.endsWith("/k") || ++reads !== 2) return;
    place.emulator.onRequest = undefined;
    const bucket = place.emulator.bucket();
    const { metadata, customTime } = bucket.get(name, {}) as StoredObject;
    bucket.insert(
      name,
      bytesOf("after"),
      { metadata: { ...metadata, flags: "2" }, customTime },
      {},
    );
  };
  const item = await reader.read(bytesOf("k"));
  assertEquals([item?.flags, new TextDecoder().decode(item?.value)], [2, "after"]);
});

Deno.test("gcs checksums: what a careless server stored damaged is written over before it is answered", async () => {
  await using place = await Place.open({ deviations: { ignoresChecksums: true } });
  const store = await place.store();
  place.emulator.faults.add({ what: "change", operations: ["insert"], times: 1 });
  const unique = await commands.set(store, "k", "right");
  assertEquals(figure(store, "damaged_contents"), 1);
  const reader = await place.store();
  assertEquals(await commands.get(reader, "k"), "right");
  assertEquals((await reader.read(bytesOf("k")))?.cas, unique);
  // Also where it replaces something, and where it deletes what it has replaced.
  place.emulator.faults.add({ what: "change", operations: ["insert"], times: 1 });
  assertEquals(typeof await store.swap(bytesOf("k"), { cas: unique }, itemOf("second")), "bigint");
  assertEquals(await commands.get(await place.store(), "k"), "second");
  assertEquals(await commands.remove(store, "k"), true);
});

Deno.test("gcs checksums: a flush whose object was damaged holds", async () => {
  await using place = await Place.open({ deviations: { ignoresChecksums: true } });
  const store = await place.store();
  await commands.set(store, "k", "v");
  place.emulator.faults.add({
    what: "change",
    operations: ["insert"],
    name: "meta/epoch",
    times: 1,
  });
  await store.flush(place.clock.now());
  assertEquals(await commands.get(await place.store(), "k"), undefined);
});

Deno.test("gcs: Retry-After is waited for, in seconds and as a date", async () => {
  await using place = await Place.open();
  const store = await place.store();
  await commands.set(store, "k", "v");
  const seen: number[] = [];
  place.emulator.onRequest = (operation, name) => {
    if (operation === "get" && name?.endsWith("/k")) seen.push(Date.now());
  };
  const retry = async (retryAfter: string) => {
    seen.length = 0;
    place.emulator.faults.add({ what: 503, retryAfter, operations: ["get"], name: "/k", times: 1 });
    assertEquals(await commands.get(store, "k"), "v");
    assertEquals(seen.length, 2);
  };
  // A timer may be a little early.
  const early = 20;
  await retry("1");
  assert(seen[1] - seen[0] >= 1000 - early, `${seen[1] - seen[0]} ms`);
  const date = new Date(Date.now() + 2500).toUTCString();
  await retry(date);
  assert(seen[1] >= Date.parse(date) - early, `${new Date(seen[1]).toISOString()} for ${date}`);
});

Deno.test("gcs: STORAGE_EMULATOR_HOST is the endpoint, with http:// and without, and takes no credentials", async () => {
  await using place = await Place.open();
  for (const host of [place.emulator.endpoint, place.emulator.endpoint.replace("http://", "")]) {
    Deno.env.set("STORAGE_EMULATOR_HOST", host);
    try {
      const store = await place.store({ endpoint: undefined });
      await commands.set(store, "k", host);
      assertEquals(await commands.get(store, "k"), host);
    } finally {
      Deno.env.delete("STORAGE_EMULATOR_HOST");
    }
  }
});

Deno.test("gcs: a service that goes away is logged once when it begins and once when it ends", async () => {
  await using place = await Place.open();
  const store = await place.store({ timeout: 900 });
  await until(() => commands.set(store, "k", "v").then(() => true, () => false));
  // What it says of the listing at its start is another story.
  await until(() => figure(store, "listings") === 1);
  place.lines.length = 0;
  for (const what of [503, 403, "reset", "stall"] as const) {
    place.emulator.faults.add({ what, probability: 0.5 });
  }
  place.emulator.faults.add({ what: 503 });
  await until(() => place.lines.length > 0);
  const said = [];
  for (let i = 0; i < 6; i++) {
    said.push(await commands.get(store, "k").then(() => "", (error) => error.message));
  }
  for (const message of said) assert(message.length < 500, message);
  assertEquals(place.lines.length, 1, place.lines.join("\n"));
  place.emulator.faults.clear();
  await until(() => place.lines.length > 1);
  assertEquals(place.lines[1], "The bucket 'bucket' can be used again");
});

Deno.test("gcs: a delete whose answer was lost blames nobody", async () => {
  await using place = await Place.open();
  const store = await place.store();
  await commands.set(store, "k", "v");
  place.emulator.faults.add({ what: "close", after: true, operations: ["delete"], times: 1 });
  const error = await assertRejects(() => commands.remove(store, "k"), StoreError);
  assertEquals(
    error.message,
    "The answer to a delete was lost and the item is gone: it cannot be known if by this delete",
  );
});
