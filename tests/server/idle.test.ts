import { assert, assertEquals } from "@std/assert";
import { Harness } from "./harness.ts";
import { receiveAll, receiveUntil, send } from "./wire.ts";

/** Waits until the server has counted so many more seconds. */
async function ticks({ server }: Harness, count: number): Promise<void> {
  const end = server.ticks + count;
  while (server.ticks < end) await new Promise((resolve) => setTimeout(resolve, 10));
}

Deno.test("idle timeout: bytes that never become a command do not keep a connection", async () => {
  await using harness = new Harness({ idleTimeout: 1 }, true);
  using conn = await harness.connect();
  const closed = receiveAll(conn);
  let isClosed = false;
  closed.finally(() => isClosed = true);
  while (!isClosed) {
    await send(conn, "x").catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assertEquals(await closed, "");
  assertEquals(harness.context.counters.idle_kicks, 1);
});

Deno.test("idle timeout: a client that still reads its reply is not cut off", async () => {
  await using harness = new Harness({ idleTimeout: 1 }, true);
  using conn = await harness.connect();
  const value = "x".repeat(2 ** 19);
  await send(conn, `set k 0 0 ${value.length}\r\n${value}\r\n`);
  await receiveUntil(conn, "STORED\r\n");
  const asked = 60;
  await send(conn, "get k\r\n".repeat(asked));
  await ticks(harness, 4);
  assertEquals(harness.context.counters.idle_kicks, 0);
  const reply = `VALUE k 0 ${value.length}\r\n${value}\r\nEND\r\n`.length * asked;
  const into = new Uint8Array(2 ** 20);
  let received = 0;
  while (received < reply) {
    const count = await conn.read(into);
    assert(count !== null, "the reply was cut off");
    received += count;
  }
});

Deno.test("a connection that waits holds a small buffer, and gives back what a burst took", async () => {
  await using harness = new Harness({}, true);
  using conn = await harness.connect();
  const value = "x".repeat(500_000);
  await send(conn, `set k 0 0 ${value.length}\r\n${value}\r\n`);
  await receiveUntil(conn, "STORED\r\n");
  await send(conn, "get k\r\n");
  await receiveUntil(conn, "END\r\n");
  for (let i = 0; i < 5; i++) {
    await send(conn, "version\r\n");
    await receiveUntil(conn, "\r\n");
  }
  const { memory } = harness.server;
  while (memory.used > 4096) await new Promise((resolve) => setTimeout(resolve, 10));
  await send(conn, "get k\r\n");
  assertEquals((await receiveUntil(conn, "END\r\n")).length, value.length + 25);
});

Deno.test("memory that clients held is given back when they have left, without a garbage collection", async () => {
  await using harness = new Harness({}, true);
  const conns = await Promise.all(Array.from({ length: 50 }, () => harness.connect()));
  const before = Deno.memoryUsage().external;
  for (const conn of conns) await send(conn, `set k 0 0 900000\r\n${"x".repeat(800_000)}`);
  const { memory } = harness.server;
  while (memory.used < 50 * 800_000) await new Promise((resolve) => setTimeout(resolve, 1));
  for (const conn of conns) conn.close();
  while (memory.used > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const more = Deno.memoryUsage().external - before;
  assert(more < 10_000_000, `${more} bytes are still held`);
});
