/** Large values, which are sent from where the store has them. */

import { assert, assertEquals } from "@std/assert";
import { binaryString, bytesOfBinaryString } from "../../lib/bytes.ts";
import { AdjustableClock } from "../../lib/clock.ts";
import type { Socket } from "../../lib/server/socket.ts";
import { Batch, type Store } from "../../lib/storage/contract.ts";
import { openDiskStore } from "../../lib/storage/disk/mod.ts";
import { openMemoryStore } from "../../lib/storage/memory/mod.ts";
import { itemOf } from "../storage/contract.ts";
import { FaultyFiles, Random } from "../storage/disk/faulty_files.ts";
import { Harness } from "./harness.ts";

const SIZE = 300_000;
const keys = ["a", "b", "c", "d"].map(bytesOfBinaryString);
const valueOf = (letter: string) => letter.repeat(SIZE);

/** A client that asks, takes a little, and the rest when it is let. */
class SlowReader implements Socket {
  written = "";
  writes = 0;
  /** Resolves when something of the reply has been taken, and more of it is there. */
  readonly begun: Promise<void>;
  #begin = () => {};
  #goOn = () => {};
  readonly #held = new Promise<void>((resolve) => this.#goOn = resolve);
  #asked = false;

  constructor(readonly request: string) {
    this.begun = new Promise((resolve) => this.#begin = resolve);
  }

  goOn(): void {
    this.#goOn();
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.#asked) return Promise.resolve(null);
    this.#asked = true;
    into.set(bytesOfBinaryString(this.request));
    return Promise.resolve(this.request.length);
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.writes++ > 0) {
      this.#begin();
      await this.#held;
    }
    const taken = bytes.subarray(0, this.writes === 1 ? 100 : 70_000);
    this.written += binaryString(taken);
    return taken.length;
  }

  close(): void {}
}

const stores: Record<string, () => Promise<Store>> = {
  memory: () =>
    Promise.resolve(openMemoryStore({
      ...{ clock: new AdjustableClock(), log: () => {}, limit: 1 << 22, evict: true },
    })),
  disk: () =>
    openDiskStore({
      directory: "d",
      files: new FaultyFiles(new Random(1)),
      clock: new AdjustableClock(),
      fsync: "no",
      memoryLimit: 1 << 23,
      log: () => {},
    }),
};

const replies: Record<string, [request: string, reply: string]> = {
  get: ["get a\r\n", `VALUE a 0 ${SIZE}\r\n${valueOf("1")}\r\nEND\r\n`],
  "get of two keys": [
    "get a a\r\n",
    `${`VALUE a 0 ${SIZE}\r\n${valueOf("1")}\r\n`.repeat(2)}END\r\n`,
  ],
  mg: ["mg a v s\r\n", `VA ${SIZE} s${SIZE}\r\n${valueOf("1")}\r\n`],
  "mg and more": ["mg a v\r\nmn\r\n", `VA ${SIZE}\r\n${valueOf("1")}\r\nMN\r\n`],
};

for (const [name, open] of Object.entries(stores)) {
  const put = async (store: Store, key: Uint8Array, letter: string) => {
    const batch = new Batch();
    await store.swap(key, "any", itemOf(valueOf(letter)), batch);
    await store.commit(batch);
  };

  for (const [command, [request, reply]] of Object.entries(replies)) {
    if (command === "get of two keys") continue;
    Deno.test(`${name} store: who reads a large value slowly has all of it, whatever is stored meanwhile (${command})`, async () => {
      const store = await open();
      await using harness = new Harness({ store: () => store });
      await put(store, keys[0], "1");
      const reader = new SlowReader(request);
      const served = harness.serve(reader);
      await reader.begun;
      // In its place, and in memory that is given back.
      for (const letter of ["2", "3", "4"]) await put(store, keys[0], letter);
      for (const key of keys.slice(1)) await put(store, key, "5");
      await store.swap(keys[0], "any", null, new Batch());
      for (const key of keys) await put(store, key, "6");
      reader.goOn();
      await served;
      assert(reader.written === reply, `${reader.written.length} of ${reply.length} bytes`);
    });
  }

  Deno.test(`${name} store: replies of several protocols are sent from one value concurrently`, async () => {
    const store = await open();
    await using harness = new Harness({ store: () => store });
    await put(store, keys[0], "1");
    const readers = Object.values(replies).map(([request, reply]) => ({
      reader: new SlowReader(request),
      reply,
    }));
    const served = readers.map(({ reader }) => harness.serve(reader));
    for (const { reader } of readers) await reader.begun;
    for (const { reader } of readers) reader.goOn();
    await Promise.all(served);
    for (const { reader, reply } of readers) assert(reader.written === reply, reader.request);
  });

  Deno.test(`${name} store: binary's reply with a large value, which ends with that, is sent`, async () => {
    const store = await open();
    await using harness = new Harness({ store: () => store });
    await put(store, keys[0], "1");
    const reader = new SlowReader(`\x80\0\0\x01${"\0".repeat(7)}\x01${"\0".repeat(12)}a`);
    reader.goOn();
    await harness.serve(reader);
    assertEquals([reader.written.length, reader.written[0]], [24 + 4 + SIZE, "\x81"]);
    assert(reader.written.endsWith(`\0\0\0\0${valueOf("1")}`));
  });

  Deno.test(`${name} store: who leaves while a large value is sent leaves it to be written over`, async () => {
    const store = await open();
    await using harness = new Harness({ store: () => store });
    await put(store, keys[0], "1");
    const reader = new SlowReader("get a\r\n");
    reader.write = () => Promise.reject(new Deno.errors.BrokenPipe("gone"));
    await harness.serve(reader);
    await put(store, keys[0], "2");
    const again = new SlowReader("get a\r\n");
    again.goOn();
    await harness.serve(again);
    assertEquals(again.written.indexOf("2"), `VALUE a 0 ${SIZE}\r\n`.length);
  });
}

Deno.test("memory store: a large value is sent by one write with what its reply has around it", async () => {
  const store = await stores.memory();
  await using harness = new Harness({ store: () => store });
  for (const size of [70_000, 100_000, SIZE]) {
    await store.swap(keys[0], "any", itemOf("1".repeat(size)), new Batch());
    const reader = new SlowReader("gets a\r\n");
    reader.write = (bytes) => {
      reader.writes++;
      reader.written += binaryString(bytes);
      return Promise.resolve(bytes.length);
    };
    await harness.serve(reader);
    assertEquals(reader.writes, 1);
    assertEquals(reader.written.indexOf("1".repeat(20)), reader.written.indexOf("\r\n") + 2);
    assert(reader.written.endsWith(`${"1".repeat(size)}\r\nEND\r\n`));
  }
});

Deno.test("a large value that waits to be sent counts as memory of its client", async () => {
  await using harness = new Harness({}, true);
  const { memory } = harness.server;
  await harness.store.swap(keys[0], "any", itemOf("1".repeat(900_000)), new Batch());
  const conn = await harness.connect();
  const before = memory.used;
  await conn.write(bytesOfBinaryString("get a\r\n".repeat(20)));
  while (memory.used < before + 800_000) await new Promise((resolve) => setTimeout(resolve, 1));
  conn.close();
  while (memory.used > before) await new Promise((resolve) => setTimeout(resolve, 1));
});
