/** One thread and several answer alike: random requests, deep pipelines, values of every size. */

import { assertEquals } from "@std/assert";
import { askedFrom } from "../../conformance/random_requests.ts";
import { steady } from "../../conformance/dialect_scripts.ts";
import { Uniques } from "../../conformance/uniques.ts";
import { ask, Opcode, reply, storing } from "../../protocol/binary/frames.ts";
import { randomFrom } from "../mutations.ts";
import { ServerProcess } from "../process.ts";
import { receiveAll, receiveUntil, send } from "../wire.ts";

type Random = (below: number) => number;
type Over = "text" | "binary";

/** Others are drawn by FUZZ_SEED, more by FUZZ_LIVES. */
const seed = Number(Deno.env.get("FUZZ_SEED") ?? 1);
const lives = Number(Deno.env.get("FUZZ_LIVES") ?? 12);

/** The greatest item, and sizes around which something changes on a value's way. */
const LIMIT = 300_000;
const SIZES = [0, 48, 192, 256, 512, 4096, 16_384, 32_768, 65_536, 196_608, LIMIT, 2 * LIMIT];
const KEYS = ["large", "b".repeat(250), "n"];

/** What one connection is sent in one go, and whether it ends with that, in the middle of a set. */
interface Step {
  readonly connection: number;
  readonly over: Over;
  readonly text: string;
  readonly cut: number;
  readonly breaksOff: boolean;
}

/** What is asked behind each step, and its answer, by which the end of the others is known. */
const ends = {
  text: ["md theend k O98765\r\n", "NF ktheend O98765\r\n"],
  binary: [
    ask(Opcode.noop, { opaque: 0xeeeeeeee }),
    reply(Opcode.noop, { opaque: 0xeeeeeeee }),
  ],
} as const;

/** Requests about large values, and some that change no more than attributes. */
function largeFrom(random: Random, over: Over): string {
  const one = <T>(of: readonly T[]): T => of[random(of.length)]!;
  const key = one(KEYS);
  const size = Math.max(0, one(SIZES) + random(30) - 15);
  const value = `${random(1000)}.`.repeat(size).slice(0, size);
  if (over === "binary") {
    const opcode = one([Opcode.set, Opcode.setQ, Opcode.add, Opcode.append, Opcode.getKQ]);
    if (opcode === Opcode.getKQ) return ask(opcode, { key });
    return ask(opcode, { key, value, ...opcode !== Opcode.append && { extras: storing(7) } });
  }
  const command = one(["set", "set", "add", "replace", "append", "prepend", "ms", "mg", "others"]);
  switch (command) {
    case "ms":
      return `ms ${key} ${size}${one(["", " q", " c"])}\r\n${value}\r\n`;
    case "mg":
      return `mg ${key} v f t h${one(["", " q", " T100"])}\r\n`;
    case "others":
      return one([`gat 100 ${key}\r\n`, `touch ${key} 100\r\n`, `get ${KEYS.join(" ")}\r\n`]);
    default:
      return `${command} ${key} 0 0 ${size}${one(["", " noreply"])}\r\n${value}\r\n`;
  }
}

function stepFrom(random: Random, next: ReturnType<typeof askedFrom>, connections: number): Step {
  const over: Over = random(3) === 0 ? "binary" : "text";
  let text = "";
  for (let depth = 1 + random(random(3) === 0 ? 150 : 10); depth > 0; depth--) {
    if (random(5) === 0) text += largeFrom(random, over);
    else {
      const asked = next();
      if (asked.over === over) text += asked.request;
    }
  }
  const connection = random(connections);
  return { connection, over, text, cut: random(1000) / 1000, breaksOff: random(10) === 0 };
}

/** What a server answers to all steps, one after the other, and has counted then. */
async function answers(port: number, steps: readonly Step[]): Promise<string[]> {
  const conns = new Map<string, Deno.TcpConn>();
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port });
  const connOf = async (name: string) => {
    const conn = conns.get(name) ?? await connect();
    conns.set(name, conn);
    return conn;
  };
  const uniques = new Uniques();
  const all: string[] = [];
  try {
    const first = await connOf("text 0");
    await send(first, "flush_all\r\nstats reset\r\n");
    await receiveUntil(first, "RESET\r\n");
    for (const { connection, over, text, cut, breaksOff } of steps) {
      const request = uniques.fill(text);
      const [last, answer] = ends[over];
      const conn = breaksOff ? await connect() : await connOf(`${over} ${connection}`);
      const replies = breaksOff ? receiveAll(conn) : receiveUntil(conn, answer);
      const at = Math.floor(cut * request.length);
      await send(conn, request.slice(0, at));
      await send(conn, request.slice(at));
      if (breaksOff) {
        const unfinished = over === "text"
          ? `set large 0 0 90000\r\n${"z".repeat(80_000)}`
          : ask(Opcode.set, { key: "large", value: "z".repeat(90_000), extras: storing() })
            .slice(0, 80_000);
        await send(conn, unfinished);
        await conn.closeWrite();
      } else await send(conn, last);
      all.push(steady(uniques.hide(await replies)));
      if (breaksOff) conn.close();
    }
    await send(first, "stats\r\n");
    const stats = await receiveUntil(first, "END\r\n");
    // Whether an item is met after its time, or removed before, is a matter of time.
    all.push(
      stats.match(/STAT (cmd|delete|incr|decr|cas|touch|get_(hits|misses))\w* \d+/g)!.join(),
    );
  } finally {
    for (const conn of conns.values()) conn.close();
  }
  return all;
}

for (const store of ["memory", "disk"]) {
  Deno.test(`three threads answer ${lives} lives of random requests on ${store} as one does (FUZZ_SEED=${seed})`, async () => {
    const directory = await Deno.makeTempDir({ prefix: "kvs-threads-" });
    const args = (threads: string) => [
      ...["-p", "-1", "-t", threads, "-I", `${LIMIT}`, "--store", store],
      ...store === "disk" ? ["--data-dir", `${directory}/${threads}`] : [],
    ];
    try {
      await using one = await ServerProcess.start(args("1"));
      await using several = await ServerProcess.start(args("3"));
      const random = randomFrom(seed);
      const next = askedFrom(random);
      for (let life = 0; life < lives; life++) {
        const connections = 1 + random(8);
        const steps = Array.from({ length: 10 }, () => stepFrom(random, next, connections));
        const [wanted, found] = await Promise.all([
          answers(one.port, steps),
          answers(several.port, steps),
        ]);
        // The first that differs, and not megabytes of all.
        const at = wanted.findIndex((answer, i) => answer !== found[i]);
        if (at < 0) continue;
        const [a, b] = [wanted[at]!, found[at]!];
        let same = 0;
        while (same < a.length && a[same] === b[same]) same++;
        const near = (text: string) => text.slice(Math.max(0, same - 200), same + 200);
        assertEquals(near(b), near(a), `life ${life}, step ${at}`);
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}
