import { assert, assertEquals } from "@std/assert";
import { ask, Opcode, reply } from "../protocol/binary/frames.ts";
import { Harness } from "../server/harness.ts";
import { randomFrom } from "../server/mutations.ts";
import { receiveUntil, send } from "../server/wire.ts";
import { steady } from "./dialect_scripts.ts";
import { memcachedPackage, startMemcached } from "./memcached.ts";
import { type Asked, askedFrom } from "./random_requests.ts";
import { Uniques } from "./uniques.ts";

type Random = (below: number) => number;

/** Others are drawn by FUZZ_SEED, more by FUZZ_REQUESTS. */
const seed = Number(Deno.env.get("FUZZ_SEED") ?? 1);
const requests = Number(Deno.env.get("FUZZ_REQUESTS") ?? 3000);
/** What one empty server is asked. */
const REQUESTS_A_LIFE = 30;

/** What is asked behind each request, and its answer, by which the end of the others is known. */
const ends = {
  text: ["mn\r\n", "MN\r\n"],
  binary: [
    ask(Opcode.noop, { opaque: 0xeeeeeeee }),
    reply(Opcode.noop, { opaque: 0xeeeeeeee }),
  ],
} as const;

/** One server, and its connections, one a dialect. */
class Asking implements Disposable {
  readonly #text: Deno.Conn;
  readonly #binary: Deno.Conn;

  constructor(text: Deno.Conn, binary: Deno.Conn) {
    this.#text = text;
    this.#binary = binary;
  }

  /** What an empty server answers to the requests, in turn. */
  async answers(all: readonly Asked[], random: Random): Promise<string[]> {
    assertEquals(await this.#answer({ over: "text", request: "flush_all\r\n" }, random), "OK\r\n");
    const uniques = new Uniques();
    const answers: string[] = [];
    for (const asked of all) {
      const request = uniques.fill(asked.request);
      answers.push(steady(uniques.hide(await this.#answer({ ...asked, request }, random))));
    }
    return answers;
  }

  /** The answer to a request, which is sent in pieces. */
  async #answer({ over, request }: Asked, random: Random): Promise<string> {
    const conn = over === "text" ? this.#text : this.#binary;
    const [last, answer] = ends[over];
    const cut = random(request.length);
    await send(conn, request.slice(0, cut));
    await send(conn, request.slice(cut) + last);
    const text = await receiveUntil(conn, answer);
    assert(text.endsWith(answer), `the connection ended at ${JSON.stringify(request)}`);
    return text.slice(0, -answer.length);
  }

  [Symbol.dispose](): void {
    this.#text.close();
    this.#binary.close();
  }
}

/** The fewest of the requests that are still answered otherwise, each left out in its turn. */
async function fewest(all: Asked[], differs: (all: Asked[]) => Promise<boolean>): Promise<Asked[]> {
  let few = all;
  for (let i = all.length - 1; i >= 0; i--) {
    const without = few.toSpliced(i, 1);
    if (await differs(without)) few = without;
  }
  return few;
}

Deno.test({
  name: memcachedPackage.named(
    `kvs answers ${requests} random requests in all dialects as memcached 1.6.18 does ` +
      `(FUZZ_SEED=${seed})`,
  ),
  ignore: memcachedPackage.skipped,
  fn: async () => {
    memcachedPackage.require();
    await using memcached = await startMemcached("-o", "no_lru_maintainer");
    await using kvs = new Harness({}, true);
    kvs.clock.pause();
    const path = { transport: "unix", path: memcached.path } as const;
    const connect = async () => {
      const conn = await Deno.connect({ port: kvs.port });
      // The second piece of a request does not wait until the first one is acknowledged.
      conn.setNoDelay();
      return conn;
    };
    using theirs = new Asking(await Deno.connect(path), await Deno.connect(path));
    using ours = new Asking(await connect(), await connect());
    const random = randomFrom(seed);
    const next = askedFrom(random);
    const answersTo = (all: Asked[]) =>
      Promise.all([theirs.answers(all, randomFrom(seed)), ours.answers(all, randomFrom(seed))]);
    const differs = async (all: Asked[]) => {
      const [wanted, found] = await answersTo(all);
      return found.some((answer, i) => answer !== wanted[i]);
    };
    for (let asked = 0; asked < requests; asked += REQUESTS_A_LIFE) {
      const life = Array.from({ length: REQUESTS_A_LIFE }, next);
      if (!await differs(life)) continue;
      const few = await fewest(life, differs);
      const [wanted, found] = await answersTo(few);
      const told = few.map(({ request }, i) => ({ request, answer: found[i] }));
      assertEquals(told, few.map(({ request }, i) => ({ request, answer: wanted[i]! })));
    }
  },
});
