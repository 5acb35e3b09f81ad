import { assert, assertEquals } from "@std/assert";
import { binaryRequestsFrom, metaRequestsFrom } from "./dialect_mutations.ts";
import { randomFrom, requestsFrom } from "./mutations.ts";
import { ServerProcess } from "./process.ts";
import { exchangeWith, receiveAll, send } from "./wire.ts";

const REQUESTS = 100_000;
const REQUESTS_A_CONNECTION = 40;
const CONNECTIONS_AT_ONCE = 8;
/** What the process may take, in bytes: its values may take 16 MiB, the runtime takes the most. */
const MEMORY = 400 * 2 ** 20;

const seed = Number(Deno.env.get("FUZZ_SEED") ?? Math.floor(Math.random() * 2 ** 31));

async function memoryOf(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
}

/** Who says something wrong, and what it is answered when it was right. */
const dialects = {
  text: { requestsFrom, success: /STORED\r\n/g },
  meta: { requestsFrom: metaRequestsFrom, success: /HD/g },
  binary: { requestsFrom: binaryRequestsFrom, success: /\x81[^]\0[^]{2}\0\0\0/g },
} as const;
type Dialect = keyof typeof dialects;

/** The connections speak the dialects in turn. */
async function fuzz(spoken: readonly Dialect[], ...storeOptions: string[]): Promise<void> {
  await using server = await ServerProcess.start([...storeOptions, "-m", "16", "-p", "-1"]);
  let connections = 0;
  let sent = 0;
  let stored = 0;

  async function speak(): Promise<void> {
    // Each connection has a seed of its own, so that it says the same however they interleave.
    const { requestsFrom, success } = dialects[spoken[connections % spoken.length]!];
    const random = randomFrom(seed + connections++);
    const request = requestsFrom(random);
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const received = receiveAll(conn);
    try {
      for (let i = 0; i < REQUESTS_A_CONNECTION; i += 10) {
        let batch = "";
        for (let j = 0; j < 10; j++) batch += request();
        sent += 10;
        await send(conn, batch);
      }
      // Some leave without a word.
      if (random(8) > 0) await conn.closeWrite();
      else conn.close();
    } catch (error) {
      // The server hangs up on lines without an end.
      if (error instanceof Error && /refused/.test(error.message)) throw error;
    }
    const replies = await received.catch(() => "");
    stored += replies.match(success)?.length ?? 0;
  }

  async function probe(): Promise<void> {
    assertEquals(
      await exchangeWith(server.port, "set probe 5 0 5\r\nalive\r\nget probe\r\n"),
      "STORED\r\nVALUE probe 5 5\r\nalive\r\nEND\r\n",
    );
  }

  while (sent < REQUESTS) {
    await Promise.all(Array.from({ length: CONNECTIONS_AT_ONCE }, speak));
    if (connections % 80 === 0) await probe();
  }
  await probe();
  const stats = await exchangeWith(server.port, "stats\r\n");
  assertEquals(/STAT curr_connections (\d+)/.exec(stats)?.[1], "1");
  assert(stored > REQUESTS / 20, `${stored} requests were right enough to reach the store`);
  assert(await memoryOf(server.pid) < MEMORY, `${await memoryOf(server.pid)} bytes of memory`);
  // A client may ask for the requests to be told, one a line, and flush; nothing else is worth a word.
  const said = server.said.replaceAll(/^\S+ kvs-server: (<\d+|audit:) .*\n/gm, "");
  assertEquals(said.split("\n").length, 2, said);
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
}

for (const dialect of ["text", "meta", "binary"] as const) {
  Deno.test(
    `${REQUESTS} random and half-valid requests in ${dialect} leave a server serving, its items in memory ` +
      `(FUZZ_SEED=${seed})`,
    () => fuzz([dialect], "--store", "memory"),
  );
}

Deno.test(
  `${REQUESTS} random and half-valid requests in all dialects leave a server serving, its items on disk ` +
    `(FUZZ_SEED=${seed})`,
  async () => {
    const directory = await Deno.makeTempDir();
    await fuzz(["text", "meta", "binary"], "--store", "disk", "--data-dir", directory);
    await Deno.remove(directory, { recursive: true });
  },
);
