/** What users may do, in every dialect. */

import { assert, assertEquals } from "@std/assert";
import { Timing } from "../../../lib/observe/timing.ts";
import { ask, failure, Opcode, reply, Status, storing, u32 } from "../../protocol/binary/frames.ts";
import { piecesOf, type Step } from "../../commands/rules.ts";
import { Harness, ScriptedSocket, VERSION } from "../harness.ts";
import { usersOf } from "./users.ts";

const users = await usersOf([
  { name: "reader", password: "p", permissions: { read: true } },
  { name: "writer", password: "p", permissions: { write: true } },
  {
    name: "app",
    password: "p",
    permissions: { read: ["app:", "shared:"], write: ["app:"], list: true, stats: true },
  },
  { name: "lister", password: "p", permissions: { list: true } },
  {
    name: "boss",
    password: "p",
    permissions: { admin: true, flush: true, read: true, write: true, list: true },
  },
  { name: "nobody", password: "p", permissions: {} },
]);

const DENIED = "CLIENT_ERROR permission denied\r\n";
const STORED = "STORED\r\n";
const as = (user: string) => `set l 0 0 ${user.length + 2}\r\n${user} p\r\n`;
const plain = (user: string) => ask(Opcode.saslAuth, { key: "PLAIN", value: `\0${user}\0p` });
const letIn = reply(Opcode.saslAuth, { value: "Authenticated" });

function harnessOf(context: Record<string, unknown> = {}): Harness {
  return new Harness({ context: { users, sasl: true, ...context } });
}

/** Each case: who, what is sent, what comes back. */
const text: Record<string, readonly [user: string, ...steps: Step[]]> = {
  "a reader reads and does not write": ["reader", [
    "get k\r\nset k 0 0 1\r\na\r\nset k 0 0 1 noreply\r\na\r\ndelete k\r\nincr k 1\r\ntouch k 0\r\n" +
    "gat 0 k\r\nappend k 0 0 1\r\na\r\ncas k 0 0 1 1\r\na\r\nmn\r\n",
    `END\r\n${DENIED.repeat(7)}MN\r\n`,
  ]],
  "a reader of meta commands neither touches, vivifies nor recaches": ["reader", [
    "mg k v\r\nmg k v T30\r\nmg k N30\r\nmg k R30\r\nms k 1\r\na\r\nmd k\r\nma k\r\nme k\r\n",
    `EN\r\n${DENIED.repeat(6)}EN\r\n`,
  ]],
  "a writer writes and does not read": ["writer", [
    "set k 0 0 1\r\n1\r\nget k\r\nmg k v\r\nme k\r\ngat 0 k\r\ntouch k 0\r\nincr k 1\r\ndelete k\r\n",
    `${STORED}${DENIED.repeat(4)}TOUCHED\r\n2\r\nDELETED\r\n`,
  ]],
  "prefixes say which keys, in base64 too": ["app", [
    "set app:k 0 0 1\r\na\r\nset shared:k 0 0 1\r\na\r\nset other 0 0 1\r\na\r\nget app:k\r\n" +
    `get shared:k\r\nget other\r\nms ${btoa("app:b")} 1 b\r\na\r\nms ${
      btoa("other")
    } 1 b\r\na\r\n` +
    `mg ${btoa("other")} b v\r\nmg ${btoa("app:b")} b v\r\nget app\r\n`,
    `${STORED}${DENIED}${DENIED}VALUE app:k 0 1\r\na\r\nEND\r\nEND\r\n${DENIED}HD\r\n${DENIED}` +
    `${DENIED}VA 1\r\na\r\n${DENIED}`,
  ]],
  "a retrieval of several keys ends at the first that may not be read": ["app", [
    "set app:k 0 0 1\r\na\r\nget app:k other app:k\r\nmn\r\n",
    `${STORED}VALUE app:k 0 1\r\na\r\n${DENIED}MN\r\n`,
  ]],
  "a value that may not be stored is passed over, however large": ["reader", [
    `set k 0 0 2000000\r\n${"a".repeat(2_000_000)}\r\nms k 2000000\r\n${
      "a".repeat(2_000_000)
    }\r\nmn\r\n`,
    `${DENIED}${DENIED}MN\r\n`,
  ]],
  "without a right nothing is done but what tells nothing": ["nobody", [
    "version\r\nmn\r\nget k\r\nset k 0 0 1\r\na\r\nflush_all\r\nstats\r\nstats reset\r\nwatch\r\n" +
    "lru_crawler metadump all\r\nlru_crawler mgdump all\r\nverbosity 1\r\ncache_memlimit 100\r\n" +
    "shutdown\r\nrefresh_certs\r\nlru_crawler crawl all\r\nlru mode flat\r\nslabs automove 0\r\n",
    `VERSION ${VERSION}\r\nMN\r\n${DENIED.repeat(15)}`,
  ]],
  "stats is not stats reset, nor what is switched for all": ["app", [
    "stats reset\r\nstats res\r\nstats detail on\r\nstats events\r\nstats hot reset\r\nstats slow reset\r\n" +
    "stats detail dump\r\n",
    `${DENIED.repeat(6)}END\r\n`,
  ]],
  "an admin has stats, and its own commands": ["boss", [
    "verbosity 1\r\nstats reset\r\nflush_all\r\nlru mode flat\r\n",
    "OK\r\nRESET\r\nOK\r\nOK\r\n",
  ]],
  "a listing shows what may be read": ["lister", [
    "lru_crawler mgdump all\r\n",
    "OK\r\nEN\r\n",
  ]],
};
for (const [rule, [user, ...steps]] of Object.entries(text)) {
  Deno.test(`permissions over text: ${rule}`, async () => {
    for (const cut of [(sent: string) => [sent], piecesOf]) {
      await using harness = harnessOf();
      for (const step of steps) {
        const [sent, received] = step as readonly [string, string];
        assertEquals(await harness.exchange([as(user), ...cut(sent)]), STORED + received);
      }
    }
  });
}

Deno.test("permissions over binary: status 0x20, and the connection stays", async () => {
  await using harness = harnessOf();
  const { get, set, setQ, noop, flush, stat, touch, delete: remove, incr } = Opcode;
  const exchange = (user: string, sent: string) => harness.exchange([plain(user) + sent]);
  const denied = (opcode: number) => failure(opcode, Status.authFailure);
  const large = ask(setQ, { key: "k", value: "a".repeat(300_000), extras: storing() });
  assertEquals(
    await exchange(
      "reader",
      ask(get, { key: "k" }) + ask(set, { key: "k", value: "a", extras: storing() }) + large +
        ask(touch, { key: "k", extras: u32(0) }) + ask(remove, { key: "k" }) +
        ask(flush) + ask(stat) + ask(incr, { key: "k", extras: "\0".repeat(20) }) + ask(noop),
    ),
    letIn + failure(get, Status.notFound) + [set, setQ, touch, remove, flush, stat, incr]
      .map(denied).join("") +
      reply(noop),
  );
  const received = await exchange(
    "writer",
    ask(setQ, { key: "k", value: "a", extras: storing() }) + ask(get, { key: "k" }) +
      ask(touch, { key: "k", extras: u32(0) }) + ask(noop),
  );
  assert(received.includes(denied(get)), received);
  assert(!received.includes(denied(touch)), received);
});

Deno.test("listings, stats detail, stats hot and watch show the keys that their user may read", async () => {
  await using harness = harnessOf({ timing: new Timing() });
  harness.context.prefixes.enabled = true;
  await harness.exchange([
    as("boss") +
    ["app:1", "shared:1", "secret:1"].map((key) => `set ${key} 0 0 1\r\na\r\n`).join(""),
  ]);
  await harness.exchange([as("boss"), "get app:1 secret:1\r\n"]);
  const shown = async (sent: string) =>
    (await harness.exchange([as("app"), sent])).slice(STORED.length);
  for (
    const sent of [
      "lru_crawler metadump all\r\n",
      "lru_crawler mgdump all\r\n",
      "stats cachedump 1 0\r\n",
      "stats detail dump\r\n",
      "stats hot\r\n",
    ]
  ) {
    const received = await shown(sent);
    assert(received.includes("app"), `${sent}: ${received}`);
    assert(!received.includes("secret"), `${sent}: ${received}`);
  }
});

Deno.test("a watcher is told of the keys that it may read", async () => {
  await using harness = new Harness({ context: { users, sasl: true } }, true);
  const watcher = await harness.connect();
  const heard = reading(watcher);
  await watcher.write(new TextEncoder().encode(as("app")));
  await heard.until(STORED);
  await watcher.write(new TextEncoder().encode("watch mutations\r\n"));
  await heard.until("OK\r\n");
  await harness.exchange([as("boss") + "set secret:1 0 0 1\r\na\r\nset app:1 0 0 1\r\na\r\n"]);
  await heard.until("key=app%3A1");
  assert(!heard.text.includes("secret"), heard.text);
  watcher.close();
});

/** Reads a connection on the side. */
function reading(conn: Deno.Conn): { text: string; until(part: string): Promise<void> } {
  const decoder = new TextDecoder();
  const heard = {
    text: "",
    async until(part: string) {
      const bytes = new Uint8Array(1000);
      while (!heard.text.includes(part)) {
        const count = await conn.read(bytes);
        if (count === null) throw new Error(`it ended after ${heard.text}`);
        heard.text += decoder.decode(bytes.subarray(0, count));
      }
    },
  };
  return heard;
}

Deno.test("rights that are narrowed hold from the next command, and no value is received for it", async () => {
  await using harness = harnessOf();
  const narrowed = await usersOf([{ name: "boss", password: "p", permissions: { read: true } }]);
  const boss = narrowed.certified([]) ?? await narrowed.check(bytes("boss"), bytes("p"), "");
  let admit = () => {};
  class Watching extends ScriptedSocket {
    override write(given: Uint8Array): Promise<number> {
      const written = super.write(given);
      if (this.written.endsWith("HD\r\n")) admit();
      return written;
    }
  }
  const socket = new Watching([as("boss"), "ms k 1\r\na\r\n", "ms k 1\r\na\r\nmg k v\r\n"]);
  const connection = harness.connection(socket);
  admit = () => connection.session.admit(boss!);
  await connection.serve();
  assertEquals(socket.written, `${STORED}HD\r\n${DENIED}VA 1\r\na\r\n`);
});

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
