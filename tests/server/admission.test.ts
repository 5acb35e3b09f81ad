import { assert, assertEquals } from "@std/assert";
import { createConnection } from "node:net";
import type { Transport } from "../../lib/net/transport.ts";
import { accepting } from "../../lib/server/accepting.ts";
import { UNIX_RESERVE } from "../../lib/server/admission.ts";
import { Server } from "../../lib/server/server.ts";
import { Harness } from "./harness.ts";
import { receiveAll, receiveUntil, send } from "./wire.ts";

async function version(conn: Deno.Conn): Promise<string> {
  await send(conn, "version\r\n");
  return await receiveUntil(conn, "\r\n");
}

/** Connects and resets the connection, so that it may be dead before it is accepted. */
function reset(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port }, () => socket.resetAndDestroy());
    socket.on("close", () => resolve());
    socket.on("error", () => {});
  });
}

/** A listener whose next calls of `accept` end so, and which is closed then. */
function scripted(ends: readonly (Error | Deno.Conn)[]): Deno.Listener {
  const rest = [...ends];
  const accept = () => {
    const end = rest.shift() ?? new Deno.errors.BadResource("closed");
    return end instanceof Error ? Promise.reject(end) : Promise.resolve(end);
  };
  return { accept } as unknown as Deno.Listener;
}

function shortage(code: string): Error {
  return Object.assign(new Error(`${code} (os error)`), { code });
}

/** A spare descriptor that can be taken again when `isFree` says so, and what was done with it. */
function spareFor(isFree: () => boolean) {
  let isHeld = true;
  const done: string[] = [];
  return {
    done,
    hold() {
      if (!isHeld) done.push(isFree() ? "held" : "missed");
      return isHeld ||= isFree();
    },
    release() {
      const wasHeld = isHeld;
      isHeld = false;
      done.push(wasHeld ? "released" : "nothing to release");
      return wasHeld;
    },
  };
}

const always = spareFor(() => true);

Deno.test("accepting: connections that were reset hold up nobody, and no line is said of them", async () => {
  await using harness = new Harness({}, true);
  await Promise.all(Array.from({ length: 100 }, () => reset(harness.port)));
  using conn = await harness.connect();
  assertEquals(await version(conn), `VERSION ${harness.context.version}\r\n`);
  assertEquals(harness.said, []);
});

Deno.test("accepting: a socket that is dead before it is accepted is passed over without a pause", async () => {
  const dead = Array.from({ length: 200 }, () => new Deno.errors.NotConnected("os error 107"));
  const troubles = { dead: 0, shortages: 0 };
  const connections = accepting(scripted(dead), {
    dead: () => troubles.dead++,
    shortage: () => troubles.shortages++,
    refuse: () => Promise.resolve(),
  }, always);
  for await (const _ of connections);
  assertEquals(troubles, { dead: 200, shortages: 0 });
});

Deno.test("accepting: only a lack of descriptors or memory is a shortage, and it goes on after it", async () => {
  const errors = ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"].map(shortage);
  let shortages = 0;
  const connections = accepting(scripted(errors), {
    dead() {},
    shortage: () => shortages++,
    refuse: () => Promise.resolve(),
  }, always);
  for await (const _ of connections);
  assertEquals(shortages, 4);
});

Deno.test("accepting: without a descriptor the spare one lets a client be refused, or in where there is one again", async () => {
  const [first, second] = [{}, {}] as Deno.Conn[];
  const refused: Transport[] = [];
  const accepted: Transport[] = [];
  let isFree = false;
  const spare = spareFor(() => isFree);
  const listener = scripted([shortage("EMFILE"), first!, shortage("EMFILE"), second!]);
  const troubles = {
    dead() {},
    shortage() {},
    refuse(conn: Transport) {
      refused.push(conn);
      // Closing it has freed its descriptor; and then one of somebody else's becomes free as well.
      isFree = true;
      return Promise.resolve();
    },
  };
  for await (const conn of accepting(listener, troubles, spare)) accepted.push(conn);
  assertEquals([refused, accepted], [[first], [second]]);
  assertEquals(spare.done, ["released", "missed", "held", "released", "held"]);
});

Deno.test("--max-connections-per-ip: more are closed, one line is said, and room is made by one that ends", async () => {
  await using harness = new Harness({ policy: { perAddress: 2 } }, true);
  using first = await harness.connect();
  const second = await harness.connect();
  await version(first);
  await version(second);
  for (let i = 0; i < 3; i++) {
    using third = await harness.connect();
    assertEquals(await receiveAll(third), "");
  }
  assertEquals(harness.context.counters.rejected_by_address, 3);
  assertEquals(harness.said.length, 1);
  assert(harness.said[0]!.includes("--max-connections-per-ip"), harness.said[0]);
  second.close();
  while (harness.server.size > 1) await new Promise((resolve) => setTimeout(resolve, 1));
  using next = await harness.connect();
  assertEquals(await version(next), `VERSION ${harness.context.version}\r\n`);
});

Deno.test("--connect-rate: more new connections in a second are closed, and later ones come in", async () => {
  await using harness = new Harness({ policy: { perSecond: 2 } }, true);
  let refused = 0;
  for (let i = 0; i < 20; i++) {
    using conn = await harness.connect();
    await send(conn, "version\r\nquit\r\n").catch(() => {});
    if (await receiveAll(conn) === "") refused++;
  }
  assert(refused > 0, "all came in");
  assertEquals(harness.context.counters.rejected_by_address, refused);
  for (;;) {
    using conn = await harness.connect();
    await send(conn, "version\r\nquit\r\n").catch(() => {});
    if (await receiveAll(conn) !== "") break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

Deno.test("a Unix socket has connections of its own that TCP cannot take", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/kvs.sock`;
  await using harness = new Harness({ context: { maxConnections: UNIX_RESERVE + 1 } });
  const server = new Server(harness.context, { idleTimeout: 0, hasUnix: true });
  const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const unix = Deno.listen({ transport: "unix", path });
  const serving = [server.accept(tcp), server.accept(unix)];
  const { port } = tcp.addr as Deno.NetAddr;
  using first = await Deno.connect({ hostname: "127.0.0.1", port });
  await version(first);
  using second = await Deno.connect({ hostname: "127.0.0.1", port });
  assertEquals(await receiveAll(second), "ERROR Too many open connections\r\n");
  using local = await Deno.connect({ transport: "unix", path });
  assertEquals(await version(local), `VERSION ${harness.context.version}\r\n`);
  await server.drain();
  await Promise.all(serving);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("drain: a connection that comes meanwhile is not admitted", async () => {
  await using harness = new Harness();
  const server = new Server(harness.context, { idleTimeout: 0 });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const serving = server.accept(listener);
  const clients = await Promise.all(
    Array.from({ length: 50 }, () => Deno.connect({ hostname: "127.0.0.1", port })),
  );
  await server.drain();
  await serving;
  assertEquals(server.size, 0);
  for (const client of clients) {
    await receiveAll(client);
    client.close();
  }
});

Deno.test("drain: a client that does not read what it is owed gets a bounded grace", async () => {
  await using harness = new Harness();
  const server = new Server(harness.context, { idleTimeout: 0, grace: 20 });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const serving = server.accept(listener);
  using client = await Deno.connect({ hostname: "127.0.0.1", port });
  const value = "x".repeat(2 ** 19);
  await send(client, `set k 0 0 ${value.length}\r\n${value}\r\n`);
  await receiveUntil(client, "STORED\r\n");
  await send(client, "get k\r\n".repeat(100));
  while (harness.context.counters.cmd_get === 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await server.drain();
  await serving;
});
