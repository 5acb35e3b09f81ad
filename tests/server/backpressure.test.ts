import { assert, assertEquals } from "@std/assert";
import { AdjustableClock } from "../../lib/clock.ts";
import { Harness, type HarnessOptions } from "./harness.ts";
import { receiveAll, send } from "./wire.ts";
import { SlowStore } from "./wrapped_store.ts";

const MIB = 2 ** 20;
const VALUE = "x".repeat(100_000);
const GETS = 600;
const REPLY = `VALUE k 0 ${VALUE.length}\r\n${VALUE}\r\nEND\r\n`;

/** What systems hold for a connection, generously, and what a connection may hold beside that. */
const IN_SOCKETS = 16 * MIB;
const IN_CONNECTION = 4 * MIB;

function slowly(): HarnessOptions {
  const clock = new AdjustableClock();
  return { clock, store: () => new SlowStore(clock, () => 0) };
}

/** Waits until a number stands still. */
async function settled(number: () => number): Promise<number> {
  let last = -1;
  for (let same = 0; same < 5;) {
    const now = number();
    same = now === last ? same + 1 : 0;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return last;
}

for (const [name, options] of [["memory", () => ({})], ["slow", slowly]] as const) {
  Deno.test(`back-pressure (${name} store): a client that does not read is not served on`, async () => {
    await using harness = new Harness(options(), true);
    await harness.exchange([`set k 0 0 ${VALUE.length}\r\n${VALUE}\r\n`]);
    using conn = await harness.connect();
    const sending = send(conn, "get k\r\n".repeat(GETS));
    const { counters } = harness.context;
    const served = await settled(() => counters.cmd_get);
    const held = served * REPLY.length;
    assert(served < GETS, `${served} gets were served to nobody`);
    assert(held <= IN_SOCKETS + IN_CONNECTION, `${held / MIB} MiB of replies were made`);

    const received = receiveAll(conn);
    await sending;
    await conn.closeWrite();
    assertEquals((await received).length, GETS * REPLY.length);
    assertEquals(counters.cmd_get, GETS);
  });

  Deno.test(`back-pressure (${name} store): what a client sends and does not read of is not taken in`, async () => {
    await using harness = new Harness(options(), true);
    await harness.exchange([`set k 0 0 ${VALUE.length}\r\n${VALUE}\r\n`]);
    const conn = await harness.connect();
    // Each request brings more than it takes away: a server that goes on reading goes on growing.
    const request = `get k\r\nset l 0 0 ${VALUE.length}\r\n${VALUE}\r\n`;
    const sending = send(conn, request.repeat(GETS)).catch(() => {});
    const { counters } = harness.context;
    const read = await settled(() => counters.bytes_read);
    conn.close();
    await sending;
    assert(read < GETS * request.length, "all was read");
    assert(read <= IN_SOCKETS + IN_CONNECTION, `${read / MIB} MiB were read`);
  });

  Deno.test(`back-pressure (${name} store): others are served while one does not read`, async () => {
    await using harness = new Harness(options(), true);
    await harness.exchange([`set k 0 0 ${VALUE.length}\r\n${VALUE}\r\n`]);
    const conn = await harness.connect();
    const sending = send(conn, "get k\r\n".repeat(GETS)).catch(() => {});
    await settled(() => harness.context.counters.cmd_get);
    using other = await harness.connect();
    await send(other, "get k\r\n");
    await other.closeWrite();
    assertEquals(await receiveAll(other), REPLY);
    conn.close();
    await sending;
  });

  Deno.test(`a get (${name} store): of 18,700 keys in a line is answered`, async () => {
    await using harness = new Harness(options(), true);
    await harness.exchange(["set k-5 0 0 1\r\nx\r\nset k-18699 0 0 1\r\ny\r\n"]);
    const keys = Array.from({ length: 18_700 }, (_, i) => `k-${i}`);
    using conn = await harness.connect();
    await send(conn, `get ${keys.join(" ")}\r\n`);
    await conn.closeWrite();
    assertEquals(
      await receiveAll(conn),
      "VALUE k-5 0 1\r\nx\r\nVALUE k-18699 0 1\r\ny\r\nEND\r\n",
    );
  });

  Deno.test(`a get (${name} store): of 10,000 values of 1 KB is answered in order`, async () => {
    await using harness = new Harness(options(), true);
    const value = "v".repeat(1000);
    const keys = Array.from({ length: 10_000 }, (_, i) => `k-${i}`);
    await harness.exchange([
      keys.map((key) => `set ${key} 0 0 1000 noreply\r\n${value}\r\n`).join(""),
    ]);
    using conn = await harness.connect();
    const received = receiveAll(conn);
    await send(conn, `get ${keys.join(" ")}\r\n`);
    await conn.closeWrite();
    assertEquals(
      await received,
      keys.map((key) => `VALUE ${key} 0 1000\r\n${value}\r\n`).join("") + "END\r\n",
    );
  });
}
