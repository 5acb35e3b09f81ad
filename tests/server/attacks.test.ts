import { assert, assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";
import { ServerProcess } from "./process.ts";
import { receiveUntil, send } from "./wire.ts";

const LIMIT = 64 * 2 ** 20;

/** What several clients do to one server concurrently; `deno task attack` has them one by one, and more. */
const chosen = [
  "a long pipeline",
  "unread replies, one value",
  "a line of 500,000 keys",
  "sets and flush_all",
  "a byte a second from 900",
  "connections reset at once",
  "unfinished lines",
  "unfinished values",
];

/** The lines of `stats limits`. */
async function limits(conn: Deno.Conn): Promise<Map<string, number>> {
  await send(conn, "stats limits\r\n");
  const lines = (await receiveUntil(conn, "END\r\n")).matchAll(/STAT (\S+) (\d+)/g);
  return new Map([...lines].map(([, name, value]) => [name!, Number(value)]));
}

Deno.test("eight attacks together leave a server that serves others and holds no more than it may", async () => {
  const directory = await Deno.makeTempDir();
  const args = ["--data-dir", `${directory}/data`, "-p", "-1", "-c", "4000"];
  args.push("--max-client-memory", String(LIMIT));
  await using server = await ServerProcess.start(args);
  const { port } = server;
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port });
  using staying = await connect();
  const script = fileURLToPath(new URL("../../bench/attack/attacks.ts", import.meta.url));
  const attackers = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", script, `${port}`, ...chosen],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = attackers.stdout.pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await reader.read()).value, "under way\n");
  for (let i = 0; i < 20; i++) {
    const used = (await limits(staying)).get("client_memory")!;
    assert(used <= LIMIT, `clients hold ${used} bytes`);
    using coming = await connect();
    await send(coming, `add k${i} 0 0 1\r\nx\r\nversion\r\n`);
    assertMatch(await receiveUntil(coming, "\r\nVERSION 1.6.45\r\n"), /^(NOT_)?STORED\r\n/);
  }
  await attackers.stdin.close();
  await reader.cancel();
  assertEquals((await attackers.status).code, 0);
  for (;;) {
    const figures = await limits(staying);
    if (figures.get("connections") === 1) {
      assert(figures.get("client_memory")! <= 64 * 1024, `${figures.get("client_memory")} bytes`);
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await send(staying, "set k 0 0 1\r\nx\r\nget k\r\n");
  assertEquals(await receiveUntil(staying, "END\r\n"), "STORED\r\nVALUE k 0 1\r\nx\r\nEND\r\n");
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
  // A state is a line where it begins and one where it ends, however many clients there are.
  const lines = server.said.trimEnd().split("\n");
  assert(lines.length <= 8, server.said);
  await Deno.remove(directory, { recursive: true });
});
