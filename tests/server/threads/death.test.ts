import { assertEquals, assertMatch } from "@std/assert";
import { unexplained } from "../../linearizable.ts";
import { ServerProcess } from "../process.ts";
import { exchangeWith } from "../wire.ts";
import { COUNTER, Observed, talk } from "./clients.ts";

const ENDING = new URL("./ending_server.ts", import.meta.url).pathname;
const KEYS = ["a", "b"];

for (
  const [way, line] of [
    ["close", /thread \d has ended itself: the server ends/],
    ["exit", /thread \d has ended itself: the server ends/],
    ["loop", /thread \d has done nothing for 2 s, and is given up: the server ends/],
    ["throw", /thread \d has failed: .*a bug of a thread.*: the server ends/],
  ] as const
) {
  Deno.test(`a thread that ends by ${way} ends the server, which says so and has lost nothing`, async () => {
    const directory = await Deno.makeTempDir({ prefix: "kvs-threads-" });
    const file = `${directory}/end`;
    const args = ["-p", "-1", "-t", "3", "--data-dir", `${directory}/data`];
    try {
      const observed = new Observed();
      {
        await using server = await ServerProcess.start([way, file, ...args], {}, {
          script: ENDING,
        });
        await exchangeWith(server.port, `set ${COUNTER} 0 0 1\r\n0\r\n`);
        await Promise.all(
          Array.from(
            { length: 6 },
            (_, client) =>
              talk(server.port, client, KEYS, Infinity, observed, () => {
                if (observed.answered === 200) {
                  Deno.writeTextFileSync(file, "");
                }
              }),
          ),
        );
        assertEquals(await server.exit(), 70);
        assertMatch(server.said, line);
      }
      await using server = await ServerProcess.start(args);
      for (const key of KEYS) {
        const called = performance.now();
        const found = /\r\n(.*)\r\nEND/.exec(await exchangeWith(server.port, `get ${key}\r\n`))
          ?.[1];
        observed.of(key).push({
          name: `get ${key} after the restart`,
          called,
          returned: performance.now(),
          apply: (state) => state === found ? { next: state } : "impossible",
        });
        assertEquals(unexplained(observed.of(key), undefined), undefined);
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

Deno.test("a thread that stands still for a while ends no server, nor its metrics: it is said when that begins and ends", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kvs-threads-" });
  const file = `${directory}/still`;
  try {
    const args = ["-p", "-1", "-t", "2", "--store", "memory", "--http", "0"];
    await using server = await ServerProcess.start(["stand still", file, ...args], {}, {
      script: ENDING,
    });
    assertEquals(await exchangeWith(server.port, "set k 0 0 1\r\nx\r\n"), "STORED\r\n");
    Deno.writeTextFileSync(file, "");
    await server.says(/thread \d has done nothing for 0.5 s: its clients wait/);
    const url = `${/http on (\S+)/.exec(server.said)?.[1]}/metrics`;
    assertMatch(await (await fetch(`http://${url}`)).text(), /memcached_current_items 1\n/);
    Deno.writeTextFileSync(`${file}.on`, "");
    await server.says(/thread \d goes on after \S+ s/);
    assertEquals(await exchangeWith(server.port, "get k\r\n"), "VALUE k 0 1\r\nx\r\nEND\r\n");
    server.kill("SIGTERM");
    assertEquals(await server.exit(), 0);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("SIGTERM ends a server whose threads have yet to begin", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kvs-threads-" });
  try {
    const args = ["-p", "-1", "-t", "2", "--data-dir", `${directory}/data`];
    await using server = ServerProcess.spawn(["begin never", directory, ...args], {
      script: ENDING,
    });
    await server.says(/a thread that never begins/);
    server.kill("SIGTERM");
    assertEquals(await server.exit(), 0);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
