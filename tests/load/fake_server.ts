/**
 * A server that speaks as much memcached as multiclient does, and answers as a test wants it to.
 *
 * @module
 */

import { ByteBuffer, bytesOf } from "../../lib/bytes.ts";

/** What a server makes of its items. */
export interface Behaviour {
  /** Called when a value is set. */
  set?(items: Map<string, Uint8Array>, key: string, value: Uint8Array): void;
  /** What a get finds. */
  get?(items: Map<string, Uint8Array>, key: string): Uint8Array | undefined;
  /** What a set is answered; `STORED` if absent. */
  stored?: string;
  /** Only a version is answered. */
  silent?: boolean;
  /** The answers to the first requests wait so long, in milliseconds. */
  stall?: number;
}

/** A running one. */
export interface FakeServer extends Disposable {
  readonly address: string;
}

export function startFakeServer(behaviour: Behaviour): FakeServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const items = new Map<string, Uint8Array>();
  const connections = new Set<Deno.Conn>();
  (async () => {
    for await (const connection of listener) {
      connections.add(connection);
      void answer(connection, items, behaviour).catch(() => {});
    }
  })().catch(() => {});
  return {
    address: `127.0.0.1:${listener.addr.port}`,
    [Symbol.dispose]() {
      listener.close();
      for (const connection of connections) {
        try {
          connection.close();
        } catch {
          // The client was first.
        }
      }
    },
  };
}

async function answer(
  connection: Deno.Conn,
  items: Map<string, Uint8Array>,
  behaviour: Behaviour,
): Promise<void> {
  const memory = new Uint8Array(64 * 1024);
  let text = "";
  let stalled = behaviour.stall === undefined;
  const latin1 = (bytes: Uint8Array) => String.fromCharCode(...bytes);
  for (let count; (count = await connection.read(memory)) !== null;) {
    text += latin1(memory.subarray(0, count));
    const out = new ByteBuffer();
    while (true) {
      if (behaviour.silent && !text.startsWith("version")) break;
      const line = /^(version|get (\S+)|set (\S+) 0 0 (\d+))\r\n/.exec(text);
      if (line === null) break;
      const [{ length }, , getKey, setKey, size] = line;
      if (setKey !== undefined) {
        if (text.length < length + Number(size) + 2) break;
        const value = Uint8Array.from(
          text.slice(length, length + Number(size)),
          (c) => c.charCodeAt(0),
        );
        (behaviour.set ?? store)(items, setKey, value);
        text = text.slice(length + value.length + 2);
        out.ascii(`${behaviour.stored ?? "STORED"}\r\n`);
        continue;
      }
      text = text.slice(length);
      if (getKey === undefined) {
        out.ascii("VERSION 1\r\n");
        continue;
      }
      const value = (behaviour.get ?? find)(items, getKey);
      if (value !== undefined) {
        out.ascii(`VALUE ${getKey} 0 ${value.length}\r\n`);
        out.append(value);
        out.ascii("\r\n");
      }
      out.ascii("END\r\n");
    }
    const bytes = out.view();
    if (!stalled && !bytes.subarray(0, 7).every((byte, i) => byte === bytesOf("VERSION")[i])) {
      stalled = true;
      await new Promise((resolve) => setTimeout(resolve, behaviour.stall));
    }
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
  }
}

function store(items: Map<string, Uint8Array>, key: string, value: Uint8Array): void {
  items.set(key, value);
}

function find(items: Map<string, Uint8Array>, key: string): Uint8Array | undefined {
  return items.get(key);
}
