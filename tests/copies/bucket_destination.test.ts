/** Copies in a bucket that has troubles: what was done is told as done, and what is not is done later. */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { bytesOf } from "../../lib/bytes.ts";
import { openBucketDestination } from "../../lib/copies/bucket_destination.ts";
import { BucketPlace } from "../../lib/copies/bucket_place.ts";
import { DestinationError, type Source } from "../../lib/copies/destination.ts";
import { ExitError } from "../../lib/errors.ts";
import type { EmulatorOptions, Fault } from "../storage/gcs/emulator/mod.ts";
import { until } from "../storage/gcs/open.ts";
import { EmulatedPlaces } from "./bucket_places.ts";
import { sourceOf } from "../../lib/copies/source.ts";
import { isSame, namesOf, noise, streamed } from "./sources.ts";

const quantum = 1 << 18;
/** Three parts, the last of which is no multiple of anything. */
const large = noise(8 * quantum + 4321);

/** How a destination is opened that streams by parts of which {@linkcode large} has three. */
const streaming = { part: quantum >> 1 };

function begin(options: EmulatorOptions = {}): Promise<EmulatedPlaces> {
  return EmulatedPlaces.begin(options, 4 * quantum);
}

Deno.test("copies, bucket: it has the time of the service, in whole seconds", async () => {
  await using places = await begin();
  const d = await places.open();
  assertEquals(d.time, undefined);
  const before = Math.floor(Date.now() / 1000) * 1000;
  await d.read("none");
  assert(d.time! >= before && d.time! <= Date.now());
});

const lost: Fault[] = (["reset", "close", "cut", 503, 408] as const).flatMap((what) => [
  { what, times: 1 },
  { what, times: 1, after: true },
]);

for (const fault of lost) {
  const name = `${fault.what} ${fault.after ? "after" : "before"} it took effect`;

  Deno.test(`copies, bucket: a write whose answer is lost (${name}) is known to be done`, async () => {
    await using places = await begin();
    const { faults } = places.emulator;
    const d = await places.open();
    faults.add({ ...fault, operations: ["insert"] });
    const small = await d.create("small", sourceOf(bytesOf("small")));
    assert(small !== "exists");
    // The start of a session, any part, and the last, which finishes it.
    for (const skipped of [-1, 0, 2]) {
      const name = `large${skipped}`;
      let parts = 0;
      places.emulator.onRequest = (operation) => {
        if (operation === "upload" && parts++ === skipped) faults.add({ ...fault, name });
      };
      if (skipped < 0) faults.add({ ...fault, name });
      const created = await d.create(name, sourceOf(large));
      assert(created !== "exists");
      const found = await d.read(name);
      assert(isSame(found!.bytes, large));
      assertEquals(found!.generation, created.generation);
    }
    places.emulator.onRequest = undefined;
    faults.add({ ...fault, operations: ["insert"] });
    const one = await d.replace("head", bytesOf("1"), "");
    assert(one !== "changed");
    faults.add({ ...fault, operations: ["insert"] });
    const two = await d.replace("head", bytesOf("2"), one.generation);
    assert(two !== "changed");
    assertEquals(await d.read("head"), { bytes: bytesOf("2"), generation: two.generation });
    faults.add({ ...fault, operations: ["delete"] });
    assertEquals(await d.remove("head", two.generation), "removed");
    assertEquals(await d.read("head"), undefined);
  });
}

Deno.test("copies, bucket: a lost write that another has overtaken is changed, and not done", async () => {
  await using places = await begin();
  const { emulator } = places;
  const [one, two] = [await places.open(), await places.open()];
  const first = await one.replace("head", bytesOf("1"), "");
  assert(first !== "changed");
  for (const after of [false, true]) {
    emulator.faults.add({ what: "stall", operations: ["insert"], times: 1, after });
    const { insert } = emulator.counts;
    const { generation } = (await two.read("head"))!;
    const writing = one.replace("head", bytesOf(`mine ${after}`), generation);
    await until(() => emulator.counts.insert > insert);
    const found = (await two.read("head"))!;
    const theirs = await two.replace("head", bytesOf("theirs"), found.generation);
    assert(theirs !== "changed");
    emulator.breakConnections();
    assertEquals(await writing, "changed");
    assertEquals((await one.read("head"))!.bytes, bytesOf("theirs"));
  }
});

Deno.test("copies, bucket: an upload goes on from what the bucket has of it", async () => {
  await using places = await begin();
  const { emulator } = places;
  const d = await places.open();
  const asked: number[] = [];
  const source: Source = {
    ...sourceOf(large),
    read: (from, into) => {
      asked.push(from);
      return sourceOf(large).read(from, into);
    },
  };
  for (const what of ["reset", 503, 429] as const) {
    const name = String(what);
    const kept = 3 * quantum;
    asked.length = 0;
    emulator.faults.add({ what, operations: ["upload"], name, times: 1, kept });
    assert(await d.create(name, source) !== "exists");
    assertEquals(asked.slice(0, 2), [0, kept], "the second part begins where the first was cut");
    assertEquals(asked.filter((from) => from === 0).length, 1);
    assert(isSame((await d.read(name))!.bytes, large));
  }
});

Deno.test("copies, bucket: a session that is gone is begun anew, and forgotten ones are not left open", async () => {
  await using places = await begin();
  const { emulator } = places;
  const d = await places.open();
  for (const status of [404, 410, 499]) {
    const name = String(status);
    let parts = 0;
    emulator.onRequest = (operation) => {
      if (operation === "upload" && ++parts === 2) {
        if (status === 404) emulator.bucket().uploads.forget();
        else emulator.faults.add({ what: status, operations: ["upload"], times: 1 });
      }
    };
    const created = await d.create(name, sourceOf(large));
    assert(created !== "exists");
    assert(isSame((await d.read(name))!.bytes, large));
  }
});

Deno.test("copies, bucket: where sessions are always gone the upload fails, and may be tried again", async () => {
  await using places = await begin();
  const d = await places.open("one", { patience: 400 });
  places.emulator.faults.add({ what: 410, operations: ["upload"] });
  const error = await assertRejects(() => d.create("k", sourceOf(large)), DestinationError);
  assertEquals(error.retry, true);
  assertStringIncludes(error.message, "it has forgotten the upload");
});

Deno.test("copies, bucket: an upload whose name another has created meanwhile exists", async () => {
  await using places = await begin();
  const { emulator } = places;
  const d = await places.open();
  let theirs: Uint8Array = noise(100);
  let parts = 0;
  emulator.onRequest = (operation) => {
    if (operation === "upload" && ++parts === 2) {
      emulator.bucket().insert("one/k", theirs, {}, {});
    }
  };
  assertEquals(await d.create("k", sourceOf(large)), "exists");
  assert(isSame((await d.read("k"))!.bytes, theirs));
  // Also where an answer was lost: theirs are other bytes of the same length.
  theirs = noise(large.length, 99);
  parts = 0;
  emulator.onRequest = (operation) => {
    if (operation === "upload" && ++parts === 2) emulator.bucket().insert("one/l", theirs, {}, {});
  };
  emulator.faults.add({ what: "reset", operations: ["upload"], times: 1 });
  assertEquals(await d.create("l", sourceOf(large)), "exists");
  assert(isSame((await d.read("l"))!.bytes, theirs));
});

Deno.test("copies, bucket: bytes that change on the way are sent again, and read again", async () => {
  await using places = await begin();
  const { faults } = places.emulator;
  const d = await places.open();
  faults.add({ what: "change", operations: ["insert"], times: 2 });
  assert(await d.create("small", sourceOf(bytesOf("small"))) !== "exists");
  faults.add({ what: "change", operations: ["upload"], times: 1 });
  assert(await d.create("large", sourceOf(large)) !== "exists");
  faults.add({ what: "change", operations: ["get"], times: 2 });
  assertEquals((await d.read("small"))!.bytes, bytesOf("small"));
  assert(isSame((await d.read("large"))!.bytes, large));
  faults.add({ what: "change", operations: ["insert", "upload"] });
  for (const bytes of [bytesOf("small"), large]) {
    const error = await assertRejects(() => d.create("k", sourceOf(bytes)), DestinationError);
    assertStringIncludes(error.message, "damaged each time");
  }
  faults.clear();
  assertEquals(await d.read("k"), undefined);
});

Deno.test("copies, bucket: a careless server's damaged object is removed, and sent again", async () => {
  await using places = await begin({ deviations: { ignoresChecksums: true } });
  const { faults } = places.emulator;
  const d = await places.open();
  faults.add({ what: "change", operations: ["insert"], times: 1 });
  const one = await d.create("small", sourceOf(bytesOf("small")));
  faults.add({ what: "change", operations: ["upload"], times: 1 });
  assert(await d.create("large", sourceOf(large)) !== "exists");
  assert(isSame((await d.read("large"))!.bytes, large));
  assertEquals(await d.read("small"), {
    bytes: bytesOf("small"),
    ...one as { generation: string },
  });
  faults.add({ what: "change", operations: ["insert"], times: 1 });
  const head = await d.replace("head", bytesOf("head"), "");
  assert(head !== "changed");
  assertEquals(await d.read("head"), { bytes: bytesOf("head"), ...head });
});

Deno.test("copies, bucket: a server that says of damaged bytes that a condition does not hold is not believed", async () => {
  await using places = await begin({ deviations: { damagedWith412: true } });
  const { faults } = places.emulator;
  const d = await places.open();
  faults.add({ what: "change", operations: ["insert"], times: 2 });
  assert(await d.create("k", sourceOf(bytesOf("small"))) !== "exists");
  assertEquals(await d.create("k", sourceOf(bytesOf("small"))), "exists");
  let generation = "";
  for (const text of ["1", "2"]) {
    faults.add({ what: "change", operations: ["insert"], times: 2 });
    const written = await d.replace("head", bytesOf(text), generation);
    assert(written !== "changed");
    generation = written.generation;
  }
  assertEquals(await d.read("head"), { bytes: bytesOf("2"), generation });
  faults.add({ what: "change", operations: ["insert"] });
  for (
    const one of [
      () => d.create("l", sourceOf(bytesOf("small"))),
      () => d.replace("head", bytesOf("3"), generation),
    ]
  ) {
    const error = await assertRejects(one, DestinationError);
    assertEquals(error.retry, true);
    assertStringIncludes(error.message, "damaged each time");
  }
  faults.clear();
  assertEquals(await d.replace("head", bytesOf("3"), "1"), "changed");
});

Deno.test("copies, bucket: what is streamed is read on from where it was cut", async () => {
  await using places = await begin();
  const { emulator } = places;
  await (await places.open()).create("k", sourceOf(large));
  const d = await places.open("one", streaming);
  for (const what of ["reset", "close", "cut", 503, 429] as const) {
    const { get } = emulator.counts;
    emulator.faults.add({ what, operations: ["get"], times: 2 });
    assert(isSame(await streamed(d, "k"), large));
    assertEquals(emulator.counts.get - get, 3 + 2);
  }
});

Deno.test("copies, bucket: a part that is cut or silent in its middle is read on from there, and not again", async () => {
  await using places = await begin();
  const { emulator } = places;
  await (await places.open()).create("k", sourceOf(large));
  const d = await places.open("one", { ...streaming, attempt: 500 });
  for (const what of ["cut", "hang"] as const) {
    const { get } = emulator.counts;
    let blocks = 0;
    let at = 0;
    for await (const block of d.stream("k")) {
      assert(isSame(block, large.subarray(at, at + block.length)));
      at += block.length;
      // Of a part that has begun to come.
      if (blocks++ < 2) emulator.faults.add({ what, operations: ["get"], times: 1, after: true });
    }
    assertEquals(at, large.length);
    assert(emulator.counts.get - get >= 3 + 1);
  }
});

Deno.test("copies, bucket: an answer that does not come is given up, and asked for again", async () => {
  await using places = await begin();
  const { emulator } = places;
  await (await places.open()).create("k", sourceOf(large));
  const d = await places.open("one", { ...streaming, attempt: 200 });
  emulator.faults.add({ what: "stall", operations: ["get"], times: 2 });
  assert(isSame(await streamed(d, "k"), large));
  assertEquals(emulator.counts.get, 3 + 2);
});

Deno.test("copies, bucket: a stream can be left in its middle, and an end ends one that hangs", async () => {
  await using places = await begin();
  const { emulator } = places;
  const d = await places.open();
  await d.create("k", sourceOf(large));
  for await (const block of d.stream("k")) {
    assert(isSame(block, large.subarray(0, block.length)));
    break;
  }
  const aborter = new AbortController();
  const ended = await places.open("one", { signal: aborter.signal });
  emulator.faults.add({ what: "hang", operations: ["get"], after: true });
  const reading = assertRejects(() => streamed(ended, "k"), DestinationError);
  await until(() => emulator.counts.get > 1);
  aborter.abort();
  assertEquals((await reading).retry, false);
});

Deno.test("copies, bucket: a server that knows of no ranges sends all there is, and that is compared", async () => {
  await using places = await begin({ deviations: { noRanges: true } });
  const { emulator } = places;
  const d = await places.open();
  await d.create("k", sourceOf(large));
  emulator.faults.add({ what: "change", operations: ["get"], times: 2 });
  assert(isSame(await streamed(d, "k"), large));
  assert(isSame(await streamed(d, "k", 4321), large.subarray(4321)));
  assertEquals(emulator.counts.get, 1 + 2 + 1);
});

Deno.test("copies, bucket: what is replaced or removed while it is streamed is an error, and never a mixture", async () => {
  await using places = await begin();
  assert(await (await places.open()).create("k", sourceOf(large)) !== "exists");
  const d = await places.open("one", streaming);
  const read = async (meanwhile: () => void) => {
    let isFirst = true;
    for await (const _block of d.stream("k")) {
      if (isFirst) meanwhile();
      isFirst = false;
    }
  };
  const { emulator } = places;
  const replace = () => void emulator.bucket().insert("one/k", noise(large.length, 5), {}, {});
  const error = await assertRejects(() => read(replace), DestinationError);
  assertEquals(error.retry, true);
  const remove = () => void emulator.bucket().delete("one/k", {});
  assertEquals((await assertRejects(() => read(remove), DestinationError)).retry, false);
});

Deno.test("copies, bucket: one that is away is an error that passes, and is used when it is back", async () => {
  await using places = await begin();
  const { faults } = places.emulator;
  const d = await places.open("one", { patience: 300 });
  for (const what of ["reset", 503, 429] as const) {
    faults.add({ what });
    const all = [
      () => d.read("k"),
      () => streamed(d, "k"),
      () => d.create("k", sourceOf(bytesOf("k"))),
      () => d.create("large", sourceOf(large)),
      () => d.replace("head", bytesOf("head"), ""),
      () => d.remove("k", "1"),
      () => namesOf(d),
    ];
    for (
      const { retry, message } of await Promise.all(
        all.map((one) => assertRejects(one, DestinationError)),
      )
    ) {
      assertEquals(retry, true, message);
      assert(/^The bucket 'bucket' did not answer in time: [^\r\n]{3,300}$/.test(message), message);
    }
    faults.clear();
  }
  assert(await d.create("large", sourceOf(large)) !== "exists");
});

Deno.test("copies, bucket: one that goes away in the middle of an upload is waited for as long as it makes no progress", async () => {
  await using places = await begin();
  const { emulator } = places;
  const d = await places.open("one", { patience: 30_000 });
  let parts = 0;
  emulator.onRequest = (operation) => {
    if (operation !== "upload" || ++parts !== 2) return;
    emulator.faults.add({ what: "reset" });
    // A few tries later it is back.
    const back = () => emulator.counts.upload > 5 ? emulator.faults.clear() : setTimeout(back, 10);
    back();
  };
  assert(await d.create("k", sourceOf(large)) !== "exists");
  assertEquals(emulator.counts.insert, 1);
  assert(isSame((await d.read("k"))!.bytes, large));
});

Deno.test("copies, bucket: how long the service asks to wait is waited, and no longer than there is patience", async () => {
  await using places = await begin();
  const { emulator } = places;
  const d = await places.open();
  for (const what of [429, 503]) {
    emulator.faults.add({ what, retryAfter: "3600", times: 1 });
    const before = emulator.requests;
    const error = await assertRejects(() => d.read("k"), DestinationError);
    assertEquals([error.retry, emulator.requests - before], [true, 1]);
    emulator.faults.add({ what, retryAfter: "1", times: 1 });
    assertEquals(await d.read("k"), undefined);
  }
});

Deno.test("copies, bucket: a name that is written too fast is waited for, and not changed", async () => {
  await using places = await begin({ mutationInterval: 1000 });
  const { emulator } = places;
  const d = await places.open();
  let generation = "";
  for (const text of ["1", "2", "3"]) {
    const written = await d.replace("head", bytesOf(text), generation);
    assert(written !== "changed");
    generation = written.generation;
  }
  assertEquals((await d.read("head"))!.bytes, bytesOf("3"));
  // Refused, and again a second later: not many times a second.
  assert(emulator.counts.insert <= 7, `${emulator.counts.insert} writes`);
  assertEquals(await d.remove("head", generation), "removed");
});

Deno.test("copies, bucket: what a policy or hold keeps is kept, and the head may not lie there", async () => {
  await using places = await begin();
  const bucket = places.emulator.bucket();
  const d = await places.open();
  const head = await d.replace("head", bytesOf("1"), "");
  assert(head !== "changed");
  bucket.retention = 3_600_000;
  assertEquals(await d.remove("head", head.generation), "kept");
  const error = await assertRejects(
    () => d.replace("head", bytesOf("2"), head.generation),
    DestinationError,
  );
  assertEquals(error.retry, false);
  assertStringIncludes(error.message, "'gs://bucket/one/head' may not be replaced: Object");
  // One that is not there any more is told before.
  assertEquals(await d.remove("head", "1"), "changed");
  // New names are free.
  const created = await d.create("k", sourceOf(bytesOf("k")));
  assert(created !== "exists");
  bucket.retention = 0;
  bucket.patch("one/k", { temporaryHold: true }, {});
  assertEquals(await d.remove("k", created.generation), "kept");
  bucket.patch("one/k", { temporaryHold: false }, {});
  assertEquals(await d.remove("k", created.generation), "removed");
});

Deno.test("copies, bucket: with versions all is as without, and what was removed is a noncurrent one", async () => {
  await using places = await begin();
  const bucket = places.emulator.bucket();
  bucket.versioning = true;
  bucket.retention = 3_600_000;
  const d = await places.open();
  const one = await d.replace("head", bytesOf("1"), "");
  assert(one !== "changed");
  const two = await d.replace("head", bytesOf("2"), one.generation);
  assert(two !== "changed");
  assertEquals(await d.remove("head", two.generation), "removed");
  assertEquals([await d.read("head"), await namesOf(d)], [undefined, []]);
  assertEquals(bucket.noncurrent("one/head").length, 2);
});

Deno.test("copies, bucket: without the right, or without the bucket, a sentence says so and does not pass", async () => {
  await using places = await begin();
  const d = await places.open();
  places.emulator.faults.add({ what: 403 });
  for (const one of [() => d.read("k"), () => d.create("k", sourceOf(large)), () => namesOf(d)]) {
    const error = await assertRejects(one, DestinationError);
    assertEquals(error.retry, false);
    assertStringIncludes(error.message, "roles/storage.objectUser");
  }
  places.emulator.faults.clear();
  const elsewhere = await openBucketDestination("gs://elsewhere/one", {
    endpoint: places.emulator.endpoint,
  });
  for (
    const one of [
      () => elsewhere.read("k"),
      () => elsewhere.create("k", sourceOf(bytesOf("k"))),
      () => elsewhere.create("k", sourceOf(large)),
      () => elsewhere.replace("k", bytesOf("k"), ""),
      () => elsewhere.remove("k", "1"),
      () => namesOf(elsewhere),
    ]
  ) {
    const error = await assertRejects(one, DestinationError);
    assertEquals(error.message.split(":")[0], "The bucket 'elsewhere' is not there");
    assertEquals(error.retry, false);
  }
  await elsewhere.close();
});

Deno.test("copies, bucket: an end is an end of everything that is under way", async () => {
  await using places = await begin();
  const { emulator } = places;
  const aborter = new AbortController();
  const d = await places.open("one", { signal: aborter.signal });
  const slow = await places.open("two", { bandwidth: 1 << 20 });
  emulator.faults.add({ what: "stall", operations: ["upload", "get"] });
  emulator.faults.add({ what: 503, operations: ["list"] });
  const under = [
    assertRejects(() => d.create("k", sourceOf(large)), DestinationError),
    assertRejects(() => d.read("k"), DestinationError),
    assertRejects(() => namesOf(d), DestinationError),
  ];
  const waiting = assertRejects(() => slow.create("k", sourceOf(large)), DestinationError);
  await until(() => {
    const { upload, get, list } = emulator.counts;
    return upload > 0 && get > 0 && list > 0;
  });
  aborter.abort();
  for (const error of await Promise.all(under)) assertEquals(error.retry, false);
  await assertRejects(() => d.read("k"), DestinationError);
  await slow.close();
  await waiting;
});

Deno.test("copies, bucket: an upload takes the memory of one part, and less where the line is slow", async () => {
  await using places = await begin();
  for (const [bandwidth, parts] of [[undefined, 4], [256 * quantum, 4], [8 * quantum, 2]]) {
    const d = await places.open(`${bandwidth}`, { bandwidth });
    let greatest = 0;
    const source: Source = {
      ...sourceOf(large),
      read: (from, into) => {
        greatest = Math.max(greatest, into.length);
        return sourceOf(large).read(from, into);
      },
    };
    assert(await d.create("k", source) !== "exists");
    assertEquals(greatest, parts! * quantum);
  }
});

Deno.test("copies, bucket: a listing goes on over pages, from any beginning", async () => {
  await using places = await begin();
  const { emulator } = places;
  const names = Array.from({ length: 2500 }, (_, i) => `pieces/${String(i).padStart(5, "0")}`);
  for (const name of names) emulator.bucket().insert(`one/${name}`, bytesOf(name), {}, {});
  const d = await places.open();
  assertEquals(await namesOf(d, "pieces/"), names);
  assertEquals(emulator.counts.list, 3);
  assertEquals(await namesOf(d, "pieces/", names[600]), names.slice(601));
  emulator.faults.add({ what: "cut", operations: ["list"], times: 2 });
  assertEquals(await namesOf(d, "", names[2498]), names.slice(2499));
});

Deno.test("copies, bucket: where no checksums are told, lengths and conditions still count", async () => {
  await using places = await begin({ deviations: { noChecksums: true } });
  const d = await places.open();
  const created = await d.create("k", sourceOf(large));
  assert(created !== "exists");
  assert(isSame(await streamed(d, "k"), large));
  assertEquals(await d.create("k", sourceOf(large)), "exists");
  for await (const entry of d.list("")) assertEquals("crc32c" in entry, false);
});

Deno.test("copies, bucket: what is no gs:// URL is refused with a sentence", () => {
  assertEquals(new BucketPlace("gs://bucket").shown("head"), "gs://bucket/head");
  for (const url of ["gs://bucket/a/b", "gs://bucket/a/b/", "gs://bucket//a/b//"]) {
    const place = new BucketPlace(url);
    assertEquals([place.url, place.shown("head")], ["gs://bucket/a/b", "gs://bucket/a/b/head"]);
  }
  const none = [
    "gs://",
    "gs:///a",
    "gs://B/a",
    "s3://bucket/a",
    "gs://bucket/a/../b",
    "gs://bucket/.",
  ];
  for (const url of [...none, "gs://bucket/a\nb", `gs://bucket/${"x".repeat(1000)}`]) {
    const error = assertThrows(() => new BucketPlace(url), ExitError);
    assertStringIncludes(error.message, "a bucket for copies is gs://BUCKET/PREFIX");
  }
});
