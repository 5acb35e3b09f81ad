/** The emulator is as strict as the service; what it is held to is the service's documentation. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ask, insert, objects } from "./ask.ts";
import { Emulator } from "./mod.ts";

Deno.test("emulator: a multipart insert is read through both APIs", async () => {
  await using emulator = await Emulator.start();
  const resource = { metadata: { flags: "7" }, customTime: "2030-01-01T00:00:00Z" };
  const { status, json } = await insert(emulator, "a/b", "hello\r\n", { resource });
  assertEquals(status, 200);
  assertEquals([json.name, json.size, json.metageneration], ["a/b", "7", "1"]);
  assertEquals(json.contentType, "text/plain");
  const metadata = await ask(emulator, "GET", `${objects}/a%2Fb`);
  assertEquals(metadata.json, json);
  const media = await ask(emulator, "GET", `${objects}/a%2Fb?alt=media`);
  assertEquals(media.text, "hello\r\n");
  for (const path of ["/bucket/a/b", "/bucket/a%2Fb"]) {
    const xml = await ask(emulator, "GET", path);
    assertEquals(xml.text, "hello\r\n");
    assertEquals(xml.headers.get("x-goog-generation"), json.generation);
    assertEquals(xml.headers.get("x-goog-meta-flags"), "7");
  }
  const head = await ask(emulator, "HEAD", "/bucket/a/b");
  assertEquals([head.status, head.text], [200, ""]);
  const part = await ask(emulator, "GET", "/bucket/a/b", { headers: { range: "bytes=1-2" } });
  assertEquals([part.status, part.text], [206, "el"]);
});

Deno.test("emulator: generations are unique, in no order, and greater than a double can tell", async () => {
  await using emulator = await Emulator.start();
  const generations: bigint[] = [];
  for (let i = 0; i < 20; i++) {
    generations.push(BigInt((await insert(emulator, "k", "v")).json.generation));
  }
  assertEquals(new Set(generations).size, 20);
  assert(generations.some((generation, i) => i > 0 && generation < generations[i - 1]));
  assert(generations.some((generation) => BigInt(Number(generation)) !== generation));
});

Deno.test("emulator: preconditions that do not hold are 412, unchanged is 304", async () => {
  await using emulator = await Emulator.start();
  const first = await insert(emulator, "k", "1", { query: "&ifGenerationMatch=0" });
  assertEquals(first.status, 200);
  const { generation } = first.json;
  const again = await insert(emulator, "k", "2", { query: "&ifGenerationMatch=0" });
  assertEquals(again.status, 412);
  assertEquals(again.json.error.errors[0].reason, "conditionNotMet");
  assertEquals((await insert(emulator, "k", "2", { query: "&ifGenerationMatch=1" })).status, 412);
  assertEquals(
    (await insert(emulator, "other", "2", { query: "&ifGenerationMatch=1" })).status,
    412,
  );
  const get = (query: string) => ask(emulator, "GET", `${objects}/k?${query}`);
  assertEquals((await get(`ifGenerationMatch=${generation}`)).status, 200);
  assertEquals((await get("ifGenerationMatch=1")).status, 412);
  assertEquals((await get(`ifGenerationNotMatch=${generation}`)).status, 304);
  assertEquals((await get("ifMetagenerationMatch=2")).status, 412);
  assertEquals((await get("ifMetagenerationNotMatch=1")).status, 304);
  assertEquals((await get("ifGenerationMatch=x")).status, 400);
  assertEquals((await get(`generation=${generation}`)).status, 200);
  assertEquals((await get("generation=1")).status, 404);
  const etag = `"${generation}"`;
  const unchanged = await ask(emulator, "GET", "/bucket/k", { headers: { "if-none-match": etag } });
  assertEquals(unchanged.status, 304);
  const other = { "x-goog-if-generation-match": "1" };
  assertEquals((await ask(emulator, "GET", "/bucket/k", { headers: other })).status, 412);
  const next = await insert(emulator, "k", "2", { query: `&ifGenerationMatch=${generation}` });
  assertEquals(next.status, 200);
  const remove = (query: string) => ask(emulator, "DELETE", `${objects}/k?${query}`);
  assertEquals((await remove(`ifGenerationMatch=${generation}`)).status, 412);
  assertEquals((await remove(`ifGenerationMatch=${next.json.generation}`)).status, 204);
  assertEquals((await remove("")).status, 404);
});

Deno.test("emulator: a patch changes metadata and metageneration, not content and generation", async () => {
  await using emulator = await Emulator.start();
  const { json } = await insert(emulator, "k", "v", { resource: { metadata: { a: "1", b: "2" } } });
  const patch = (query: string) =>
    ask(emulator, "PATCH", `${objects}/k?${query}`, {
      body: JSON.stringify({ metadata: { a: null, c: "3" } }),
    });
  assertEquals((await patch("ifMetagenerationMatch=9")).status, 412);
  const patched = (await patch("ifMetagenerationMatch=1")).json;
  assertEquals(patched.metadata, { b: "2", c: "3" });
  assertEquals([patched.metageneration, patched.generation], ["2", json.generation]);
});

Deno.test("emulator: names that the service does not take are 400", async () => {
  await using emulator = await Emulator.start();
  const names = ["", ".", "..", "a\nb", "a\rb", ".well-known/acme-challenge/x", "x".repeat(1025)];
  for (const name of names) {
    const { status, json } = await insert(emulator, name, "v");
    assertEquals([status, json.error.code], [400, 400], name);
  }
  assertEquals((await insert(emulator, "é".repeat(512), "v")).status, 200);
  assertEquals((await insert(emulator, "é".repeat(513), "v")).status, 400);
});

Deno.test("emulator: what is not there is told in the words of each API", async () => {
  await using emulator = await Emulator.start();
  const json = await ask(emulator, "GET", `${objects}/k`);
  assertEquals(json.status, 404);
  assertEquals(json.json.error.message, "No such object: bucket/k");
  const xml = await ask(emulator, "GET", "/bucket/k");
  assertEquals(xml.status, 404);
  assert(xml.text.includes("<Code>NoSuchKey</Code>"));
  const bucket = await ask(emulator, "GET", "/elsewhere/k");
  assertEquals(bucket.status, 404);
  assert(bucket.text.includes("<Code>NoSuchBucket</Code>"));
  const listing = await ask(emulator, "GET", "/storage/v1/b/elsewhere/o");
  assertEquals(listing.json.error.message, "The specified bucket does not exist.");
});

Deno.test("emulator: a listing has prefixes, pages, and the order of UTF-8", async () => {
  await using emulator = await Emulator.start();
  const names = ["a", "b/1", "b/2", "b/c/3", "b0", "\u{ff5e}", "\u{1f600}"];
  for (const name of names.toReversed()) await insert(emulator, name, "v");
  const list = async (query: string) => (await ask(emulator, "GET", `${objects}?${query}`)).json;
  const namesOf = (page: { items?: { name: string }[] }) =>
    (page.items ?? []).map(({ name }) => name);
  assertEquals(namesOf(await list("")), names);
  assertEquals(namesOf(await list("prefix=b/")), ["b/1", "b/2", "b/c/3"]);
  const directory = await list("prefix=b/&delimiter=/");
  assertEquals([namesOf(directory), directory.prefixes], [["b/1", "b/2"], ["b/c/"]]);
  const top = await list("delimiter=/");
  assertEquals([namesOf(top).length, top.prefixes], [4, ["b/"]]);
  for (const delimiter of ["", "/"]) {
    const found: string[] = [];
    let token = "";
    do {
      const page = await list(`maxResults=1&delimiter=${delimiter}&pageToken=${token}`);
      found.push(...namesOf(page), ...page.prefixes ?? []);
      token = page.nextPageToken ?? "";
    } while (token !== "");
    assertEquals(found.length, delimiter === "" ? 7 : 5);
    assertEquals(new Set(found).size, found.length);
  }
  const fields = await list("maxResults=1&fields=items(name,size)");
  assertEquals(fields, { items: [{ name: "a", size: "1" }] });
});

Deno.test("emulator: one object takes one mutation in the interval, others are not concerned", async () => {
  await using emulator = await Emulator.start({ mutationInterval: 200 });
  assertEquals((await insert(emulator, "k", "1")).status, 200);
  const { status, json } = await insert(emulator, "k", "2");
  assertEquals([status, json.error.errors[0].reason], [429, "rateLimitExceeded"]);
  assert(json.error.message.includes("exceeded the rate limit for object mutation operations"));
  assertEquals((await ask(emulator, "DELETE", `${objects}/k`)).status, 429);
  assertEquals((await insert(emulator, "other", "1")).status, 200);
  await new Promise((resolve) => setTimeout(resolve, 210));
  assertEquals((await insert(emulator, "k", "2")).status, 200);
});

Deno.test("emulator: a bucket takes so many requests a second", async () => {
  await using emulator = await Emulator.start({ writesPerSecond: 5, readsPerSecond: 10 });
  const statuses = await Promise.all(
    Array.from({ length: 20 }, async (_, i) => (await insert(emulator, `k${i}`, "v")).status),
  );
  const passed = statuses.filter((status) => status === 200).length;
  assert(passed >= 5 && passed < 10);
  assertEquals(new Set(statuses), new Set([200, 429]));
});

Deno.test("emulator: latency is drawn from its quantiles", async () => {
  await using emulator = await Emulator.start({ readLatency: [20, 40] });
  const began = performance.now();
  await ask(emulator, "GET", "/bucket/k");
  assert(performance.now() - began >= 19);
});

Deno.test("emulator: faults come before or after the effect, as often as they are told", async () => {
  await using emulator = await Emulator.start();
  for (const what of ["reset", "close", "cut"] as const) {
    for (const after of [false, true]) {
      emulator.faults.add({ what, after, operations: ["insert"], times: 1 });
      const name = `${what}${after}`;
      await assertRejects(() => insert(emulator, name, "v".repeat(100)), TypeError);
      assertEquals((await ask(emulator, "GET", `/bucket/${name}`)).status, after ? 200 : 404);
    }
  }
  emulator.faults.add({ what: 503, times: 2 });
  assertEquals((await insert(emulator, "k", "v")).status, 503);
  assertEquals((await ask(emulator, "GET", "/bucket/k")).status, 503);
  assertEquals((await insert(emulator, "k", "v")).status, 200);
});

Deno.test("emulator: faults are set and taken away through the control address", async () => {
  await using emulator = await Emulator.start();
  await ask(emulator, "POST", "/emulator/faults", { body: JSON.stringify({ what: 500 }) });
  assertEquals((await ask(emulator, "GET", "/bucket/k")).status, 500);
  await ask(emulator, "DELETE", "/emulator/faults");
  assertEquals((await ask(emulator, "GET", "/bucket/k")).status, 404);
  assertEquals((await ask(emulator, "GET", "/emulator/counts")).json.get, 2);
});

Deno.test("emulator: with authentication a stranger is 401 and who may not is 403", async () => {
  const account = "reader@project.iam.gserviceaccount.com";
  await using emulator = await Emulator.start({
    auth: { lifetime: 3600, accounts: { [account]: ["storage.objects.get"] } },
  });
  const nobody = await ask(emulator, "GET", "/bucket/k");
  assertEquals(nobody.status, 401);
  assert(nobody.text.includes("Anonymous caller does not have storage.objects.get access"));
  const { json } = await ask(emulator, "POST", "/token", {
    body: new URLSearchParams({ subject_token: account }),
  });
  const headers = { authorization: `Bearer ${json.access_token}` };
  assertEquals((await ask(emulator, "GET", "/bucket/k", { headers })).status, 404);
  const listing = await ask(emulator, "GET", objects, { headers });
  assertEquals([listing.status, listing.json.error.errors[0].reason], [403, "forbidden"]);
  emulator.auth!.revoke();
  const stale = await ask(emulator, "GET", `${objects}/k`, { headers });
  assertEquals([stale.status, stale.json.error.message], [401, "Invalid Credentials"]);
});

Deno.test("emulator: contents have their checksum, and an insert with another is refused", async () => {
  await using emulator = await Emulator.start();
  const right = "mnG7TA==";
  const inserted = await insert(emulator, "k", "hello", { resource: { crc32c: right } });
  assertEquals([inserted.status, inserted.json.crc32c], [200, right]);
  const wrong = await insert(emulator, "k", "hallo", { resource: { crc32c: right } });
  assertEquals([wrong.status, /doesn't match calculated CRC32C/.test(wrong.text)], [400, true]);
  for (const path of ["/bucket/k", `${objects}/k?alt=media`]) {
    const { headers } = await ask(emulator, "GET", path);
    assert(headers.get("x-goog-hash")!.includes(`crc32c=${right}`));
  }
});

Deno.test("emulator: what is stored compressed is decompressed for who does not accept it so", async () => {
  await using emulator = await Emulator.start();
  const compressed = new Uint8Array(
    await new Response(new Blob(["hello"]).stream().pipeThrough(new CompressionStream("gzip")))
      .arrayBuffer(),
  );
  emulator.bucket().insert("k", compressed, { contentEncoding: "gzip" }, {});
  const identity = { "accept-encoding": "identity" };
  const { text, headers } = await ask(emulator, "GET", "/bucket/k", { headers: identity });
  assertEquals(text, "hello");
  assertEquals(headers.get("content-encoding"), null);
  assertEquals(headers.get("x-goog-stored-content-encoding"), "gzip");
});

Deno.test("emulator: each switch of another server's ways does what it says, and nothing else", async () => {
  await using emulator = await Emulator.start();
  const resource = { metadata: { flags: "7" } };
  /** What a client sees of a missing object, an empty one's resource and headers, and a delete. */
  const seen = async () => {
    await insert(emulator, "k", "", { resource });
    const missing = await ask(emulator, "GET", "/bucket/none");
    const { json } = await ask(emulator, "GET", `${objects}/k`);
    const { headers } = await ask(emulator, "GET", "/bucket/k");
    const damaged = await insert(emulator, "other", "x", { resource: { crc32c: "AAAAAA==" } });
    const unmet = await ask(emulator, "DELETE", `${objects}/k?ifGenerationMatch=1`);
    if (unmet.status !== 412) await insert(emulator, "k", "");
    const deleted = await ask(emulator, "DELETE", `${objects}/k`);
    return {
      damaged: damaged.status,
      unmet: unmet.status,
      missing: missing.text.includes("NoSuchKey"),
      deleted: deleted.status,
      flags: headers.get("x-goog-meta-flags"),
      size: json.size,
      checksums: [headers.has("x-goog-hash"), "crc32c" in json],
    };
  };
  const usual = await seen();
  assertEquals(usual, {
    damaged: 400,
    unmet: 412,
    missing: true,
    deleted: 204,
    flags: "7",
    size: "0",
    checksums: [true, true],
  });
  const switches = [
    ["plainMissing", { missing: false }],
    ["deletesWith200", { deleted: 200 }],
    ["damagedWith412", { damaged: 412 }],
    ["fewPreconditions", { unmet: 204 }],
    ["noXmlMetadata", { flags: null }],
    ["noZeroSize", { size: undefined }],
    ["noChecksums", { checksums: [false, false] as boolean[], damaged: 200 }],
  ] as const;
  for (const [name, differs] of switches) {
    emulator.deviations[name] = true;
    assertEquals(await seen(), { ...usual, ...differs });
    emulator.deviations[name] = false;
  }
  assertEquals(await seen(), usual);
});

Deno.test("emulator: a fault changes one byte of a content on its way, and nothing else", async () => {
  await using emulator = await Emulator.start();
  await insert(emulator, "k", "hello");
  emulator.faults.add({ what: "change", operations: ["get"], times: 1 });
  const changed = (await ask(emulator, "GET", "/bucket/k")).text;
  assertEquals([...changed].filter((sign, i) => sign !== "hello"[i]).length, 1);
  assertEquals((await ask(emulator, "GET", "/bucket/k")).text, "hello");
  emulator.faults.add({ what: "change", operations: ["insert"], times: 1 });
  assertEquals((await insert(emulator, "k", "hello")).status, 200);
  const stored = (await ask(emulator, "GET", "/bucket/k")).text;
  assertEquals([stored.slice(0, 4), stored.length, stored === "hello"], ["hell", 5, false]);
  const resource = { crc32c: "mnG7TA==" };
  emulator.faults.add({ what: "change", operations: ["insert"], times: 2 });
  assertEquals((await insert(emulator, "k", "hello", { resource })).status, 400);
  emulator.deviations.ignoresChecksums = true;
  assertEquals((await insert(emulator, "k", "hello", { resource })).status, 200);
});
