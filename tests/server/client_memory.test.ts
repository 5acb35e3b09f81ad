import { assert, assertEquals } from "@std/assert";
import { AdjustableClock } from "../../lib/clock.ts";
import { ClientMemory } from "../../lib/server/client_memory.ts";
import { WINDOW_BYTES } from "../../lib/server/window.ts";
import type { Item } from "../../lib/storage/contract.ts";
import { Harness, ScriptedSocket } from "./harness.ts";
import { receiveAll, receiveUntil, send } from "./wire.ts";
import { SlowStore } from "./wrapped_store.ts";

const MIB = 2 ** 20;

/** A connection that is told to end. */
class Client {
  isClosed = false;

  constructor(readonly name: string) {}

  close(): void {
    this.isClosed = true;
  }
}

Deno.test("client memory: over the limit the largest is closed, with one line for many", () => {
  const said: string[] = [];
  const memory = new ClientMemory(10 * MIB, (line) => said.push(line));
  const small = new Client("small");
  memory.hold(small, MIB);
  const large = Array.from({ length: 4 }, (_, i) => new Client(`large ${i}`));
  for (const [i, client] of large.entries()) memory.hold(client, (4 + i) * MIB);
  assertEquals([small, ...large].map(({ isClosed }) => isClosed), [
    false,
    false,
    false,
    true,
    true,
  ]);
  assertEquals([memory.used, memory.kicks, said.length], [10 * MIB, 2, 1]);
  memory.tick();
  assertEquals(said.length, 1);
  memory.leave(large[0]!);
  for (let i = 0; i < 9; i++) memory.tick();
  // As long as it may begin again it is not over.
  assertEquals(said.length, 1);
  memory.tick();
  assertEquals(said.length, 2);
});

Deno.test("client memory: near the limit the largest wait until others free memory", async () => {
  const memory = new ClientMemory(8 * MIB, () => {});
  const [small, large] = [new Client("small"), new Client("large")];
  memory.hold(large, 7 * MIB);
  memory.hold(small, 1024);
  assertEquals(memory.turn(small), undefined);
  const turn = memory.turn(large);
  assert(turn !== undefined);
  assertEquals(memory.waiting, 1);
  memory.hold(large, 2 * MIB);
  await turn;
  assertEquals([memory.waiting, large.isClosed], [0, false]);
});

Deno.test("client memory: the largest is closed where waiting does not help", async () => {
  const memory = new ClientMemory(8 * MIB, () => {});
  const large = new Client("large");
  memory.hold(large, 7 * MIB + 1);
  const turn = memory.turn(large);
  memory.tick();
  assertEquals(large.isClosed, false);
  memory.tick();
  assertEquals(large.isClosed, true);
  await turn;
  assertEquals(memory.used, 0);
});

Deno.test("unfinished requests of many clients stay within --max-client-memory, and others are served", async () => {
  const limit = 8 * MIB;
  await using harness = new Harness({ policy: { clientMemory: limit } }, true);
  const { memory } = harness.server;
  const conns = await Promise.all(Array.from({ length: 40 }, () => harness.connect()));
  const sending = conns.map((conn) =>
    send(conn, `set k 0 0 1000000\r\n${"x".repeat(999_999)}`).catch(() => {})
  );
  while (memory.kicks === 0) {
    assert(memory.used <= limit, `${memory.used} bytes are held`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  using good = await harness.connect();
  await send(good, "set g 0 0 1\r\ng\r\nget g\r\n");
  assertEquals(await receiveUntil(good, "END\r\n"), "STORED\r\nVALUE g 0 1\r\ng\r\nEND\r\n");
  assert(memory.used <= limit, `${memory.used} bytes are held`);
  for (const conn of conns) conn.close();
  await Promise.all(sending);
  assertEquals(harness.said.filter((line) => line.includes("--max-client-memory")).length, 1);
});

Deno.test("a client that waits for memory holds up no stop", async () => {
  const harness = new Harness({ policy: { clientMemory: MIB, grace: 3_600_000 } }, true);
  const { memory } = harness.server;
  const conns = await Promise.all(Array.from({ length: 20 }, () => harness.connect()));
  const sending = conns.map((conn) =>
    send(conn, `set k 0 0 1000000\r\n${"x".repeat(999_999)}`).catch(() => {})
  );
  while (memory.waiting === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await harness[Symbol.asyncDispose]();
  assertEquals([harness.server.size, memory.used, memory.waiting], [0, 0, 0]);
  for (const conn of conns) conn.close();
  await Promise.all(sending);
});

Deno.test("unread replies of many clients stay within --max-client-memory", async () => {
  const limit = 8 * MIB;
  await using harness = new Harness({ policy: { clientMemory: limit } }, true);
  const { memory } = harness.server;
  const value = "x".repeat(1_000_000);
  using good = await harness.connect();
  await send(good, `set k 0 0 ${value.length}\r\n${value}\r\n`);
  await receiveUntil(good, "STORED\r\n");
  const conns = await Promise.all(Array.from({ length: 30 }, () => harness.connect()));
  for (const conn of conns) await send(conn, "get k\r\n".repeat(64)).catch(() => {});
  while (memory.kicks === 0) {
    assert(memory.used <= limit, `${memory.used} bytes are held`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await send(good, "version\r\n");
  assertEquals(await receiveUntil(good, "\r\n"), `VERSION ${harness.context.version}\r\n`);
  await send(good, "stats limits\r\n");
  const stats = await receiveUntil(good, "END\r\n");
  assert(/STAT client_memory_kicks [1-9]/.test(stats), stats);
  for (const conn of conns) conn.close();
});

/** A slow store that knows how large its values are. */
class SizedStore extends SlowStore {
  sizeOf(key: Uint8Array): number {
    const item = this.memory.read(key, { seconds: 0, position: 0 } as never, true);
    return (item as Item | undefined)?.value.length ?? 0;
  }
}

Deno.test("a first multi-get asks a store that knows sizes for all its small values together", async () => {
  const clock = new AdjustableClock();
  let isSlow = false;
  // Long enough for a connection that gives way to others before it has asked for all.
  const store = new SizedStore(clock, () => isSlow ? 1000 : undefined);
  await using harness = new Harness({ clock, store: () => store });
  const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
  await harness.exchange([keys.map((key) => `set ${key} 0 0 1 noreply\r\nx\r\n`).join("")]);
  isSlow = true;
  const replies = await harness.exchange([`get ${keys.join(" ")}\r\n`]);
  assertEquals(replies, keys.map((key) => `VALUE ${key} 0 1\r\nx\r\n`).join("") + "END\r\n");
  assertEquals(store.mostPending, keys.length);
});

for (
  const [name, kind, trained] of [["known", SizedStore, true], [
    "unknown",
    SlowStore,
    false,
  ]] as const
) {
  Deno.test(`values in flight of one connection are bounded where their sizes are ${name}`, async () => {
    const clock = new AdjustableClock();
    let isSlow = false;
    const store = new kind(clock, () => isSlow ? 2 : undefined);
    await using harness = new Harness({ clock, store: () => store });
    const value = "x".repeat(MIB - 1000);
    for (let i = 0; i < 64; i++) {
      await harness.exchange([`set large-${i} 0 0 ${value.length} noreply\r\n${value}\r\n`]);
    }
    await harness.exchange(["set small 0 0 1 noreply\r\ny\r\n"]);
    isSlow = true;
    const socket = new ScriptedSocket([
      ...trained ? ["get small\r\n".repeat(2000)] : [],
      Array.from({ length: 64 }, (_, i) => `get large-${i}\r\n`).join(""),
    ]);
    let most = 0;
    const read = store.read.bind(store);
    store.read = (key, batch, peek) => {
      const result = read(key, batch, peek);
      if (key.length > 5) most = Math.max(most, store.pending);
      return result;
    };
    await harness.serve(socket);
    assert(most * value.length <= WINDOW_BYTES, `${most} values of a MiB were in flight`);
    assert(socket.written.length > 64 * value.length);
  });
}

Deno.test("values that come from a store that does not know their sizes count when they are there", async () => {
  const clock = new AdjustableClock();
  let isSlow = false;
  const store = new SlowStore(clock, () => isSlow ? 2 : undefined);
  const limit = 16 * MIB;
  await using harness = new Harness(
    { clock, store: () => store, policy: { clientMemory: limit } },
    true,
  );
  const { memory } = harness.server;
  const value = "x".repeat(1_000_000);
  using conn = await harness.connect();
  for (let i = 0; i < 100; i++) {
    await send(conn, `set large-${i} 0 0 ${value.length} noreply\r\n${value}\r\n`);
  }
  await send(conn, "mn\r\n");
  await receiveUntil(conn, "MN\r\n");
  isSlow = true;
  // Small replies open the window; then all large values are asked for, and none is taken.
  await send(conn, `${"get small\r\n".repeat(2000)}mn\r\n`);
  await receiveUntil(conn, "MN\r\n");
  await send(conn, `get ${Array.from({ length: 100 }, (_, i) => `large-${i}`).join(" ")}\r\n`);
  while (memory.kicks === 0) {
    assert(memory.used <= limit, `${memory.used} bytes are held`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  // What comes for it later counts for nobody.
  while (store.pending > 0 || harness.server.size > 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assertEquals(memory.used, 0);
});

Deno.test("a get's line that does not end is refused before it takes more than 4 MiB", async () => {
  await using harness = new Harness({}, true);
  using conn = await harness.connect();
  const { memory } = harness.server;
  let most = 0;
  const watching = setInterval(() => most = Math.max(most, memory.used), 1);
  const received = receiveAll(conn);
  await send(conn, `get ${"key ".repeat(2 * MIB)}`).catch(() => {});
  assertEquals(await received, "");
  clearInterval(watching);
  assert(most <= 4.1 * MIB, `${most} bytes were held`);
});
