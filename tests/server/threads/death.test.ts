import { assertEquals, assertMatch } from "@std/assert";
import { unexplained } from "../../linearizable.ts";
import { ServerProcess } from "../process.ts";
import { exchangeWith } from "../wire.ts";
import { COUNTER, Observed, talk } from "./clients.ts";

const ENDING = new URL("./ending_server.ts", import.meta.url).pathname;
const KEYS = ["a", "b"];

for (
  const [way, line] of [
    ["close", /thread \d does nothing any more: the server ends/],
    ["exit", /thread \d does nothing any more: the server ends/],
    ["loop", /thread \d does nothing any more: the server ends/],
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
