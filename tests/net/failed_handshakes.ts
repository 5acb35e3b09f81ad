/**
 * Run with `--v8-flags=--expose-gc`: makes handshakes fail at a listener that asks for clients' certificates,
 * and prints how many bytes of the heap each has left behind.
 *
 *     deno run -A --v8-flags=--expose-gc failed_handshakes.ts DIRECTORY COUNT
 */

import { Tls } from "../../lib/net/tls/mod.ts";

const WARM_UP = 200;

const [directory, count] = Deno.args;
const collect = (globalThis as unknown as { gc(): void }).gc;

let failed = 0;
let enough: { readonly at: number; resolve(): void } | undefined;
const tls = new Tls(
  {
    chain: `${directory}/server.crt`,
    key: `${directory}/server.key`,
    ca: `${directory}/ca.crt`,
    onlyTls13: false,
  },
  () => {
    failed++;
    if (enough !== undefined && failed >= enough.at) enough.resolve();
  },
);
const listener = await tls.listen({ hostname: "127.0.0.1", port: 0, backlog: 64 }, "require");

/** Plain text where a handshake should begin, so many times. */
async function fail(times: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  enough = { at: failed + times, resolve };
  for (let i = 0; i < times; i++) {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    await conn.write(new TextEncoder().encode("get greeting\r\n"));
    const rest = new Uint8Array(256);
    try {
      while (await conn.read(rest) !== null);
    } catch {
      // It hangs up.
    }
  }
  await promise;
}

function heapUsed(): number {
  collect();
  return Deno.memoryUsage().heapUsed;
}

await fail(WARM_UP);
const before = heapUsed();
await fail(Number(count));
console.log(Math.round((heapUsed() - before) / Number(count)));
listener.close();
tls.close();
Deno.exit();
