/**
 * The floor under every server on Deno: a bare loop of `Deno.listen`, which reads, looks the answer up
 * in a table and writes. What kvs costs beyond it is kvs's own.
 *
 *     deno run -A bench/floor.ts PORT KEYS VALUE_SIZE
 *
 * It knows the requests of the generator alone, in the text protocol: a get that comes whole in one
 * read, and sets, which are counted by their bytes and stored nowhere.
 *
 * @module
 */

import { bytesOf } from "../lib/bytes.ts";
import { framesOf, keyOf } from "./frames.ts";

const [port, keys, valueSize] = Deno.args.map(Number) as [number, number, number];
const value = "v".repeat(valueSize);
const answers = Array.from(
  { length: keys },
  (_, index) => bytesOf(`VALUE ${keyOf(index)} 0 ${valueSize}\r\n${value}\r\nEND\r\n`),
);
const { requestLength, reply } = framesOf({ operation: "set", keys: 1, valueSize, pipeline: 1 });
/** As many acknowledgements as one read can ask for. */
const INPUT = 16 * 1024;
const stored = bytesOf(
  new TextDecoder().decode(reply).repeat(Math.ceil(INPUT / requestLength) + 1),
);
const GET = "g".charCodeAt(0);
const DIGIT = "0".charCodeAt(0);
const DIGITS_START = "get key:".length;
const DIGITS_END = "get ".length + keyOf(0).length;

const listener = Deno.listen({ hostname: "127.0.0.1", port });
for await (const conn of listener) {
  conn.setNoDelay();
  serve(conn).catch(() => {});
}

async function serve(conn: Deno.Conn): Promise<void> {
  const input = new Uint8Array(INPUT);
  /** Bytes of a set that has not come whole. */
  let begun = 0;
  for (;;) {
    const count = await conn.read(input);
    if (count === null) return conn.close();
    if (begun === 0 && input[0] === GET) {
      let index = 0;
      for (let at = DIGITS_START; at < DIGITS_END; at++) index = index * 10 + input[at]! - DIGIT;
      await conn.write(answers[index]!);
      continue;
    }
    begun += count;
    const sets = Math.floor(begun / requestLength);
    begun -= sets * requestLength;
    if (sets > 0) await conn.write(stored.subarray(0, sets * reply.length));
  }
}
