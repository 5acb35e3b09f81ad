/**
 * The first kilobyte of strangers, on every listener: whatever it is, nothing is executed and nothing leaks.
 * `FUZZ_FIRST=100000` runs more of them, `FUZZ_SEED` the same ones again.
 */

import { assert, assertEquals } from "@std/assert";
import { makeCertificate, signCertificate } from "../../certificates.ts";
import { binaryRequestsFrom, metaRequestsFrom } from "../dialect_mutations.ts";
import { randomFrom, requestsFrom } from "../mutations.ts";
import { ServerProcess } from "../process.ts";
import { exchangeWith, receiveAll, send } from "../wire.ts";
import { writeUsers } from "./users.ts";

const CONNECTIONS = Number(Deno.env.get("FUZZ_FIRST") ?? 2000);
const AT_ONCE = 32;
const KILOBYTE = 1024;
/** What the process may take, in bytes: the runtime takes the most. */
const MEMORY = 300 * 2 ** 20;
/** The most that a stranger is told: a kilobyte, a reply more, and what TLS adds to it. */
const MOST_TOLD = 8 * KILOBYTE;

const seed = Number(Deno.env.get("FUZZ_SEED") ?? Math.floor(Math.random() * 2 ** 31));
const login = "set x 0 0 8\r\nann open\r\n";

/** Draws what a stranger may begin with. */
function beginningsFrom(random: (below: number) => number): () => string {
  const makers = [requestsFrom(random), metaRequestsFrom(random), binaryRequestsFrom(random)];
  const bytes = (count: number) =>
    Array.from({ length: count }, () => String.fromCharCode(random(256))).join("");
  const hello = () => `\x16\x03${bytes(random(200))}`;
  const guess = () => {
    const pair = `ann ${bytes(random(12))}`;
    return `set x 0 0 ${pair.length}\r\n${pair}\r\n`;
  };
  return () => {
    let text = random(4) === 0 ? bytes(random(60)) : "";
    const maker = makers[random(makers.length)]!;
    while (text.length < KILOBYTE && random(8) > 0) {
      const kind = random(20);
      text += kind === 0 ? hello() : kind === 1 ? guess() : kind === 2 ? bytes(30) : maker();
    }
    return text.slice(0, KILOBYTE);
  };
}

Deno.test(`${CONNECTIONS} first kilobytes on listeners of all kinds do nothing and learn nothing (FUZZ_SEED=${seed})`, async () => {
  const directory = await Deno.makeTempDir();
  try {
    await makeCertificate(directory, "subjectAltName=DNS:localhost");
    await signCertificate(directory, "ca", "app", "subjectAltName=DNS:app.example");
    const read = (name: string) => Deno.readTextFile(`${directory}/${name}`);
    const [ca, cert, key] = await Promise.all(["ca.crt", "app.crt", "app.key"].map(read));
    const file = `${directory}/users.json`;
    const all = { read: true, write: true, stats: true };
    await writeUsers(file, [{ name: "ann", password: "open", permissions: all }]);
    const listeners = ["notls:127.0.0.1", "notls:proto[ascii]:127.0.0.1"].concat(
      ["notls:proto[binary]:127.0.0.1", "127.0.0.1", "mtls:127.0.0.1"],
    );
    await using server = await ServerProcess.start([
      ...["--store", "memory", "-p", "-1", "-S", "--users", file, "-Z", "-l", listeners.join(",")],
      ...["--ssl-chain-cert", `${directory}/server.crt`, "--ssl-key", `${directory}/server.key`],
      ...["--ssl-ca-cert", `${directory}/ca.crt`],
    ]);
    const ports = [...server.address.matchAll(/:(\d+)/g)].map(([, port]) => Number(port));
    const [open] = ports;
    const secret = "set secret 0 0 6\r\nhidden\r\n";
    assertEquals(await exchangeWith(open!, login + secret), "STORED\r\nSTORED\r\n");
    /** Every kind of connection in turn: plain bytes on each listener, and TLS on those that speak it. */
    const ways: ((port: number) => Promise<Deno.Conn>)[] = [
      ...ports.map((at) => () => Deno.connect({ hostname: "127.0.0.1", port: at })),
      () => Deno.connectTls({ hostname: "localhost", port: ports[3]!, caCerts: [ca!] }),
      () =>
        Deno.connectTls(
          { hostname: "localhost", port: ports[4]!, caCerts: [ca!], cert, key } as Parameters<
            typeof Deno.connectTls
          >[0],
        ),
    ];
    let begun = 0;
    const speak = async () => {
      const number = begun++;
      const random = randomFrom(seed + number);
      const beginning = beginningsFrom(random)();
      const conn = await ways[number % ways.length]!(open!);
      const received = receiveAll(conn).catch(() => "");
      try {
        await send(conn, beginning);
        if (random(8) > 0 && "closeWrite" in conn) await conn.closeWrite();
        else conn.close();
      } catch {
        // The server hangs up on what it does not take.
      }
      const told = await received;
      try {
        conn.close();
      } catch {
        // It is closed.
      }
      assert(!told.includes("hidden"), `connection ${number} was told the secret`);
      assert(told.length < MOST_TOLD, `connection ${number} was told ${told.length} bytes`);
    };
    const worker = async () => {
      while (begun < CONNECTIONS) await speak();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    const stats = await exchangeWith(open!, `${login}stats\r\nget secret\r\n`);
    const figure = (name: string) => Number(new RegExp(`STAT ${name} (\\d+)`).exec(stats)?.[1]);
    assertEquals(
      ["curr_items", "cmd_get", "cmd_set", "cmd_flush", "cmd_touch"].map(figure),
      [1, 0, 1, 0, 0],
    );
    assert(stats.includes("hidden"), stats);
    const status = await Deno.readTextFile(`/proc/${server.pid}/status`);
    assert(Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024 < MEMORY, status);
    const other = server.said.replaceAll(/^\S+ kvs-server: audit: .*\n/gm, "");
    assertEquals(
      other.trim().split("\n").filter((line) => !/certificate of|listening/.test(line)),
      [],
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
