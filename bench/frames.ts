/**
 * The requests that the generator sends, encoded before the clock runs, and what it expects back.
 *
 * @module
 */

import { binaryString, ByteBuffer, bytesOf, bytesOfBinaryString } from "../lib/bytes.ts";
import { binaryRequests } from "../lib/protocol/binary/format_request.ts";

export type Operation = "get" | "set";

/** What a server is spoken to in: one of memcached's protocols, or Redis's. */
export type Protocol = "text" | "meta" | "binary" | "redis";

/** memcached's protocols. */
export const protocols = ["text", "meta", "binary"] as const;

/** One kind of request over a set of keys of one length and values of one size. */
export interface Workload {
  readonly operation: Operation;
  /** Bytes. */
  readonly valueSize: number;
  /** How many different keys. */
  readonly keys: number;
  /** Requests that are sent in one write, and answered before the next. */
  readonly pipeline: number;
  /** What the server speaks; the text protocol unless given. */
  readonly protocol?: Protocol;
}

/** What goes over the wire. All requests of a workload have one length, and so have all replies. */
export interface Frames {
  /** Batches of `pipeline` requests each, over all keys in an order that a stride shuffles. */
  readonly batches: readonly Uint8Array<ArrayBuffer>[];
  readonly requestLength: number;
  /** The reply to one request; of the key's place any bytes are as good. */
  readonly reply: Uint8Array<ArrayBuffer>;
  /** Whether the replies end alike: those of the binary protocol end with a unique or a value. */
  readonly endsAlike: boolean;
}

/** What the echo server needs to know of a workload's requests. */
export function echoAnswers(
  key: string,
  valueSize: number,
): Readonly<Record<string, string>> {
  const value = "v".repeat(valueSize);
  return {
    [`get ${key}\r\n`]: `VALUE ${key} 0 ${valueSize}\r\n${value}\r\nEND\r\n`,
    [`set ${key} 0 0 ${valueSize}\r\n${value}\r\n`]: "STORED\r\n",
    "version\r\n": "VERSION echo\r\n",
  };
}

/** A prime that shares no factor with a round number of keys. */
const STRIDE = 7919;

/** Encodes a workload. */
export function framesOf(workload: Workload): Frames {
  const { operation, valueSize, keys, pipeline, protocol = "text" } = workload;
  const value = "v".repeat(valueSize);
  const { request, reply } = dialects[protocol](operation, value);
  const batches: Uint8Array<ArrayBuffer>[] = [];
  for (let i = 0; i < keys; i += pipeline) {
    let text = "";
    for (let j = 0; j < pipeline; j++) {
      text += request(keyOf((i + j) * STRIDE % keys));
    }
    batches.push(bytesOfBinaryString(text));
  }
  return {
    batches,
    requestLength: request(keyOf(0)).length,
    reply: bytesOfBinaryString(reply),
    endsAlike: protocol !== "binary",
  };
}

interface Dialect {
  request(key: string): string;
  readonly reply: string;
}

function memcached(operation: Operation, value: string): Dialect {
  const { length } = value;
  return operation === "get"
    ? {
      request: (key) => `get ${key}\r\n`,
      reply: `VALUE ${keyOf(0)} 0 ${length}\r\n${value}\r\nEND\r\n`,
    }
    : { request: (key) => `set ${key} 0 0 ${length}\r\n${value}\r\n`, reply: "STORED\r\n" };
}

function meta(operation: Operation, value: string): Dialect {
  const { length } = value;
  return operation === "get"
    ? { request: (key) => `mg ${key} v\r\n`, reply: `VA ${length}\r\n${value}\r\n` }
    : { request: (key) => `ms ${key} ${length}\r\n${value}\r\n`, reply: "HD\r\n" };
}

/** Get and Set. A reply to a Get has four bytes of flags before the value. */
function binary(operation: Operation, value: string): Dialect {
  const request = (key: string) => {
    const out = new ByteBuffer();
    if (operation === "get") binaryRequests.get(out, 0, "get", key, 0);
    else binaryRequests.store(out, 0, "set", key, bytesOf(value), 0, 0, 0n);
    return binaryString(out.view());
  };
  const reply = operation === "get"
    ? "\x81".padEnd(24, "\0") + "\0\0\0\0" + keyOf(0) + value
    : "\x81".padEnd(24, "\0");
  return { request, reply };
}

/** RESP, which Redis speaks: a command is an array of strings, each after its length. */
function redis(operation: Operation, value: string): Dialect {
  const string = (text: string) => `$${text.length}\r\n${text}\r\n`;
  return operation === "get"
    ? { request: (key) => `*2\r\n${string("GET")}${string(key)}`, reply: string(value) }
    : {
      request: (key) => `*3\r\n${string("SET")}${string(key)}${string(value)}`,
      reply: "+OK\r\n",
    };
}

const dialects = { text: memcached, meta, binary, redis } as const;

/** The key of a place; all have the same length. */
export function keyOf(index: number): string {
  return `key:${String(index).padStart(9, "0")}`;
}
