/**
 * What hostile clients do, each attack by itself: little for them, much for a server without bounds.
 *
 * @module
 */

import { createConnection } from "node:net";
import { bytesOf } from "../../lib/bytes.ts";

/** An attack: begins, and returns what ends it. */
export type Attack = (port: number) => Promise<() => void>;

const MEGABYTE = 1_000_000;

function connect(port: number): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

function connectMany(port: number, count: number): Promise<Deno.TcpConn[]> {
  return Promise.all(Array.from({ length: count }, () => connect(port)));
}

/** Sends all of it, unless the server ends the connection. */
async function send(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  try {
    while (bytes.length > 0) bytes = bytes.subarray(await conn.write(bytes));
  } catch {
    // The server, or the end of the attack, has closed it.
  }
}

/** Takes replies until so many bytes have come or the connection ends; returns whether they came. */
async function take(conn: Deno.Conn, count: number): Promise<boolean> {
  const into = new Uint8Array(2 ** 20);
  try {
    while (count > 0) count -= await conn.read(into) ?? NaN;
  } catch {
    return false;
  }
  return count <= 0;
}

/** Stores items by `noreply`, and waits until they are there. */
async function store(port: number, keys: readonly string[], size: number): Promise<void> {
  using conn = await connect(port);
  const value = "x".repeat(size);
  for (let i = 0; i < keys.length; i += 1000) {
    const sets = keys.slice(i, i + 1000).map((key) => `set ${key} 0 0 ${size} noreply\r\n${value}`);
    await send(conn, bytesOf(`${sets.join("\r\n")}\r\nmn\r\n`));
    await take(conn, "MN\r\n".length);
  }
}

function closeAll(conns: readonly Deno.Conn[]): () => void {
  return () => {
    for (const conn of conns) {
      try {
        conn.close();
      } catch {
        // The server was first.
      }
    }
  };
}

/** Sends one text on each of many connections, and reads nothing. */
async function sendUnread(port: number, count: number, text: string): Promise<() => void> {
  const conns = await connectMany(port, count);
  const bytes = bytesOf(text);
  for (const conn of conns) send(conn, bytes);
  return closeAll(conns);
}

/** Sends one text again and again, each time when the reply to the last has come. */
async function sendAgain(
  port: number,
  text: string,
  replyLength: number,
  others: readonly Deno.Conn[] = [],
): Promise<() => void> {
  const conn = await connect(port);
  const bytes = bytesOf(text);
  const sending = async () => {
    for (;;) {
      const taken = take(conn, replyLength);
      await send(conn, bytes);
      if (!await taken) return;
    }
  };
  sending();
  return closeAll([conn, ...others]);
}

function names(count: number, prefix = "key-"): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

/** All attacks by their names. */
export const attacks: Readonly<Record<string, Attack>> = {
  "nobody": () => Promise.resolve(() => {}),

  async "unread replies, one value"(port) {
    await store(port, ["v"], MEGABYTE);
    return await sendUnread(port, 30, "get v\r\n".repeat(64));
  },

  async "unread replies, 64 values"(port) {
    const keys = names(64);
    for (const key of keys) await store(port, [key], MEGABYTE);
    return await sendUnread(port, 30, keys.map((key) => `get ${key}\r\n`).join(""));
  },

  "unfinished values": (port) =>
    sendUnread(port, 300, `set k 0 0 ${MEGABYTE}\r\n${"x".repeat(MEGABYTE - 1)}`),

  "unfinished lines": (port) => sendUnread(port, 60, `get ${"kkkkkk ".repeat(MEGABYTE)}`),

  async "unread listings"(port) {
    await store(port, names(200_000), 1);
    return await sendUnread(port, 60, "lru_crawler metadump all\r\n");
  },

  async "a long pipeline"(port) {
    await store(port, ["v"], 10_000);
    const reply = "VALUE v 0 10000\r\n".length + 10_000 + "\r\nEND\r\n".length;
    return await sendAgain(port, "get v\r\n".repeat(20_000), 20_000 * reply);
  },

  "a line of 500,000 keys": (port) =>
    sendAgain(port, `get ${names(500_000, "").join(" ")}\r\n`, "END\r\n".length),

  async "stats conns of 900"(port) {
    const others = await connectMany(port, 900);
    // About what 300 replies come to: the next 300 are asked for before the last of these has come.
    return await sendAgain(port, "stats conns\r\n".repeat(300), 300 * 900 * 100, others);
  },

  async "appends to a megabyte"(port) {
    await store(port, ["v"], 0.9 * MEGABYTE);
    return await sendUnread(port, 1, "append v 0 0 1 noreply\r\ny\r\n".repeat(1000));
  },

  async "touches of a megabyte"(port) {
    await store(port, ["v"], 0.9 * MEGABYTE);
    return await sendUnread(port, 1, "touch v 0 noreply\r\n".repeat(1000));
  },

  async "incr of 500,000 digits"(port) {
    using conn = await connect(port);
    await send(conn, bytesOf(`set v 0 0 500001\r\n${"0".repeat(500_000)}x\r\n`));
    await take(conn, "STORED\r\n".length);
    const reply = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
    return await sendAgain(port, "incr v 1\r\n".repeat(1000), 1000 * reply.length);
  },

  "flush_all": (port) => sendAgain(port, "flush_all\r\n".repeat(1000), 1000 * "OK\r\n".length),

  async "sets and flush_all"(port) {
    const request = "set v 0 0 1 noreply\r\nx\r\nflush_all\r\n";
    return await sendAgain(port, request.repeat(500), 500 * "OK\r\n".length);
  },

  async "a byte a second from 900"(port) {
    const conns = await connectMany(port, 900);
    const timer = setInterval(() => {
      for (const conn of conns) send(conn, bytesOf("g"));
    }, 1000);
    const close = closeAll(conns);
    return () => {
      clearInterval(timer);
      close();
    };
  },

  "2,000 connections, and more": (port) => {
    const conns: Deno.Conn[] = [];
    let isOver = false;
    const flood = async () => {
      while (!isOver) {
        const conn = await connect(port).catch(() => undefined);
        if (conn === undefined) return;
        conns.push(conn);
        // A client that is told that there is no room comes again.
        if (conns.length > 2000) closeAll([conns.shift()!])();
      }
      closeAll(conns)();
    };
    for (let i = 0; i < 20; i++) flood();
    return Promise.resolve(() => {
      isOver = true;
      closeAll(conns)();
    });
  },

  "connections reset immediately": (port) => {
    let isOver = false;
    const reset = () => {
      if (isOver) return;
      const socket = createConnection({ host: "127.0.0.1", port }, () => socket.resetAndDestroy());
      socket.on("close", reset);
      socket.on("error", () => {});
    };
    for (let i = 0; i < 200; i++) reset();
    return Promise.resolve(() => void (isOver = true));
  },
};

/**
 * Begins attacks one after the other, on a port, says when all have begun, and runs them together until
 * standard input ends.
 */
if (import.meta.main) {
  const [port, ...chosen] = Deno.args;
  const ends: (() => void)[] = [];
  for (const name of chosen) ends.push(await attacks[name]!(Number(port)));
  console.log("under way");
  await Deno.stdin.read(new Uint8Array(1));
  for (const end of ends) end();
  Deno.exit(0);
}
