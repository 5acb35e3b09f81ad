/**
 * The requests that the generator sends, encoded before the clock runs, and what it expects back.
 *
 * @module
 */

import { bytesOf } from "../lib/bytes.ts";

export type Operation = "get" | "set";

/** One kind of request over a set of keys of one length and values of one size. */
export interface Workload {
  readonly operation: Operation;
  /** Bytes. */
  readonly valueSize: number;
  /** How many different keys. */
  readonly keys: number;
  /** Requests that are sent in one write, and answered before the next. */
  readonly pipeline: number;
  /** What the server speaks, if not memcached's protocol. */
  readonly protocol?: "redis";
}

/** What goes over the wire. All requests of a workload have one length, and so have all replies. */
export interface Frames {
  /** Batches of `pipeline` requests each, over all keys in an order that a stride shuffles. */
  readonly batches: readonly Uint8Array<ArrayBuffer>[];
  readonly requestLength: number;
  /** The reply to one request; of the key's place any bytes are as good. */
  readonly reply: Uint8Array<ArrayBuffer>;
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
  const { operation, valueSize, keys, pipeline, protocol } = workload;
  const value = "v".repeat(valueSize);
  const { request, reply } = (protocol === "redis" ? redis : memcached)(operation, value);
  const batches: Uint8Array<ArrayBuffer>[] = [];
  for (let i = 0; i < keys; i += pipeline) {
    let text = "";
    for (let j = 0; j < pipeline; j++) text += request(keyOf((i + j) * STRIDE % keys));
    batches.push(bytesOf(text));
  }
  return {
    batches,
    requestLength: request(keyOf(0)).length,
    reply: bytesOf(reply),
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

/** The key of a place; all have the same length. */
export function keyOf(index: number): string {
  return `key:${String(index).padStart(9, "0")}`;
}
