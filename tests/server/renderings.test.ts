/** The same commands in each dialect come to the same: what is said, and what is there afterwards. */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { binaryString, ByteBuffer, bytesOfBinaryString } from "../../lib/bytes.ts";
import { clientDialects } from "../../lib/protocol/client_dialects.ts";
import {
  type Expect,
  type GetVerb,
  type Protocol,
  PROTOCOLS,
  type Reply,
  type RequestWriter,
  type StoreVerb,
} from "../../lib/protocol/client_dialect.ts";
import { Harness } from "./harness.ts";

/** A command, written in any dialect. */
type Command = (write: RequestWriter, out: ByteBuffer, opaque: number) => Expect;

const key = fc.constantFrom("a", "b", "c", "k".repeat(250));
const exptime = fc.constantFrom(0, 0, 5, 100, 2592001);
const value = fc.constantFrom(
  "",
  "0",
  "7",
  "99",
  "18446744073709551615",
  "x",
  "a\r\nb\0",
  "y".repeat(3000),
)
  .map(bytesOfBinaryString);
const flags = fc.constantFrom(0, 1, 0xffffffff);
const unique = fc.bigInt({ min: 1n, max: 20n });

const command: fc.Arbitrary<readonly [name: string, command: Command] | number> = fc.oneof(
  {
    arbitrary: fc.tuple(fc.constantFrom<GetVerb>("get", "gets", "gat", "gats"), key, exptime).map(
      ([verb, key, exptime]) =>
        named(`${verb} ${key}`, (write, out, opaque) => write.get(out, opaque, verb, key, exptime)),
    ),
    weight: 4,
  },
  {
    arbitrary: fc.tuple(
      fc.constantFrom<GetVerb>("get", "gets", "gat", "gats"),
      fc.array(key, { minLength: 1, maxLength: 4 }),
      exptime,
    ).map(([verb, keys, exptime]) =>
      named(
        `${verb} ${keys}`,
        (write, out, opaque) => write.getMany(out, opaque, verb, keys, exptime),
      )
    ),
    weight: 2,
  },
  {
    arbitrary: fc.tuple(
      fc.constantFrom<StoreVerb>("set", "set", "add", "replace", "append", "prepend", "cas"),
      key,
      value,
      flags,
      exptime,
      unique,
    ).map(([verb, key, value, flags, exptime, unique]) =>
      named(
        `${verb} ${key}`,
        (write, out, opaque) => write.store(out, opaque, verb, key, value, flags, exptime, unique),
      )
    ),
    weight: 6,
  },
  {
    arbitrary: fc.tuple(
      fc.constantFrom<"incr" | "decr">("incr", "decr"),
      key,
      fc.constantFrom(0n, 1n, 50n, 0xffffffffffffffffn),
    ).map(([verb, key, delta]) =>
      named(
        `${verb} ${key}`,
        (write, out, opaque) => write.arithmetic(out, opaque, verb, key, delta),
      )
    ),
    weight: 3,
  },
  {
    arbitrary: fc.tuple(key, exptime).map(([key, exptime]) =>
      named(
        `touch ${key} ${exptime}`,
        (write, out, opaque) => write.touch(out, opaque, key, exptime),
      )
    ),
    weight: 2,
  },
  {
    arbitrary: key.map((key) =>
      named(`delete ${key}`, (write, out, opaque) => write.delete(out, opaque, key))
    ),
    weight: 2,
  },
  fc.constantFrom(0, 10).map((delay) =>
    named(`flush_all ${delay}`, (write, out, opaque) => write.flushAll(out, opaque, delay))
  ),
  fc.constant(named("noop", (write, out, opaque) => write.noop(out, opaque))),
  fc.constantFrom(1, 6, 30),
);

function named(name: string, command: Command): readonly [name: string, command: Command] {
  return [name, command];
}

/** What a client of a dialect is told, and what is there in the end. */
async function run(
  protocol: Protocol,
  commands: readonly (readonly [name: string, command: Command] | number)[],
): Promise<{ said: unknown[]; there: unknown[] }> {
  await using harness = new Harness();
  harness.clock.pause();
  const dialect = clientDialects[protocol];
  const said: unknown[] = [];
  const start = harness.clock.now();
  for (const [i, step] of commands.entries()) {
    if (typeof step === "number") {
      harness.advance(step);
      continue;
    }
    const [name, command] = step;
    const out = new ByteBuffer();
    const expect = command(dialect.requests, out, i);
    const reader = dialect.newReader();
    reader.push(bytesOfBinaryString(await harness.exchange([binaryString(out.view())])));
    const reply = reader.next(expect, i);
    assertEquals(reader.pending, false, `${protocol}: ${name}: more than one reply`);
    said.push([name, sense(reply)]);
  }
  assertEquals(harness.said, []);
  const there: unknown[] = [];
  for await (const group of harness.store.scan()) {
    for (const { key, size, flags, exptime, cas, fetched, accessed } of group) {
      const lives = exptime === 0 ? 0 : exptime - start;
      const ago = accessed - Math.floor(start / 1000);
      there.push([binaryString(key), size, flags, lives, cas, fetched, ago]);
    }
  }
  return { said, there: there.sort() };
}

/** What a reply says, whatever words it has. */
function sense(reply: Reply | undefined): unknown {
  switch (reply?.kind) {
    case "values":
      return reply.values.map((
        { key, flags, value, cas },
      ) => [key, flags, binaryString(value), cas]);
    case "status":
      return reply.status;
    case "number":
      return reply.number;
    case "error":
      return "an error";
    case "text":
      // What text has for a noop.
      return "done";
    default:
      throw new Error(`not a reply: ${JSON.stringify(reply)}`);
  }
}

Deno.test("the same commands in text, meta and binary say the same and leave the same items", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 40 }), async (commands) => {
      const [text, ...others] = await Promise.all(
        PROTOCOLS.map((protocol) => run(protocol, commands)),
      );
      for (const other of others) {
        assertEquals(other.said.map(withoutCas), text.said.map(withoutCas));
        assertEquals(other.there, text.there);
      }
    }),
    { numRuns: 150 },
  );
});

/** Over the binary protocol every read brings the unique, over the others only the ones that ask for it. */
function withoutCas(said: unknown): unknown {
  const [name, what] = said as [string, unknown];
  if (!Array.isArray(what) || /^g[ae]ts/.test(name)) return said;
  return [name, what.map(([key, flags, value]) => [key, flags, value])];
}
