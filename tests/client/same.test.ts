/** Random calls leave the same items and return the same, whichever dialect carries them. */

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { binaryString } from "../../lib/bytes.ts";
import { Client } from "../../lib/client/client.ts";
import { PROTOCOLS, type Value } from "../../lib/protocol/client_dialect.ts";
import { memcachedMissing, startKvs, startMemcached } from "./servers.ts";

/** One call: its name for the report, and what it does. */
interface Call {
  readonly name: string;
  run(client: Client): Promise<unknown>;
}

const shown = (item: Value | undefined) => item && [item.key, item.flags, binaryString(item.value)];

const value = fc.oneof(
  fc.constantFrom("", "0", "9", "10", "99", "18446744073709551615", "-1", " 7", "x\r\n"),
  fc.uint8Array({ maxLength: 40 }),
);
const exptime = fc.constantFrom(0, 0, 0, 1000, 2592000, 2592001, -1, 4_000_000_000);
const flags = fc.constantFrom(0, 0, 1, 0xffffffff);
const delta = fc.constantFrom(0n, 1n, 9n, 100n, 2n ** 63n, 2n ** 64n - 1n);

function calls(keys: fc.Arbitrary<string>): fc.Arbitrary<Call> {
  const call = <T extends unknown[]>(
    name: string,
    run: (client: Client, ...args: T) => Promise<unknown>,
    ...args: { [I in keyof T]: fc.Arbitrary<T[I]> }
  ): fc.Arbitrary<Call> =>
    (fc.tuple(...args) as unknown as fc.Arbitrary<T>).map((values) => ({
      name: `${name} ${fc.stringify(values)}`,
      run: (client) => run(client, ...values),
    }));
  const stores = (["set", "add", "replace"] as const).map((verb) =>
    call(
      verb,
      (client, key: string, bytes: string | Uint8Array, flags: number, exptime: number) =>
        client[verb](key, bytes, { flags, exptime }),
      ...[keys, value, flags, exptime] as const,
    )
  );
  return fc.oneof(
    ...stores,
    call("get", async (client, key: string) => shown(await client.get(key)), keys),
    call(
      "gat",
      async (client, key: string, exptime: number) => shown(await client.gat(exptime, key)),
      ...[keys, exptime] as const,
    ),
    call("getMany", async (client, asked: string[]) => {
      const found = await client.getMany(asked);
      return [...found.keys()].sort().map((key) => shown(found.get(key)));
    }, fc.array(keys, { maxLength: 6 })),
    call(
      "append",
      (client, key: string, bytes: string | Uint8Array) => client.append(key, bytes),
      ...[keys, value] as const,
    ),
    call(
      "prepend",
      (client, key: string, bytes: string | Uint8Array) => client.prepend(key, bytes),
      ...[keys, value] as const,
    ),
    call(
      "cas",
      async (client, key: string, bytes: string | Uint8Array, off: bigint) => {
        const unique = (await client.gets(key))?.cas ?? 1n;
        return client.cas(key, bytes, unique + off);
      },
      ...[keys, value, fc.constantFrom(0n, 0n, 1_000_000n)] as const,
    ),
    call(
      "incr",
      (client, key: string, delta: bigint) => client.incr(key, delta),
      ...[keys, delta] as const,
    ),
    call(
      "decr",
      (client, key: string, delta: bigint) => client.decr(key, delta),
      ...[keys, delta] as const,
    ),
    call(
      "touch",
      (client, key: string, exptime: number) => client.touch(key, exptime),
      ...[keys, exptime] as const,
    ),
    call("delete", (client, key: string) => client.delete(key), keys),
  );
}

/** What a call returns or how it fails, to compare. */
function outcome(client: Client, call: Call): Promise<unknown> {
  return call.run(client).catch((error: Error) => `${error.name}: ${error.message}`);
}

/**
 * A number that has become shorter keeps its length by blanks behind it, but where memcached's own threads
 * hold the item at that moment it makes a new one (memcached.c, `do_add_delta`).
 */
function withoutPadding(found: unknown): unknown {
  if (Array.isArray(found)) return found.map(withoutPadding);
  return typeof found === "string" ? found.replace(/^(\d+) +$/, "$1") : found;
}

const named = ["a", "b", "é", "a b", "\r\n\0"];

const machines = [
  {
    ...{ machine: "memcached", ignore: memcachedMissing, start: () => startMemcached() },
    comparable: withoutPadding,
  },
  {
    ...{ machine: "kvs", ignore: false, start: () => startKvs() },
    comparable: (found: unknown) => found,
  },
];

for (const { machine, ignore, start, comparable } of machines) {
  Deno.test({
    name: `random calls do the same over text, meta and binary (${machine})`,
    ignore,
    fn: async () => {
      await using stack = new AsyncDisposableStack();
      const clients = await Promise.all(PROTOCOLS.map(async (protocol) => {
        const server = stack.use(await start());
        const servers = [server.address];
        return { protocol, client: stack.use(new Client({ servers, protocol, anyKeys: true })) };
      }));
      const keys = fc.constantFrom(...named);
      await fc.assert(
        fc.asyncProperty(fc.array(calls(keys), { maxLength: 60 }), async (calls) => {
          await Promise.all(clients.map(({ client }) => client.flushAll()));
          const ran = await Promise.all(clients.map(async ({ client }) => {
            const outcomes: unknown[] = [];
            for (const call of calls) outcomes.push([call.name, await outcome(client, call)]);
            const left = await client.getMany(named);
            return [...outcomes, [...left.keys()].sort().map((key) => shown(left.get(key)))];
          }));
          for (const [i, { protocol }] of clients.entries()) {
            const message = `${protocol} is not as ${clients[0]!.protocol}`;
            assertEquals(comparable(ran[i]), comparable(ran[0]), message);
          }
        }),
        { numRuns: 100 },
      );
    },
  });
}
