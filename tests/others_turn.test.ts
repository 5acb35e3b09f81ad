import { assert, assertEquals } from "@std/assert";
import { othersTurn } from "../lib/others_turn.ts";

/** Rounds of work that gives way each time, until `done` is settled. */
async function roundsUntil(done: Promise<void>, giveWay: () => Promise<void>): Promise<number> {
  let isDone = false;
  let rounds = 0;
  done.finally(() => isDone = true);
  for (; !isDone; rounds++) await giveWay();
  return rounds;
}

/** Sends a byte to and fro between two sockets of this process, each of which waits for it. */
async function pingPong(times: number): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = listener.accept();
  using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  using server = await accepting;
  const byte = new Uint8Array(1);
  const answering = (async () => {
    while (await server.read(byte) !== null) await server.write(byte);
  })();
  for (let i = 0; i < times; i++) {
    const answer = client.read(new Uint8Array(1));
    await client.write(byte);
    await answer;
  }
  await client.closeWrite();
  await answering;
}

Deno.test("work that gives way lets others read what arrives meanwhile", async () => {
  const times = 100;
  const rounds = await roundsUntil(pingPong(times), othersTurn);
  // The byte arrives twice each time; one round for each of them, and one more for a slow start.
  assert(rounds <= 4 * times, `${rounds} rounds`);
});

Deno.test("those who give way go on in their order, some at a time", async () => {
  const order: number[] = [];
  const all = Promise.all(
    Array.from({ length: 10 }, (_, i) => othersTurn().then(() => order.push(i))),
  );
  while (order.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assertEquals(order, [0, 1, 2, 3]);
  await all;
  assertEquals(order, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
