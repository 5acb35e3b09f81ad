import { assert, assertEquals } from "@std/assert";
import { unexplained } from "../../linearizable.ts";
import { ServerProcess } from "../process.ts";
import { COUNTER, Observed, talk, wrongSums } from "./clients.ts";
import { exchangeWith } from "../wire.ts";

const THREADS = "4";
const CLIENTS = 8;
const KEYS = ["a", "b", "c"];
const REQUESTS = 250;

function wrongWith(observed: Observed): string[] {
  return [
    ...KEYS.map((key) => unexplained(observed.of(key), undefined)).filter((one) =>
      one !== undefined
    ),
    ...wrongSums(observed),
  ];
}

async function begin(port: number): Promise<void> {
  assertEquals(await exchangeWith(port, `set ${COUNTER} 0 0 1\r\n0\r\n`), "STORED\r\n");
}

async function talkAll(
  port: number,
  observed: Observed,
  answered: () => void = () => {},
): Promise<void> {
  const clients = Array.from(
    { length: CLIENTS },
    (_, client) => talk(port, client, KEYS, REQUESTS, observed, answered),
  );
  await Promise.all(clients);
}

for (
  const [name, args] of [
    ["memory", ["--store", "memory"]],
    ["disk, everysec", ["--fsync", "everysec"]],
    ["disk, always", ["--fsync", "always"]],
    ["disk, with as little memory as may be", ["--fsync", "no", "-m", "1m", "-I", "1k"]],
  ] as const
) {
  Deno.test(`threads on ${name}: every answer is explained by one order of all requests`, async () => {
    const directory = await Deno.makeTempDir({ prefix: "kvs-threads-" });
    try {
      const place = name === "memory" ? [] : ["--data-dir", directory];
      await using server = await ServerProcess.start([
        "-p",
        "-1",
        "-t",
        THREADS,
        ...args,
        ...place,
      ]);
      await begin(server.port);
      const observed = new Observed();
      await talkAll(server.port, observed);
      assertEquals(observed.answered, CLIENTS * REQUESTS);
      assertEquals(wrongWith(observed), []);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

for (const fsync of ["everysec", "always"]) {
  Deno.test(`threads with --fsync ${fsync}: what was acknowledged is there after kill -9`, async () => {
    const directory = await Deno.makeTempDir({ prefix: "kvs-threads-" });
    try {
      const args = ["-p", "-1", "-t", THREADS, "--data-dir", directory, "--fsync", fsync];
      const observed = new Observed();
      {
        await using server = await ServerProcess.start(args);
        await begin(server.port);
        await talkAll(server.port, observed, () => {
          if (observed.answered === CLIENTS * REQUESTS / 2) server.kill("SIGKILL");
        });
      }
      assert(observed.answered < CLIENTS * REQUESTS, "the server was killed before the end");
      await using server = await ServerProcess.start(args);
      for (const key of KEYS) {
        const called = performance.now();
        const reply = await exchangeWith(server.port, `get ${key}\r\n`);
        const found = /\r\n(.*)\r\nEND/.exec(reply)?.[1];
        observed.of(key).push({
          name: `get ${key} after the restart → ${found}`,
          called,
          returned: performance.now(),
          apply: (state) => state === found ? { next: state } : "impossible",
        });
      }
      assertEquals(wrongWith(observed), []);
      const counted = /\r\n(\d+)/.exec(await exchangeWith(server.port, `get ${COUNTER}\r\n`))?.[1];
      const highest = Math.max(...observed.sums.map(({ number }) => number));
      assert(Number(counted) >= highest, `${counted} is what is left of ${highest}`);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}
