/**
 * Attacks on a server that run one after the other, each beside a well-behaved client: how long others
 * wait, and how much memory the server takes.
 *
 *     deno task attack [--duration 5s] [--only "a long pipeline"] [--memcached memcached]
 *
 * @module
 */

import type { Manual } from "../lib/cli/help.ts";
import { duration, text } from "../lib/cli/option.ts";
import type { Values } from "../lib/cli/parse.ts";
import { type Attack, attacks } from "./attack/attacks.ts";
import type { Seen } from "./attack/bystander.ts";
import { runProgram } from "./front.ts";
import { denoScript, kvsScript, residentBytes, type Server, startServer } from "./processes.ts";

const attackOptions = {
  duration: duration({ flags: "--duration", min: 1000, default: 5000, help: "of each attack" }),
  only: text({ flags: "--only", value: "NAME", help: "one attack, by its name" }),
  memcached: text({ flags: "--memcached", value: "PROGRAM", help: "a memcached to attack too" }),
};

const manual: Manual = {
  usage: "deno task attack [options]",
  about: "Attacks a server in many ways, and measures how others fare meanwhile.",
};

/**
 * The columns: memory at most and after the attack, in MiB; then milliseconds, which another client had to
 * wait meanwhile, and the first one after the end.
 */
const HEAD = ["MiB", "after", "p50", "p99", "longest", "connect", "own p99", "recovery"];
const MIB = 2 ** 20;
/** How long a server may give back memory after an attack, in milliseconds. */
const REST = 2000;
/** How often the server's memory is looked at, in milliseconds. */
const LOOK = 20;

/** Starts a server, attacks it, and says a row. */
async function row(
  name: string,
  attack: Attack,
  milliseconds: number,
  command: (port: number) => [string, ...string[]],
): Promise<string> {
  await using server = await startServer(command);
  const before = residentBytes(server.pid);
  const end = await attack(server.port);
  let most = before;
  const looking = setInterval(() => most = Math.max(most, residentBytes(server.pid)), LOOK);
  const seen = await besides(server, milliseconds);
  clearInterval(looking);
  end();
  const recovered = await answered(server.port);
  await new Promise((resolve) => setTimeout(resolve, REST));
  const after = residentBytes(server.pid);
  const figures = seen === undefined
    ? ["-", "-", "-", "-", "-"]
    : [seen.p50, seen.p99, seen.longest, seen.longestConnect, seen.ownP99].map(oneDigit);
  const memory = [most, after].map((bytes) => `+${Math.round((bytes - before) / MIB)}`);
  return [name.padEnd(28), ...memory, ...figures, oneDigit(recovered)]
    .map((cell) => cell.padStart(9)).join("");
}

function oneDigit(milliseconds: number): string {
  return milliseconds.toFixed(1);
}

/** How long a new client has to wait for its first answer. */
async function answered(port: number): Promise<number> {
  const began = performance.now();
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode("version\r\n"));
  await conn.read(new Uint8Array(256));
  return performance.now() - began;
}

/** What a well-behaved client sees meanwhile; `undefined` where it was not served. */
async function besides({ port, pid }: Server, milliseconds: number): Promise<Seen | undefined> {
  const script = denoScript("bench/attack/bystander.ts", `${port}`, `${milliseconds}`, `${pid}`);
  const [program, ...args] = script;
  const { success, stdout } = await new Deno.Command(program, { args }).output();
  return success ? JSON.parse(new TextDecoder().decode(stdout)) : undefined;
}

async function main({ duration, only, memcached }: Values<typeof attackOptions>): Promise<number> {
  const directory = await Deno.makeTempDir();
  let runs = 0;
  const contestants: [string, (port: number) => [string, ...string[]]][] = [
    ["kvs", (port) => {
      const data = `${directory}/${runs++}`;
      return kvsScript(port, "--data-dir", data, "--max-disk", "2g");
    }],
  ];
  if (memcached !== undefined) {
    // Run as root it wants to be told whose rights it is to have.
    const user = Deno.uid() === 0 ? ["-u", "nobody"] : [];
    contestants.push([
      "memcached",
      (port) => [memcached, "-p", `${port}`, "-l", "127.0.0.1", ...user],
    ]);
  }
  try {
    for (const [contestant, command] of contestants) {
      const head = HEAD.map((word) => word.padStart(9));
      console.log(`${contestant.padEnd(28)}${head.join("")}`);
      for (const [name, attack] of Object.entries(attacks)) {
        if (only !== undefined && name !== only) continue;
        console.log(await row(name, attack, duration, command));
      }
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
  return 0;
}

if (import.meta.main) await runProgram("attack", manual, attackOptions, main);
