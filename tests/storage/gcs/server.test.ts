/** The whole way from a client's bytes to the bucket and back. */

import { assert, assertEquals } from "@std/assert";
import { Harness } from "../../server/harness.ts";
import { exchangeWith, receiveUntil, send } from "../../server/wire.ts";
import * as commands from "./commands.ts";
import { figure, Place } from "./open.ts";

Deno.test("gcs server: 64 connections increment one key, and every answer is another number", async () => {
  await using place = await Place.open({ mutationInterval: 1000, writeLatency: [20, 60] });
  const store = await place.store();
  await using harness = new Harness({ store: () => store.store }, true);
  await exchangeWith(harness.port, "set n 0 0 1\r\n0\r\n");
  const answers = new Set<string>();
  let increments = 0;
  const begun = performance.now();
  const end = begun + 1500;
  await Promise.all(Array.from({ length: 64 }, async () => {
    using conn = await harness.connect();
    while (performance.now() < end) {
      await send(conn, "incr n 1\r\n");
      answers.add(await receiveUntil(conn, "\r\n"));
      increments++;
    }
  }));
  const took = (performance.now() - begun) / 1000;
  assertEquals(answers.size, increments);
  const read = await exchangeWith(harness.port, "get n\r\n");
  assertEquals(read.split("\r\n")[1].trimEnd(), `${increments}`);
  const uploads = figure(store, "uploads");
  assert(uploads <= took + 3, `${uploads} uploads in ${took} s`);
});

Deno.test("gcs server: the keys of one get are read side by side", async () => {
  await using place = await Place.open({ readLatency: [50, 50] });
  const other = await place.store();
  const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
  for (const key of keys) await commands.set(other, key, "v");
  const store = await place.store();
  await using harness = new Harness({ store: () => store.store }, true);
  using conn = await harness.connect();
  const get = async () => {
    await send(conn, `get ${keys.join(" ")}\r\n`);
    assertEquals((await receiveUntil(conn, "END\r\n")).match(/VALUE/g)?.length, 100);
  };
  // As long as nobody knows how large the values are, few are held at a time.
  await get();
  const before = place.emulator.connections;
  await get();
  assert(place.emulator.connections - before > 50);
});

Deno.test("gcs server: a value that others make longer meanwhile is answered with its length", async () => {
  await using place = await Place.open({ mutationInterval: 1000 });
  const store = await place.store();
  await using harness = new Harness({ store: () => store.store });
  assertEquals(await harness.exchange(["set k 7 0 2\r\nab\r\n"]), "STORED\r\n");
  assertEquals(
    await harness.exchange([
      "append k 0 0 3\r\ncde\r\ngat 100 k\r\nprepend k 0 0 1\r\n>\r\nmg k v s T200\r\n" +
      "ms k 1 MA s\r\n<\r\ngat 0 k\r\nversion\r\n",
    ]),
    "STORED\r\nVALUE k 7 5\r\nabcde\r\nEND\r\nSTORED\r\nVA 6 s6\r\n>abcde\r\n" +
      "HD s7\r\nVALUE k 7 7\r\n>abcde<\r\nEND\r\nVERSION 1.6.45-kvs-test\r\n",
  );
});

Deno.test("gcs server: the unique that a read shows is that of what it reads, also of what is being written", async () => {
  await using place = await Place.open({ mutationInterval: 1000 });
  const store = await place.store();
  await using harness = new Harness({ store: () => store.store });
  const reply = await harness.exchange([
    "ms k 1 c\r\na\r\ngats 100 k\r\nmg k c T200\r\nmg k c R1\r\nmn\r\n",
  ]);
  const [unique] = /(?<=^HD c)\d+/.exec(reply)!;
  assertEquals(
    reply,
    `HD c${unique}\r\nVALUE k 0 1 ${unique}\r\na\r\nEND\r\nHD c${unique}\r\nHD c${unique}\r\nMN\r\n`,
  );
  assertEquals(await harness.exchange([`cas k 0 0 1 ${unique}\r\nb\r\n`]), "STORED\r\n");
});

Deno.test("gcs server: what one connection pipelines on one key goes out together", async () => {
  await using place = await Place.open({ mutationInterval: 1000, writeLatency: [20, 60] });
  const store = await place.store();
  await using harness = new Harness({ store: () => store.store });
  // They come in one go: a new connection reads 2 KiB.
  const forty = Array.from({ length: 40 }, (_, i) => i);
  for (const noreply of ["", " noreply"]) {
    const before = figure(store, "uploads");
    const sets = forty.map((i) => `set k ${i} 0 1${noreply}\r\n0\r\n`).join("");
    const increments = forty.map(() => `incr k 1${noreply}\r\n`).join("");
    const stored = "STORED\r\n".repeat(40);
    const counted = forty.map((i) => `${i + 1}\r\n`).join("");
    assertEquals(
      await harness.exchange([`${sets}${increments}get k\r\n`]),
      `${noreply ? "" : stored + counted}VALUE k 39 2\r\n40\r\nEND\r\n`,
    );
    // A busy machine has the connection give way in the middle, and what came before goes out first.
    const uploads = figure(store, "uploads") - before;
    assert(uploads <= 3, `${uploads} uploads`);
  }
});

Deno.test("gcs server: what is pipelined behind a flush is not flushed", async () => {
  await using place = await Place.open();
  const store = await place.store();
  await using harness = new Harness({ store: () => store.store });
  assertEquals(
    await harness.exchange([
      "set a 0 0 1\r\nx\r\nflush_all\r\nget a\r\nset b 0 0 1\r\ny\r\nget b\r\n",
    ]),
    "STORED\r\nOK\r\nEND\r\nSTORED\r\nVALUE b 0 1\r\ny\r\nEND\r\n",
  );
});

Deno.test("gcs server: a service that is away is an error for that request alone", async () => {
  await using place = await Place.open();
  const store = await place.store({ timeout: 2000 });
  await using harness = new Harness({ store: () => store.store });
  place.emulator.faults.add({ what: 503, operations: ["insert"] });
  assertEquals(
    await harness.exchange(["set k 0 0 1\r\nx\r\nget k\r\n"]),
    "SERVER_ERROR The bucket 'bucket' did not answer in time: 503 Service Unavailable\r\nEND\r\n",
  );
});
