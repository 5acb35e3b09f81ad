import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../lib/bytes.ts";
import { AdjustableClock } from "../../lib/clock.ts";
import { Harness, ScriptedSocket } from "./harness.ts";
import { receiveUntil, send } from "./wire.ts";
import { SlowStore } from "./wrapped_store.ts";

/** A socket whose client takes all replies and keeps none. */
class CountingSocket extends ScriptedSocket {
  received = 0;

  override write(bytes: Uint8Array): Promise<number> {
    this.received += bytes.length;
    return Promise.resolve(bytes.length);
  }
}

/** No work of these tests is done with so few yields, and each would be without any but for the bound. */
const SEVERAL = 5;

/** Serves a client, and returns how often its connection has let others have a turn. */
async function yieldsOf(harness: Harness, socket: ScriptedSocket): Promise<number> {
  const { counters } = harness.context;
  const before = counters.conn_yields;
  await harness.serve(socket);
  return counters.conn_yields - before;
}

Deno.test("a long pipeline: others have turns, though the socket always has more", async () => {
  await using harness = new Harness();
  const socket = new ScriptedSocket(["get k\r\n".repeat(200_000)]);
  const yields = await yieldsOf(harness, socket);
  assertEquals(socket.written.length, 200_000 * "END\r\n".length);
  assert(yields >= SEVERAL, `${yields} yields`);
});

Deno.test("one long line of keys: others have turns between its keys", async () => {
  await using harness = new Harness();
  const keys = Array.from({ length: 300_000 }, (_, i) => `k${i}`).join(" ");
  const socket = new ScriptedSocket([`get ${keys}\r\n`]);
  const yields = await yieldsOf(harness, socket);
  assertEquals(socket.written, "END\r\n");
  assert(yields >= SEVERAL, `${yields} yields`);
});

for (
  const [name, value, request, reply] of [
    ["append", "x", "append k 0 0 1\r\ny\r\n", "STORED\r\n"],
    ["incr", "0", "incr k 0\r\n", "0\r\n"],
  ] as const
) {
  Deno.test(`${name} of a large value costs much for its few bytes: others have turns between two`, async () => {
    await using harness = new Harness();
    const large = value.repeat(900_000);
    await harness.exchange([`set k 0 0 ${large.length}\r\n${large}\r\n`]);
    const socket = new ScriptedSocket([request.repeat(100)]);
    const yields = await yieldsOf(harness, socket);
    assertEquals(socket.written, reply.repeat(100));
    assert(yields >= SEVERAL, `${yields} yields`);
  });
}

Deno.test("large values that come in pieces without a pause: others have turns between them", async () => {
  await using harness = new Harness();
  const request = bytesOf(`set k 0 0 900000\r\n${"x".repeat(900_000)}\r\n`);
  let sent = 0;
  const socket = new CountingSocket([]);
  // Each read finds less than there is room for, as if the next one had to wait.
  socket.read = (into) => {
    const at = sent % request.length;
    const piece = request.subarray(at, at + Math.max(1, Math.min(into.length - 1, 60_000)));
    if (sent >= 200 * request.length) return Promise.resolve(null);
    into.set(piece);
    sent += piece.length;
    return Promise.resolve(piece.length);
  };
  const yields = await yieldsOf(harness, socket);
  assertEquals(socket.received, 200 * "STORED\r\n".length);
  assert(yields >= SEVERAL, `${yields} yields`);
});

Deno.test("replies that are taken as fast as they come: others have turns between them", async () => {
  await using harness = new Harness();
  const value = "x".repeat(10_000);
  await harness.exchange([`set k 0 0 ${value.length}\r\n${value}\r\n`]);
  const socket = new CountingSocket(["get k\r\n".repeat(30_000)]);
  const yields = await yieldsOf(harness, socket);
  assertEquals(socket.received, 30_000 * (value.length + 24));
  assert(yields >= SEVERAL, `${yields} yields`);
});

Deno.test("a value that is sent as fast as it is taken: others have turns between its parts", async () => {
  await using harness = new Harness({ context: { limits: { itemSize: 2 ** 27 } } });
  const reads: number[] = [];
  const socket = new class extends ScriptedSocket {
    override read(into: Uint8Array): Promise<number | null> {
      reads.push(into.length);
      return super.read(into);
    }
  }([`set k 0 0 100000000\r\n${"x".repeat(90_000_000)}`]);
  const yields = await yieldsOf(harness, socket);
  assert(Math.max(...reads) <= 128 * 1024, `${Math.max(...reads)} bytes in one go`);
  assert(yields >= SEVERAL, `${yields} yields`);
});

for (const [name, delay] of [["at hand", undefined], ["waited for", 1]] as const) {
  Deno.test(`-R: others have a turn after so many requests, where the store's answers are ${name}`, async () => {
    const clock = new AdjustableClock();
    await using harness = new Harness({
      clock,
      store: () => new SlowStore(clock, () => delay),
      context: { requestsPerTurn: 2 },
    });
    const socket = new ScriptedSocket(["get k\r\n".repeat(10)]);
    const yields = await yieldsOf(harness, socket);
    assertEquals(socket.written, "END\r\n".repeat(10));
    assert(yields >= SEVERAL, `${yields} yields`);
  });
}

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
