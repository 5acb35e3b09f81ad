import { assertEquals } from "@std/assert";
import { Harness } from "../server/harness.ts";
import { randomFrom } from "../server/mutations.ts";
import { receiveAll, send } from "../server/wire.ts";
import { startMemcachedAt } from "./memcached.ts";
import { LAST, type Send, sendsFrom } from "./odd_requests.ts";
import { Uniques } from "./uniques.ts";

type Random = (below: number) => number;
type Connect = () => Promise<Deno.TcpConn | Deno.UnixConn>;

/** A memcached of 1.6.40 or later: Debian's is older, and answers many of these otherwise. */
const current = Deno.env.get("KVS_TEST_MEMCACHED");
const missing = current === undefined ? " (skipped: KVS_TEST_MEMCACHED names no memcached)" : "";
/** Others are drawn by FUZZ_SEED, more by FUZZ_REQUESTS. */
const seed = Number(Deno.env.get("FUZZ_SEED") ?? 1);
const requests = Number(Deno.env.get("FUZZ_REQUESTS") ?? 20_000);
/** Connections, one after another, of one empty server. */
const SENDS_A_LIFE = 4;

/** What comes back for a text that is sent in pieces, until the server has read it all. */
async function exchange(connect: Connect, text: string, random: Random): Promise<string> {
  using conn = await connect();
  const received = receiveAll(conn);
  try {
    const cut = random(text.length + 1);
    await send(conn, text.slice(0, cut));
    await send(conn, text.slice(cut));
    await conn.closeWrite();
  } catch (error) {
    // It may hang up on what it is being sent.
    if (
      !(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset)
    ) {
      throw error;
    }
  }
  return await received;
}

/** Times that pass between the two servers, and the sizes and classes of memcached's memory. */
function calm(reply: string): string {
  return reply.replace(/^(HD|VA \d+|ME)( .*)\r$/gm, (_, code, flags: string) => {
    const calm = flags.replace(
      / (t|exp=)(\d+)/g,
      (_, name, ttl) => ` ${name}${timeLeft(Number(ttl))}`,
    )
      .replace(/ (la=|l|cls=|size=)\d+/g, " $1N");
    return `${code}${calm}\r`;
  });
}

/** What is over is 2^32 less the seconds since for memcached. */
function timeLeft(seconds: number): string {
  return seconds === 0 || seconds > 3_000_000 ? "far" : `${Math.ceil(seconds / 10) * 10}`;
}

/** What an empty server answers. */
async function answers(connect: Connect, life: readonly Send[]): Promise<string[]> {
  const random = randomFrom(seed);
  assertEquals(await exchange(connect, "flush_all\r\n", random), "OK\r\n");
  const uniques = new Uniques();
  const all: string[] = [];
  for (const sent of life) {
    const text = sent.map((request) => uniques.fill(request)).join("");
    all.push(calm(uniques.hide(await exchange(connect, text, random))));
  }
  return all;
}

/** The life with as few requests as still make a difference. */
async function fewest(life: Send[], differs: (life: Send[]) => Promise<boolean>): Promise<Send[]> {
  let few = life;
  for (let i = life.length - 1; i >= 0; i--) {
    for (let j = life[i]!.length - 1; j >= 0; j--) {
      // What ends a send lets its other replies come.
      if (few[i]![j] === LAST && few[i]!.length > 1) continue;
      const without = few.with(i, few[i]!.toSpliced(j, 1));
      if (await differs(without)) few = without;
    }
  }
  return few.filter((sent) => sent.length > 0);
}

for (const over of ["text", "binary"] as const) {
  const name = `kvs answers ${requests} odd requests over ${over} as the current memcached does ` +
    `(FUZZ_SEED=${seed})${missing}`;
  Deno.test({ name, ignore: current === undefined, fn: () => compare(over) });
}

async function compare(over: "text" | "binary"): Promise<void> {
  await using memcached = await startMemcachedAt(current!);
  await using kvs = new Harness({}, true);
  const theirs = () => Deno.connect({ transport: "unix", path: memcached.path });
  const ours = async () => {
    const conn = await kvs.connect();
    conn.setNoDelay();
    return conn;
  };
  const both = (life: Send[]) => Promise.all([answers(theirs, life), answers(ours, life)]);
  const differs = async (life: Send[]) => {
    const [wanted, found] = await both(life);
    return found.some((answer, i) => answer !== wanted[i]);
  };
  const next = sendsFrom(randomFrom(seed), over);
  for (let asked = 0; asked < requests;) {
    const life = Array.from({ length: SENDS_A_LIFE }, next);
    for (const sent of life) asked += sent.length;
    if (!await differs(life)) continue;
    const few = await fewest(life, differs);
    const [wanted, found] = await both(few);
    const told = (answers: string[]) => few.map((sent, i) => ({ sent, answer: answers[i] }));
    assertEquals(told(found), told(wanted));
  }
}
