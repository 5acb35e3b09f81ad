/**
 * How many clients a second connect, log in, ask for one key and leave, as PHP does for every page: without
 * users, with a file of passwords, and with a file of hashes.
 *
 *     deno task bench-logins [--rounds 5] [--seconds 2s] …
 *
 * @module
 */

import { bytesOf } from "../lib/bytes.ts";
import { hashPassword } from "../lib/server/access/scrypt.ts";
import { loadOptions, runBench } from "./front.ts";
import { median } from "./measure.ts";
import { cpuSeconds, kvsScript, type Server, startServer } from "./processes.ts";
import { textOf } from "./tables.ts";

/** Clients that do so concurrently. */
const CLIENTS = 16;
const LOGIN = bytesOf("set x 0 0 7\r\nfoo bar\r\n");
const ASK = bytesOf("get k\r\n");

/** What one server did. */
interface Row {
  readonly users: string;
  readonly loginsPerSecond: number;
  readonly cpuMicroseconds: number;
  readonly load: number;
}

const { seconds, rounds } = loadOptions;

await runBench({
  manual: {
    usage: "deno task bench-logins [options]",
    about: `Measures connections a second, each of which logs in; ${CLIENTS} clients.`,
  },
  options: { seconds, rounds },
  programs: {},
  measure: measureAll,
  text: (rows) =>
    `${CLIENTS} clients; load ${rows.map(({ load }) => load.toFixed(1)).join(", ")}\n\n` + textOf([
      ["users", "logins/s", "CPU us"],
      ...rows.map(({ users, loginsPerSecond, cpuMicroseconds }) => [
        users,
        loginsPerSecond.toFixed(0),
        cpuMicroseconds.toFixed(0),
      ]),
    ]),
});

async function measureAll(
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<Row[]> {
  const directory = await Deno.makeTempDir();
  await using servers = new AsyncDisposableStack();
  try {
    const passwords = `${directory}/passwords`;
    const users = `${directory}/users.json`;
    await Deno.writeTextFile(passwords, "foo:bar\n", { mode: 0o600 });
    const hash = await hashPassword(bytesOf("bar"));
    const foo = { name: "foo", passwords: [hash], permissions: { read: true } };
    await Deno.writeTextFile(users, JSON.stringify({ users: [foo] }), { mode: 0o600 });
    const running: { users: string; server: Server; logsIn: boolean }[] = [];
    for (
      const [name, ...options] of [["none"], ["-Y", "-Y", passwords], ["--users", "--users", users]]
    ) {
      const server = servers.use(
        await startServer((port) => kvsScript(port, "--store", "memory", ...options)),
      );
      running.push({ users: name!, server, logsIn: options.length > 0 });
    }
    const found = running.map((): { logins: number[]; cpu: number[] } => ({ logins: [], cpu: [] }));
    for (let round = 0; round < rounds; round++) {
      for (const [i, { server, logsIn }] of running.entries()) {
        const before = cpuSeconds(server.pid);
        const count = await loginsIn(server.port, logsIn, seconds);
        found[i]!.logins.push(count / seconds * 1000);
        found[i]!.cpu.push((cpuSeconds(server.pid) - before) / count * 1e6);
      }
    }
    const [load] = Deno.loadavg();
    return running.map(({ users }, i) => ({
      users,
      loginsPerSecond: median(found[i]!.logins),
      cpuMicroseconds: median(found[i]!.cpu),
      load: load!,
    }));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Connections that were made, logged in, answered and left within so many milliseconds. */
async function loginsIn(port: number, logsIn: boolean, milliseconds: number): Promise<number> {
  const end = performance.now() + milliseconds;
  let count = 0;
  const client = async () => {
    const bytes = new Uint8Array(256);
    while (performance.now() < end) {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      if (logsIn) {
        await conn.write(LOGIN);
        await conn.read(bytes);
      }
      await conn.write(ASK);
      if (await conn.read(bytes) === null) throw new Error("the server let nobody in");
      count++;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return count;
}
