import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { frame, misfit } from "./frames.ts";
import { AdjustableClock } from "../../lib/clock.ts";
import { StoreError } from "../../lib/errors.ts";
import { Harness, ScriptedSocket } from "./harness.ts";
import { OrderedStore, SlowStore } from "./wrapped_store.ts";

/** The bytes of a text in pieces that end at these places, which count round and round. */
function cutAt(text: string, lengths: readonly number[]): string[] {
  const pieces: string[] = [];
  for (let at = 0, i = 0; at < text.length; i++) {
    const length = lengths[i % lengths.length];
    pieces.push(text.slice(at, at + length));
    at += length;
  }
  return pieces;
}

async function repliesTo(pieces: readonly string[]): Promise<string> {
  await using harness = new Harness();
  return await harness.exchange(pieces);
}

Deno.test("a pipeline: any split of the same bytes has the same replies", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ arbitrary: frame, weight: 9 }, misfit), { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 }),
      async (frames, lengths) => {
        const sent = frames.join("");
        const whole = await repliesTo([sent]);
        assertEquals(await repliesTo([...sent]), whole);
        assertEquals(await repliesTo(cutAt(sent, lengths)), whole);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("a pipeline: every place at which these bytes may be cut has the same replies", async () => {
  const sent =
    "set a 5 0 3\r\nx\r\n\r\nget a b a\r\nset a 0 0 x\r\nincr b 1\r\nset b 0 0 1 noreply\r\n1\r\n" +
    "cas b 0 0 2 2\r\n10\r\ngets b\r\nset c 0 0 2\r\nabcd\r\ndelete a noreply\r\nversion\r\n";
  const whole = await repliesTo([sent]);
  for (let i = 1; i < sent.length; i++) {
    assertEquals(await repliesTo([sent.slice(0, i), sent.slice(i)]), whole, `cut at ${i}`);
  }
});

Deno.test("a pipeline: gets the replies that its requests get one by one, in their order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 200 }), async (frames) => {
      await using harness = new Harness();
      let single = "";
      for (const sent of frames) single += await harness.exchange([sent]);
      assertEquals(await repliesTo([frames.join("")]), single);
    }),
    { numRuns: 100 },
  );
});

Deno.test("a pipeline: what has noreply is nowhere answered", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 100 }), async (frames) => {
      const silent = frames.filter((sent) => /^[^\r]* noreply\r/.test(sent));
      assertEquals(await repliesTo([silent.join("")]), "");
    }),
    { numRuns: 100 },
  );
});

Deno.test("a pipeline: of ten thousand requests is answered in order", async () => {
  const keys = Array.from({ length: 10_000 }, (_, i) => `key-${i}`);
  const sent = keys.map((key) => `set ${key} 0 0 1 noreply\r\nx\r\nget ${key}\r\n`).join("");
  const expected = keys.map((key) => `VALUE ${key} 0 1\r\nx\r\nEND\r\n`).join("");
  assertEquals(await repliesTo([sent]), expected);
});

Deno.test("a pipeline: that is read together is answered by one write", async () => {
  await using harness = new Harness();
  const socket = new ScriptedSocket(["get a\r\n".repeat(100), "get b\r\n".repeat(100)]);
  await harness.serve(socket);
  assertEquals([socket.written, socket.writes], ["END\r\n".repeat(200), 2]);
});

Deno.test("a pipeline: of noreply alone is answered by no write", async () => {
  await using harness = new Harness();
  const socket = new ScriptedSocket(["set a 0 0 1 noreply\r\nx\r\n"]);
  await harness.serve(socket);
  assertEquals(socket.writes, 0);
});

/** A server on a slow store that keeps the order of a key's changes, or does not. */
function onSlowStore<Kind extends SlowStore>(
  kind: new (clock: AdjustableClock, delay: () => number) => Kind,
): { harness: Harness; store: Kind } {
  const clock = new AdjustableClock();
  const store = new kind(clock, () => 2);
  return { harness: new Harness({ clock, store: () => store }), store };
}

/** From who sends as much as this in one go much is taken in one go. Has no reply. */
const MUCH = `set m 0 0 3000 noreply\r\n${"x".repeat(3000)}\r\n`;
const hundred = Array.from({ length: 100 }, (_, i) => i);

Deno.test("a pipeline: changes of one key are made together where the store keeps their order", async () => {
  for (const [kind, together] of [[OrderedStore, 100], [SlowStore, 1]] as const) {
    const { harness, store } = onSlowStore<SlowStore>(kind);
    await using _ = harness;
    store.least = together;
    const sets = hundred.map((i) => `set k ${i} 0 1\r\nx\r\n`).join("");
    assertEquals(
      await harness.exchange([`${sets}get k\r\n`]),
      `${"STORED\r\n".repeat(100)}VALUE k 99 1\r\nx\r\nEND\r\n`,
    );
    assertEquals(store.mostPending, together);
  }
});

Deno.test("a pipeline: changes with noreply are made together likewise, and the read after sees them", async () => {
  const { harness, store } = onSlowStore(OrderedStore);
  await using _ = harness;
  store.least = 101;
  const appends = hundred.map((i) => `append k 0 0 3 noreply\r\n ${10 + i % 90}\r\n`).join("");
  const grown = hundred.map((i) => ` ${10 + i % 90}`).join("");
  assertEquals(
    await harness.exchange([MUCH, `set k 0 0 0 noreply\r\n\r\n${appends}get k\r\n`]),
    `VALUE k 0 300\r\n${grown}\r\nEND\r\n`,
  );
  assertEquals(store.mostPending, 101);
});

Deno.test("a pipeline: a read waits for the changes before it, and the changes after it wait for it", async () => {
  const { harness } = onSlowStore(OrderedStore);
  await using _ = harness;
  const sent = hundred.map((i) => `set k ${i} 0 1\r\nx\r\nget k k\r\n`).join("");
  const expected = hundred.map((i) => `STORED\r\n${`VALUE k ${i} 1\r\nx\r\n`.repeat(2)}END\r\n`)
    .join("");
  assertEquals(await harness.exchange([sent]), expected);
});

Deno.test("a pipeline: one change that fails is an error for itself alone", async () => {
  const { harness, store } = onSlowStore(OrderedStore);
  await using _ = harness;
  store.failing = (item) => item?.flags === 3 ? new StoreError("No room for a three") : undefined;
  const sets = [1, 2, 3, 4].map((i) => `set k ${i} 0 1\r\nx\r\n`).join("");
  assertEquals(
    await harness.exchange([`${sets}get k\r\n`]),
    "STORED\r\nSTORED\r\nSERVER_ERROR No room for a three\r\nSTORED\r\n" +
      "VALUE k 4 1\r\nx\r\nEND\r\n",
  );
});

Deno.test("a pipeline: no more changes of one key are pending than of many", async () => {
  const { harness, store } = onSlowStore(OrderedStore);
  await using _ = harness;
  store.least = 256;
  const sent = "set k 0 0 1 noreply\r\nx\r\n".repeat(600);
  assertEquals(
    await harness.exchange([MUCH, `${sent}get k\r\n`]),
    "VALUE k 0 1\r\nx\r\nEND\r\n",
  );
  assertEquals(store.mostPending, 256);
});
