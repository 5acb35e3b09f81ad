/** Clients that all use few keys, and note what they asked, what came of it, and when. */

import type { Event, State } from "../../linearizable.ts";

/** A connection with one request in flight. */
class Talk {
  readonly #conn: Deno.TcpConn;
  readonly #decoder = new TextDecoder();
  #held = "";

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  /** Sends a request and reads a reply up to what ends it. Throws where the connection ends before. */
  async ask(request: string, end: RegExp): Promise<string> {
    await this.#conn.write(new TextEncoder().encode(request));
    const buffer = new Uint8Array(4096);
    for (;;) {
      const match = end.exec(this.#held);
      if (match !== null) {
        const reply = this.#held.slice(0, match.index + match[0].length);
        this.#held = this.#held.slice(reply.length);
        return reply;
      }
      const count = await this.#conn.read(buffer);
      if (count === null) throw new Error("the connection has ended");
      this.#held += this.#decoder.decode(buffer.subarray(0, count));
    }
  }

  close(): void {
    this.#conn.close();
  }
}

const LINE = /\r\n/;
const GETS = /END\r\n/;

/** What all clients have seen of each key, and what `incr` has answered. */
export class Observed {
  readonly events = new Map<string, Event[]>();
  readonly sums: { readonly number: number; readonly called: number; readonly returned: number }[] =
    [];
  /** Requests that were answered. */
  answered = 0;

  of(key: string): Event[] {
    return this.events.getOrInsertComputed(key, () => []);
  }
}

/** The counter, which `incr` alone changes. */
export const COUNTER = "counter";

/** Asks at random until `requests` are answered, or the connection ends. Resolves in any case. */
export async function talk(
  port: number,
  client: number,
  keys: readonly string[],
  requests: number,
  observed: Observed,
  answered: () => void,
): Promise<void> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const line = new Talk(conn);
  /** The value and unique of each key that this client has seen last. */
  const seen = new Map<string, { readonly value: string; readonly unique: string }>();
  try {
    for (let i = 0; i < requests; i++) {
      if (i % 5 === 4) await count(line, observed);
      else {
        const key = keys[Math.floor(Math.random() * keys.length)]!;
        await askOf(line, key, `${client}.${i}`, seen, observed);
      }
      observed.answered++;
      answered();
    }
  } catch {
    // The server was killed.
  } finally {
    line.close();
  }
}

async function count(line: Talk, observed: Observed): Promise<void> {
  const called = performance.now();
  const reply = await line.ask(`incr ${COUNTER} 1\r\n`, LINE);
  observed.sums.push({ number: Number(reply), called, returned: performance.now() });
}

async function askOf(
  line: Talk,
  key: string,
  value: string,
  seen: Map<string, { readonly value: string; readonly unique: string }>,
  observed: Observed,
): Promise<void> {
  const dice = Math.random();
  const known = seen.get(key);
  if (dice < 0.45) {
    return await note(line, observed, key, `gets ${key}\r\n`, GETS, (reply) => {
      const [, unique, found] = /^VALUE \S+ \d+ \d+ (\d+)\r\n(.*)\r\n/.exec(reply) ?? [];
      if (found === undefined) seen.delete(key);
      else seen.set(key, { value: found, unique: unique! });
      return (state) => state === found ? { next: state } : "impossible";
    });
  }
  const data = `${value.length}`;
  if (dice < 0.65) {
    return await note(
      line,
      observed,
      key,
      `set ${key} 0 0 ${data}\r\n${value}\r\n`,
      LINE,
      (reply) => reply === "STORED\r\n" ? () => ({ next: value }) : () => "impossible",
      () => ({ next: value }),
    );
  }
  if (dice < 0.75) {
    return await note(
      line,
      observed,
      key,
      `delete ${key}\r\n`,
      LINE,
      (reply) => (state) =>
        (state === undefined) === (reply === "NOT_FOUND\r\n") ? { next: undefined } : "impossible",
      () => ({
        next: undefined,
      }),
    );
  }
  if (dice < 0.85 || known === undefined) {
    return await note(
      line,
      observed,
      key,
      `add ${key} 0 0 ${data}\r\n${value}\r\n`,
      LINE,
      (reply) => {
        const isStored = reply === "STORED\r\n";
        return (state) => {
          if (isStored !== (state === undefined)) return "impossible";
          return { next: isStored ? value : state };
        };
      },
      (state) => ({ next: state ?? value }),
    );
  }
  const { value: expected, unique } = known;
  const request = `cas ${key} 0 0 ${data} ${unique}\r\n${value}\r\n`;
  await note(line, observed, key, request, LINE, (reply) => (state) => {
    const right = state === undefined ? "NOT_FOUND" : state === expected ? "STORED" : "EXISTS";
    if (reply !== `${right}\r\n`) return "impossible";
    return { next: right === "STORED" ? value : state };
  }, (state) => ({ next: state === expected ? value : state }));
}

/** Asks, and notes what came of it; or, where no answer comes, what may have come of it. */
async function note(
  line: Talk,
  observed: Observed,
  key: string,
  request: string,
  end: RegExp,
  meaning: (reply: string) => Event["apply"],
  unanswered: (state: State) => { readonly next: State } = (state) => ({ next: state }),
): Promise<void> {
  const called = performance.now();
  const name = request.replaceAll("\r\n", " ");
  let reply: string;
  try {
    reply = await line.ask(request, end);
  } catch (error) {
    observed.of(key).push({ name, called, returned: Infinity, apply: unanswered });
    throw error;
  }
  const apply = meaning(reply);
  observed.of(key).push({
    name: `${name}→ ${reply.trim()}`,
    called,
    returned: performance.now(),
    apply,
  });
}

/** What is wrong with the answers of the counter: each number once, and none lower than one that was answered before. */
export function wrongSums({ sums }: Observed, least = 0): string[] {
  const wrong: string[] = [];
  const seen = new Set<number>();
  let highest = least;
  const byReturn = sums.toSorted((a, b) => a.returned - b.returned);
  let next = 0;
  for (const sum of sums.toSorted((a, b) => a.called - b.called)) {
    while (next < byReturn.length && byReturn[next]!.returned < sum.called) {
      highest = Math.max(highest, byReturn[next++]!.number);
    }
    if (!(sum.number > highest)) wrong.push(`${sum.number} after ${highest}`);
    if (seen.has(sum.number)) wrong.push(`${sum.number} twice`);
    seen.add(sum.number);
  }
  return wrong;
}
