import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { AdjustableClock } from "../../lib/clock.ts";
import { OutOfSpaceError, StoreError } from "../../lib/errors.ts";
import type { Batch } from "../../lib/storage/contract.ts";
import { frame } from "./frames.ts";
import { Harness, ScriptedSocket } from "./harness.ts";
import {
  ForgetfulStore,
  OrderedStore,
  SlowStore,
  TellingStore,
  type WrappedStore,
} from "./wrapped_store.ts";

/** A request that shows and expects no unique: those count up in the order of effects. */
const blind = frame.filter((sent) => !/^(gets|gats|cas)/.test(sent));

async function repliesOf(
  store: ((clock: AdjustableClock) => WrappedStore) | undefined,
  frames: readonly string[],
): Promise<string> {
  const clock = new AdjustableClock();
  await using harness = new Harness({ clock, store: store && (() => store(clock)) });
  const replies = await harness.exchange([frames.join("")]);
  assertEquals(harness.said, []);
  return replies;
}

Deno.test("a slow store: gets the same replies in the same order as one in memory", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(blind, { minLength: 1, maxLength: 60 }),
      fc.array(fc.option(fc.nat(3), { nil: undefined }), { minLength: 1, maxLength: 20 }),
      async (frames, delays) => {
        let i = 0;
        const delay = () => delays[i++ % delays.length];
        const expected = await repliesOf(undefined, frames);
        for (const kind of [SlowStore, TellingStore, OrderedStore]) {
          assertEquals(await repliesOf((clock) => new kind(clock, delay), frames), expected);
        }
      },
    ),
    { numRuns: 60 },
  );
});

for (const turns of [undefined, 2]) {
  const when = turns === undefined ? "in the call" : "later";
  Deno.test(`a slow store: what it fails at is answered in its place, told ${when}`, async () => {
    const clock = new AdjustableClock();
    const store = new TellingStore(clock, () => turns);
    await using harness = new Harness({ clock, store: () => store });
    assertEquals(
      await harness.exchange(["set a 0 0 1\r\n1\r\nset b 0 0 1\r\n2\r\n"]),
      "STORED\r\nSTORED\r\n",
    );
    let reads = 0;
    store.failing = (next) => {
      if (next === undefined) return ++reads === 2 ? new StoreError("it is away") : undefined;
      return next === null ? undefined : new OutOfSpaceError("it is full");
    };
    const sent = "get a\r\nget b\r\nset a 0 0 1\r\n3\r\nadd c 0 0 1\r\n4\r\nget b\r\n";
    assertEquals(
      await harness.exchange([sent]),
      "VALUE a 0 1\r\n1\r\nEND\r\nSERVER_ERROR it is away\r\n" +
        "SERVER_ERROR out of memory storing object\r\n".repeat(2) + "VALUE b 0 1\r\n2\r\nEND\r\n",
    );
    // Who could not give the key its new value must not read the old one.
    store.failing = () => undefined;
    assertEquals(
      await harness.exchange(["get a\r\nget b\r\n"]),
      "END\r\nVALUE b 0 1\r\n2\r\nEND\r\n",
    );
    assertEquals(store.pending, 0);
  });
}

Deno.test("a slow store: requests on one key take effect in their order", async () => {
  const clock = new AdjustableClock();
  let delay = 40;
  const store = new SlowStore(clock, () => delay = Math.max(0, delay - 1));
  await using harness = new Harness({ clock, store: () => store });
  const sent = "set k 0 0 1\r\n0\r\n" + "append k 0 0 1\r\n1\r\nget k\r\n".repeat(10) +
    "set k 0 0 1\r\n2\r\nget k\r\ndelete k\r\nget k\r\n";
  const grown = Array.from(
    { length: 10 },
    (_, i) => `STORED\r\nVALUE k 0 ${i + 2}\r\n0${"1".repeat(i + 1)}\r\nEND\r\n`,
  ).join("");
  assertEquals(
    await harness.exchange([sent]),
    `STORED\r\n${grown}STORED\r\nVALUE k 0 1\r\n2\r\nEND\r\nDELETED\r\nEND\r\n`,
  );
});

Deno.test("a slow store: is given requests on different keys together", async () => {
  const clock = new AdjustableClock();
  const store = new SlowStore(clock, () => 2);
  await using harness = new Harness({ clock, store: () => store });
  const keys = Array.from({ length: 20 }, (_, i) => `key-${i}`);
  await harness.exchange([keys.map((key) => `set ${key} 0 0 1 noreply\r\nx\r\n`).join("")]);
  assertEquals(store.mostPending, 20);
});

Deno.test("a slow store: a commit that it waits for comes before the replies", async () => {
  const clock = new AdjustableClock();
  const order: string[] = [];
  const store = new class extends SlowStore {
    override async commit(batch: Batch) {
      await super.commit(batch);
      order.push("commit");
    }
  }(clock, () => 5);
  await using harness = new Harness({ clock, store: () => store });
  const pieces = ["set k 0 0 1\r\nx\r\n"];
  await harness.serve({
    read: (into) => {
      const piece = pieces.shift();
      if (piece === undefined) return Promise.resolve(null);
      const { written } = new TextEncoder().encodeInto(piece, into);
      if (written < piece.length) pieces.unshift(piece.slice(written));
      return Promise.resolve(written);
    },
    write: (bytes) => {
      order.push(new TextDecoder().decode(bytes));
      return Promise.resolve(bytes.length);
    },
    close: () => {},
  });
  assertEquals(order, ["commit", "STORED\r\n"]);
});

Deno.test("a slow store: noreply alone is answered by no write", async () => {
  const clock = new AdjustableClock();
  await using harness = new Harness({ clock, store: () => new SlowStore(clock, () => 1) });
  const socket = new ScriptedSocket(["set a 0 0 1 noreply\r\nx\r\n"]);
  await harness.serve(socket);
  assertEquals(socket.writes, 0);
});

Deno.test("a store that spoils what it has shown: the replies are as with one in memory", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(blind, { minLength: 1, maxLength: 60 }), async (frames) => {
      const forgetful = (clock: AdjustableClock) => new ForgetfulStore(clock);
      assertEquals(await repliesOf(forgetful, frames), await repliesOf(undefined, frames));
    }),
    { numRuns: 100 },
  );
});

Deno.test("a slow store: large values come one window at a time", async () => {
  const clock = new AdjustableClock();
  let slow = false;
  const store = new SlowStore(clock, () => slow ? 1 : undefined);
  await using harness = new Harness({ clock, store: () => store });
  const value = "x".repeat(500_000);
  const keys = Array.from({ length: 300 }, (_, i) => `key-${i}`);
  const reply = (key: string) => `VALUE ${key} 0 ${value.length}\r\n${value}\r\n`;
  for (const key of keys) {
    await harness.exchange([`set ${key} 0 0 ${value.length} noreply\r\n${value}\r\n`]);
  }
  slow = true;
  let received = 0;
  const pieces = [`get ${keys.join(" ")}\r\n`];
  await harness.serve({
    read: (into) => {
      const piece = pieces.shift();
      if (piece === undefined) return Promise.resolve(null);
      const { written } = new TextEncoder().encodeInto(piece, into);
      if (written < piece.length) pieces.unshift(piece.slice(written));
      return Promise.resolve(written);
    },
    write: (bytes) => {
      received += bytes.length;
      return Promise.resolve(bytes.length);
    },
    close: () => {},
  });
  assertEquals(received, keys.reduce((sum, key) => sum + reply(key).length, "END\r\n".length));
  assert(store.mostPending <= 8, `${store.mostPending} values of ${value.length} bytes pending`);
});
