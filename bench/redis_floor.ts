/**
 * The floor under kvs on Redis: a bare loop of `Deno.listen` that asks Redis by ioredis's own calls, and
 * answers. It checks nothing, keeps no order but that of its calls, and knows no flags and no expiry.
 *
 *     deno run -A bench/redis_floor.ts PORT REDIS_PORT [each | many]
 *
 * With `each` a key is a call of ioredis, whose auto-pipelining gathers those of one turn; with `many` all
 * gets of one read are one `MGET`. It knows the generator's requests alone, in the text protocol.
 *
 * @module
 */

import { Redis } from "ioredis";
import { binaryString, ByteBuffer } from "../lib/bytes.ts";

const [port, redisPort] = Deno.args.slice(0, 2).map(Number) as [number, number];
const many = Deno.args[2] === "many";
/** As kvs's: what is stored is as long, and Redis has as much to do. */
const PREFIX = "floor:";
const HEADER = "h".repeat(32);

const redis = new Redis({ host: "127.0.0.1", port: redisPort, enableAutoPipelining: true });
const listener = Deno.listen({ hostname: "127.0.0.1", port });
for await (const conn of listener) {
  conn.setNoDelay();
  serve(conn).catch(() => {});
}

async function serve(conn: Deno.Conn): Promise<void> {
  const input = new Uint8Array(64 * 1024);
  const out = new ByteBuffer();
  /** What has not come whole: a line, or the line of a set whose value is missing. */
  let rest = "";
  for (;;) {
    const count = await conn.read(input);
    if (count === null) return conn.close();
    const lines = (rest + binaryString(input.subarray(0, count))).split("\r\n");
    rest = lines.pop()!;
    if (lines[0]?.startsWith("set ")) {
      if (lines.length % 2 === 1) rest = `${lines.pop()}\r\n${rest}`;
      await store(lines, out);
    } else await find(lines.map((line) => line.slice("get ".length)), out);
    if (out.length > 0) await conn.write(out.view());
    out.clear();
  }
}

async function store(lines: readonly string[], out: ByteBuffer): Promise<void> {
  const storing: Promise<unknown>[] = [];
  for (let i = 0; i < lines.length; i += 2) {
    storing.push(redis.set(PREFIX + lines[i]!.split(" ")[1], HEADER + lines[i + 1]));
  }
  await Promise.all(storing);
  for (const _ of storing) out.ascii("STORED\r\n");
}

async function find(keys: readonly string[], out: ByteBuffer): Promise<void> {
  const names = keys.map((key) => PREFIX + key);
  const values = many
    ? await redis.mgetBuffer(names)
    : await Promise.all(names.map((name) => redis.getBuffer(name)));
  values.forEach((value, i) => {
    if (value !== null) {
      out.ascii(`VALUE ${keys[i]} 0 ${value.length - HEADER.length}\r\n`);
      out.append(value.subarray(HEADER.length));
      out.ascii("\r\n");
    }
    out.ascii("END\r\n");
  });
}
