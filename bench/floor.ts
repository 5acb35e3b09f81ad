/**
 * The floor under every server on Deno: bare loops of `Deno.listen`, which read, look the answer up in a
 * table and write. What kvs costs beyond it is kvs's own.
 *
 *     deno run -A bench/floor.ts PORT KEYS VALUE_SIZE [THREADS [FILE everysec | always]]
 *
 * It knows the requests of the generator alone, in the text protocol: gets, and sets, which are counted by their
 * bytes. With a file they are written to it as they came, by one write for all that one turn of the loop has
 * read, and with `always` synced before they are acknowledged; nobody could find them there again. Threads
 * share the port and nothing else.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { bytesOf } from "../lib/bytes.ts";
import { framesOf, keyOf } from "./frames.ts";

const [port, keys, valueSize, threads = 1] = Deno.args.slice(0, 4).map(Number) as [
  number,
  number,
  number,
  number?,
];
const [file, fsync] = Deno.args.slice(4);
const value = "v".repeat(valueSize);
const answers = Array.from(
  { length: keys },
  (_, index) => bytesOf(`VALUE ${keyOf(index)} 0 ${valueSize}\r\n${value}\r\nEND\r\n`),
);
const { requestLength, reply } = framesOf({ operation: "set", keys: 1, valueSize, pipeline: 1 });
const getLength = framesOf({ operation: "get", keys: 1, valueSize, pipeline: 1 }).requestLength;
/** As many acknowledgements as one read can ask for. */
const INPUT = 16 * 1024;
const stored = bytesOf(
  new TextDecoder().decode(reply).repeat(Math.ceil(INPUT / requestLength) + 1),
);
const GET = "g".charCodeAt(0);
const DIGIT = "0".charCodeAt(0);
const DIGITS_START = "get key:".length;
const DIGITS_END = "get ".length + keyOf(0).length;

const log = file === undefined ? undefined : Deno.openSync(file, { create: true, append: true });
/** What is to be written, and the write that all wait for who have put something there. */
const pending = new Uint8Array(1 << 20);
let length = 0;
let writing: Promise<void> | undefined;

const THREAD = "thread";
const isThread = globalThis.name === THREAD;
for (let more = isThread ? 0 : threads - 1; more > 0; more--) {
  new Worker(import.meta.url, { type: "module", name: THREAD });
}
const listener = Deno.listen({ hostname: "127.0.0.1", port, reusePort: threads > 1 });
for await (const conn of listener) {
  conn.setNoDelay();
  serve(conn).catch(() => {});
}

async function serve(conn: Deno.Conn): Promise<void> {
  const input = new Uint8Array(INPUT);
  const output = new Uint8Array(INPUT / getLength * answers[0]!.length);
  /** Bytes of a set that has not come whole. */
  let begun = 0;
  for (;;) {
    const count = await conn.read(input);
    if (count === null) return conn.close();
    if (begun === 0 && input[0] === GET) {
      if (count === getLength) await conn.write(answerTo(input, 0));
      else await conn.write(output.subarray(0, answersTo(input, count, output)));
      continue;
    }
    begun += count;
    const sets = Math.floor(begun / requestLength);
    begun -= sets * requestLength;
    if (log !== undefined) await append(input.subarray(0, count));
    if (sets > 0) await conn.write(stored.subarray(0, sets * reply.length));
  }
}

/** The answer to the get that begins there. */
function answerTo(input: Uint8Array, start: number): Uint8Array<ArrayBuffer> {
  let index = 0;
  for (let at = start + DIGITS_START; at < start + DIGITS_END; at++) {
    index = index * 10 + input[at]! - DIGIT;
  }
  return answers[index]!;
}

/** Puts the answers to gets that have come together into `output`; returns how many bytes those are. */
function answersTo(input: Uint8Array, count: number, output: Uint8Array): number {
  let end = 0;
  for (let start = 0; start < count; start += getLength) {
    const answer = answerTo(input, start);
    output.set(answer, end);
    end += answer.length;
  }
  return end;
}

/** Resolves when the bytes are in the file, and synced where that is asked for. */
function append(bytes: Uint8Array): Promise<void> {
  pending.set(bytes, length);
  length += bytes.length;
  return writing ??= write();
}

async function write(): Promise<void> {
  // All that have read something in this turn of the loop put it there first; before a sync, in the next one too.
  if (fsync === "always") await new Promise((resolve) => setImmediate(resolve));
  else await undefined;
  writing = undefined;
  log!.writeSync(pending.subarray(0, length));
  length = 0;
  if (fsync === "always") log!.syncDataSync();
}

if (log !== undefined && fsync === "everysec") setInterval(() => void log.syncData(), 1000);
