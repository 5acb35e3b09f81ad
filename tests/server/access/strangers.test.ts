/** Connections before their login: how many, how long, and how little they may ask. */

import { assert, assertEquals } from "@std/assert";
import { PlainCount } from "../../../lib/count.ts";
import { auditLine, AuditLog } from "../../../lib/server/access/audit.ts";
import { reachOf } from "../../../lib/server/access/exposure.ts";
import { LOGIN_TIME, Strangers } from "../../../lib/server/access/strangers.ts";
import { Session } from "../../../lib/commands/session.ts";
import { ask, Opcode } from "../../protocol/binary/frames.ts";
import { Harness, ScriptedSocket } from "../harness.ts";
import { usersOf } from "./users.ts";

const users = await usersOf([{
  name: "u",
  password: "p",
  permissions: { read: true, write: true },
}]);
const login = "set l 0 0 3\r\nu p\r\n";

/** A connection that may log in. */
class Caller {
  readonly session = new Session(1, false);
  closed = false;
  close(): void {
    this.closed = true;
  }
}

Deno.test("where the share of strangers is full the oldest makes room, and who has logged in counts no more", () => {
  const strangers = new Strangers(2);
  const [first, second, third, fourth] = [new Caller(), new Caller(), new Caller(), new Caller()];
  strangers.enter(first);
  strangers.enter(second);
  first.session.admit({ name: "u", rights: undefined });
  strangers.enter(third);
  assertEquals([first.closed, second.closed, third.closed], [false, false, false]);
  strangers.enter(fourth);
  assertEquals([first, second, third, fourth].map(({ closed }) => closed), [
    ...[false, true, false, false],
  ]);
});

Deno.test("strangers of several threads have one share: each thread closes its own, and one with none takes one more", () => {
  const count = new PlainCount();
  const [one, other] = [new Strangers(2, count), new Strangers(2, count)];
  const [first, second, third, fourth] = [new Caller(), new Caller(), new Caller(), new Caller()];
  one.enter(first);
  one.enter(second);
  other.enter(third);
  assertEquals([first.closed, second.closed, third.closed, count.value], [false, false, false, 3]);
  one.enter(fourth);
  assertEquals([first.closed, second.closed, third.closed, count.value], [true, false, false, 3]);
  second.session.admit({ name: "u", rights: undefined });
  one.leave(second);
  other.leave(third);
  assertEquals([one.size, other.size, count.value], [1, 0, 1]);
});

Deno.test("a stranger has 5 seconds to log in", () => {
  const strangers = new Strangers(10);
  const [slow, quick, waiting] = [new Caller(), new Caller(), new Caller()];
  strangers.enter(slow);
  strangers.enter(quick);
  strangers.enter(waiting);
  // Its password is being checked: the time is the server's.
  waiting.session.checking = true;
  quick.session.admit({ name: "u", rights: undefined });
  for (let second = 0; second < LOGIN_TIME; second++) strangers.tick();
  assertEquals(slow.closed, false);
  strangers.tick();
  assertEquals([slow, quick, waiting].map(({ closed }) => closed), [true, false, false]);
  waiting.session.checking = false;
  strangers.tick();
  assertEquals([waiting.closed, strangers.size], [true, 0]);
});

Deno.test("a full share of strangers lets a client that logs in through", async () => {
  await using harness = new Harness({ context: { users, maxConnections: 8 } }, true);
  const silent = [await harness.connect(), await harness.connect(), await harness.connect()];
  const client = await harness.connect();
  await client.write(new TextEncoder().encode(`${login}mn\r\n`));
  const bytes = new Uint8Array(100);
  let heard = "";
  while (!heard.includes("MN")) {
    const count = await client.read(bytes);
    assert(count !== null, heard);
    heard += new TextDecoder().decode(bytes.subarray(0, count));
  }
  assertEquals(heard, "STORED\r\nMN\r\n");
  for (const conn of [...silent, client]) conn.close();
});

Deno.test("three wrong pairs end the connection, and refused lines do not", async () => {
  await using harness = new Harness({ context: { users } });
  const wrong = "set l 0 0 3\r\nu x\r\n";
  const refused = "get k\r\nversion\r\nadd x 0 0 1\r\nset bad 0 0\r\n";
  const UNKNOWN = "CLIENT_ERROR unauthenticated\r\n";
  const WRONG = "CLIENT_ERROR authentication failure\r\n";
  assertEquals(
    await harness.exchange([refused, wrong, wrong, login, "mn\r\n"]),
    `${UNKNOWN.repeat(4)}${WRONG.repeat(2)}STORED\r\nMN\r\n`,
  );
  assertEquals(await harness.exchange([wrong, wrong, wrong, login, "mn\r\n"]), WRONG.repeat(3));
});

Deno.test("a stranger hears about a kilobyte, over text and binary", async () => {
  for (const sent of ["get k x\r\n".repeat(2000), ask(Opcode.version).repeat(2000)]) {
    await using harness = new Harness({ context: { users, sasl: true } });
    const received = await harness.exchange([sent]);
    assert(received.length > 500 && received.length < 1300, `${received.length} bytes`);
  }
});

Deno.test("a login and commands may come in one packet, however long the password's check takes", async () => {
  const slow = await usersOf([{ name: "u", password: "p", permissions: { read: true } }]);
  await using harness = new Harness({ context: { users: slow } });
  assertEquals(
    await harness.exchange([`${login}get k\r\nset k 0 0 1\r\na\r\nmn\r\n`]),
    "STORED\r\nEND\r\nCLIENT_ERROR permission denied\r\nMN\r\n",
  );
});

for (const protocols of ["auto", "ascii", "binary"] as const) {
  for (const sasl of [false, true]) {
    Deno.test(`before a login, no first byte opens a listener for ${protocols}${sasl ? " with SASL" : ""}`, async () => {
      await using harness = new Harness({ protocols, context: { users, sasl } });
      await harness.exchange([`${login}set secret 0 0 6\r\nhidden\r\n`]);
      const before = JSON.stringify(await keysOf(harness));
      for (let byte = 0; byte < 256; byte++) {
        const first = String.fromCharCode(byte);
        for (const rest of ["et k 0 0 1\r\na\r\nget secret\r\n", `\r\nset k 0 0 1\r\na\r\n`]) {
          const socket = new ScriptedSocket([first + rest]);
          await harness.serve(socket);
          assert(!socket.written.includes("hidden"), `byte ${byte}: ${socket.written}`);
        }
      }
      assertEquals(JSON.stringify(await keysOf(harness)), before);
    });
  }
}

async function keysOf(harness: Harness): Promise<string[]> {
  const keys: string[] = [];
  for await (const group of harness.store.scan()) keys.push(...group.map(({ key }) => String(key)));
  return keys;
}

Deno.test("the audit log says what users do once, counts what they repeat, and quotes their names", () => {
  const said: string[] = [];
  let now = 0;
  const audit = new AuditLog((line, more) => void said.push(auditLine(line, more)), () => now);
  const session = new Session(1, false, "10.0.0.1");
  for (let i = 0; i < 5; i++) audit.say("failed login", session, 'a"\nb');
  now = 61_000;
  audit.say("failed login", session, 'a"\nb');
  audit.say("failed login", new Session(2, false, "10.0.0.2"), "b");
  assertEquals(said, [
    'audit: failed login user="a\\"\\nb" address=10.0.0.1',
    'audit: failed login user="a\\"\\nb" address=10.0.0.1 (4 more since)',
    'audit: failed login user="b" address=10.0.0.2',
  ]);
});

Deno.test("what one user repeats on several threads is one line of the audit log", () => {
  const said: string[] = [];
  let now = 0;
  const log = new AuditLog((line, more) => void said.push(auditLine(line, more)), () => now);
  const threads = [1, 2, 3].map(() =>
    new AuditLog((line, more) => log.take(line, more), () => now)
  );
  const session = new Session(1, false, "10.0.0.1");
  for (const thread of threads) {
    for (let i = 0; i < 5; i++) thread.say("failed login", session, "b");
  }
  now = 61_000;
  threads[0]!.say("failed login", session, "b");
  const line = 'audit: failed login user="b" address=10.0.0.1';
  assertEquals(said, [line, `${line} (6 more since)`]);
});

const reaches: Record<string, [hostname: string, addresses: string[], reach: string]> = {
  "a loopback address": ["127.0.0.2", [], "loopback"],
  "IPv6's loopback": ["::1", [], "loopback"],
  "a private address": ["10.1.2.3", [], "private"],
  "a link-local one with its zone": ["fe80::1%eth0", [], "private"],
  "a unique local one": ["fd00::1", [], "private"],
  "a public address": ["203.0.114.5", [], "public"],
  "a public one of IPv6": ["2600::1", [], "public"],
  "IPv4 in IPv6": ["::ffff:192.168.1.1", [], "private"],
  "all addresses of a machine on a private network": [
    "0.0.0.0",
    ["127.0.0.1", "172.17.0.2"],
    "private",
  ],
  "all of IPv4 of a machine whose public address is of IPv6": [
    "0.0.0.0",
    ["127.0.0.1", "10.0.0.1", "2600::1"],
    "private",
  ],
  "all of a machine with a public one": ["::", ["127.0.0.1", "10.0.0.1", "2600::1"], "public"],
};
for (const [what, [hostname, addresses, reach]] of Object.entries(reaches)) {
  Deno.test(`who can reach ${what}: ${reach}`, () => {
    assertEquals(reachOf(hostname, () => addresses), reach);
  });
}
