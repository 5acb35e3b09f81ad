import { assert, assertEquals } from "@std/assert";
import { Harness, ScriptedSocket } from "./harness.ts";
import { receiveUntil, send } from "./wire.ts";

/** A socket whose client takes all replies and keeps none. */
class CountingSocket extends ScriptedSocket {
  received = 0;

  override write(bytes: Uint8Array): Promise<number> {
    this.received += bytes.length;
    return Promise.resolve(bytes.length);
  }
}

/** Counts the turns of the event loop while something is done. */
async function turnsDuring(done: Promise<void>): Promise<number> {
  let turns = 0;
  let isDone = false;
  done.finally(() => isDone = true);
  while (!isDone) {
    await new Promise((resolve) => setImmediate(resolve));
    turns++;
  }
  await done;
  return turns;
}

/** No work of these tests is done in so few turns, and each would be in one or two without the bound. */
const SEVERAL = 5;

Deno.test("a long pipeline: others have turns, though the socket always has more", async () => {
  await using harness = new Harness();
  const socket = new ScriptedSocket(["get k\r\n".repeat(200_000)]);
  const turns = await turnsDuring(harness.serve(socket));
  assertEquals(socket.written.length, 200_000 * "END\r\n".length);
  assert(turns >= SEVERAL, `${turns} turns`);
  assert(harness.context.counters.conn_yields > 0);
});

Deno.test("one long line of keys: others have turns between its keys", async () => {
  await using harness = new Harness();
  const keys = Array.from({ length: 300_000 }, (_, i) => `k${i}`).join(" ");
  const socket = new ScriptedSocket([`get ${keys}\r\n`]);
  const turns = await turnsDuring(harness.serve(socket));
  assertEquals(socket.written, "END\r\n");
  assert(turns >= SEVERAL, `${turns} turns`);
});

Deno.test("changes that cost much for their few bytes: others have turns between them", async () => {
  await using harness = new Harness();
  const value = "x".repeat(900_000);
  await harness.exchange([`set k 0 0 ${value.length}\r\n${value}\r\n`]);
  const socket = new ScriptedSocket(["append k 0 0 1\r\ny\r\n".repeat(100)]);
  const turns = await turnsDuring(harness.serve(socket));
  assertEquals(socket.written, "STORED\r\n".repeat(100));
  assert(turns >= SEVERAL, `${turns} turns`);
});

Deno.test("replies that are taken as fast as they come: others have turns between them", async () => {
  await using harness = new Harness();
  const value = "x".repeat(10_000);
  await harness.exchange([`set k 0 0 ${value.length}\r\n${value}\r\n`]);
  const socket = new CountingSocket(["get k\r\n".repeat(30_000)]);
  const turns = await turnsDuring(harness.serve(socket));
  assertEquals(socket.received, 30_000 * (value.length + 24));
  assert(turns >= SEVERAL, `${turns} turns`);
});

Deno.test("stats conns: of many connections is told part by part, and in full", async () => {
  await using harness = new Harness({ context: { maxConnections: 1000 } }, true);
  using stack = new DisposableStack();
  const conns = await Promise.all(
    Array.from({ length: 300 }, async () => stack.use(await harness.connect())),
  );
  while (harness.server.size < 300) await new Promise((resolve) => setTimeout(resolve, 1));
  assert(harness.server.describe() instanceof Promise);
  await send(conns[0]!, "stats conns\r\n");
  const lines = (await receiveUntil(conns[0]!, "END\r\n")).split("\r\n");
  assertEquals(lines.filter((line) => line.includes(":listen_addr ")).length, 300);
});
