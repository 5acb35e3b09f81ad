/** Logins: over text as memcached's -Y has them, over the binary protocol by SASL as its -S has them. */

import { assertEquals } from "@std/assert";
import { PasswordFile } from "../../lib/server/access/password_file.ts";
import { ask, failure, Opcode, reply, Status, storing, u32 } from "../protocol/binary/frames.ts";
import { Harness, type HarnessOptions, ScriptedSocket, VERSION } from "../server/harness.ts";
import { rules, type Step } from "./rules.ts";

const { get, set, noop, version, quit, stat, saslMechanisms, saslAuth, saslStep } = Opcode;
const { authFailure, notFound, invalidArguments, outOfMemory, unknownCommand } = Status;

const file = Deno.makeTempFileSync();
Deno.writeTextFileSync(file, "foo:bar\nbaz qux:space word\nempty:\n");
const users = new PasswordFile(file);
Deno.removeSync(file);

const overText: HarnessOptions = { context: { users }, protocols: "ascii" };
const overBinary: HarnessOptions = { context: { users, sasl: true }, protocols: "binary" };

const UNKNOWN = "CLIENT_ERROR unauthenticated\r\n";
const WRONG = "CLIENT_ERROR authentication failure\r\n";
const TOKEN = "CLIENT_ERROR bad authentication token format\r\n";
const login = "set x 0 0 7\r\nfoo bar\r\n";

rules("login over text", {
  "user and password as the value of a set let a client in": [
    [`${login}set k 0 0 1\r\na\r\nget k\r\n`, "STORED\r\nSTORED\r\nVALUE k 0 1\r\na\r\nEND\r\n"],
  ],
  "a login stores nothing": [[`${login}get x\r\n`, "STORED\r\nEND\r\n"]],
  "a login holds for its connection alone": [
    [login, "STORED\r\n"],
    ["get k v\r\n", UNKNOWN],
  ],
  "after a login a set is a set": [[
    `${login}${login}get x\r\n`,
    `STORED\r\nSTORED\r\nVALUE x 0 7\r\nfoo bar\r\nEND\r\n`,
  ]],
  "what follows a login is read as lines, whatever byte it begins with": [
    [`${login}\x80\x00\x00\r\nmn\r\n`, "STORED\r\nERROR\r\nMN\r\n"],
    [
      `set x 0 0 304\r\nfoo ${"\x80".repeat(300)}\r\n`.concat(login, "mn\r\n"),
      `${WRONG}STORED\r\nMN\r\n`,
    ],
  ],
  "meta commands follow a login": [[`${login}mg k\r\nmn\r\n`, "STORED\r\nEN\r\nMN\r\n"]],
  "key, flags and exptime of a login mean nothing": [
    ["set \x00 x -1 7\r\nfoo bar\r\nversion\r\n", `STORED\r\nVERSION ${VERSION}\r\n`],
  ],
  "noreply hides nothing of a login": [
    ["set x 0 0 7 noreply\r\nfoo bar\r\n", "STORED\r\n"],
    ["set x 0 0 7 noreply\r\nfoo baz\r\n", WRONG],
  ],
  "a wrong password, and a wrong user, may try again": [
    [
      `set x 0 0 7\r\nfoo baz\r\nset x 0 0 7\r\nbar bar\r\nget k v\r\n${login}get k\r\n`,
      `${WRONG}${WRONG}${UNKNOWN}STORED\r\nEND\r\n`,
    ],
  ],
  "a password ends where its value ends": [
    ["set x 0 0 6\r\nfoo ba\r\nset x 0 0 8\r\nfoo barr\r\n", WRONG + WRONG],
    ["set x 0 0 9\r\nfoo bar\r\n\r\n", WRONG],
  ],
  "a user ends at the first space": [
    ["set x 0 0 18\r\nbaz qux space word\r\n", WRONG],
  ],
  "a password may be empty": [["set x 0 0 6\r\nempty \r\n", "STORED\r\n"]],
  "a login without a space is no token": [["set x 0 0 6\r\nfoobar\r\n", TOKEN]],
  "a login that does not end with a line end is refused, and what follows is read as lines": [
    [
      `set x 0 0 3\r\nfoo bar\r\n${login}`,
      `CLIENT_ERROR bad command line termination\r\n`,
    ],
  ],
  "every other command is refused, and its value too": [
    [
      "get k\r\nadd k 0 0 7\r\nfoo bar\r\nversion\r\nstats settings\r\nflush_all\r\nms k 7\r\nfoo bar\r\n" +
      login,
      `${UNKNOWN.repeat(8)}STORED\r\n`,
    ],
  ],
  "a length that is none is refused": [
    ["set x 0 0 x\r\nset x 0 0 -1\r\nset x 0 0\r\n", UNKNOWN.repeat(3)],
  ],
  "a login of more than 16 KiB is refused before it comes": [
    ["set x 0 0 16385\r\n", "CLIENT_ERROR auth token too long\r\n"],
    [`set x 0 0 16384\r\nfoo ${"x".repeat(16380)}\r\n`, WRONG],
  ],
  "a line of under six bytes ends the connection without a reply": [
    ["quit\r\nget k v\r\n", ""],
    ["mn\r\nget k v\r\n", ""],
    ["\r\nget k v\r\n", ""],
  ],
  "a line of more than 2,048 bytes without its end ends the connection": [
    ["x".repeat(2049), ""],
    [`${"x".repeat(2040)}\r\n`, UNKNOWN],
  ],
  "bytes of the binary protocol end the connection": [
    [ask(noop) + ask(noop), ""],
    [ask(saslAuth, { key: "PLAIN", value: "\0foo\0bar" }), ""],
  ],
}, overText);

const plain = (value: string) => ask(saslAuth, { key: "PLAIN", value, opaque: 5 });
const letIn = reply(saslAuth, { value: "Authenticated", opaque: 5 });
const keptOut = failure(saslAuth, authFailure, 5);

rules("login by SASL", {
  "the mechanisms are PLAIN": [
    [ask(saslMechanisms, { opaque: 1 }), reply(saslMechanisms, { value: "PLAIN", opaque: 1 })],
  ],
  "user and password by PLAIN let a client in": [
    [
      plain("\0foo\0bar") + ask(get, { key: "k" }) + ask(noop),
      letIn + failure(get, notFound) + reply(noop),
    ],
  ],
  "an identity beside the user means nothing": [[plain("foo\0foo\0bar"), letIn]],
  "a password may be empty": [[plain("\0empty\0"), letIn]],
  "a login holds for its connection alone": [
    [plain("\0foo\0bar"), letIn],
    [ask(get, { key: "k", opaque: 2 }) + ask(noop), failure(get, authFailure, 2)],
  ],
  "a wrong password, and a wrong user, may try again": [
    [
      plain("\0foo\0baz") + plain("\0bar\0bar") + plain("\0foo\0bar") + ask(noop),
      keptOut + keptOut + letIn + reply(noop),
    ],
  ],
  "a message that is none of PLAIN's is refused": [
    ...["", "foo", "\0foo", "foo\0bar", "\0foo\0bar\0", "\0\0"].map((
      value,
    ): Step => [plain(value), keptOut]),
  ],
  "another mechanism is refused": [
    [
      ask(saslAuth, { key: "CRAM-MD5", value: "\0foo\0bar" }) + plain("\0foo\0bar"),
      failure(saslAuth, authFailure) + letIn,
    ],
    [ask(saslAuth, { key: "plain", value: "\0foo\0bar" }), failure(saslAuth, authFailure)],
  ],
  "a step that nothing begins is refused": [
    [
      ask(saslStep, { key: "PLAIN", value: "\0foo\0bar", opaque: 4 }) + plain("\0foo\0bar"),
      failure(saslStep, authFailure, 4) + letIn,
    ],
  ],
  "the name of a mechanism has at most 32 bytes": [
    [
      ask(saslAuth, { key: "x".repeat(40), value: "y", opaque: 6 }) + plain("\0foo\0bar"),
      failure(saslAuth, invalidArguments, 6) + letIn,
    ],
  ],
  "a login without a mechanism ends the connection": [
    [ask(saslAuth, { value: "\0foo\0bar" }) + ask(noop), failure(saslAuth, invalidArguments)],
  ],
  "a login of more than 16 KiB is passed over": [
    [
      ask(saslAuth, { key: "PLAIN", value: `\0foo\0${"x".repeat(16 * 1024)}`, opaque: 1 }) +
      plain("\0foo\0bar"),
      failure(saslAuth, outOfMemory, 1) + letIn,
    ],
  ],
  "the version is told to everybody": [
    [
      ask(version) + plain("\0foo\0bar"),
      reply(version, { value: VERSION }) + letIn,
    ],
  ],
  "a large Set ends the connection, when it has gone by": [
    [
      ask(set, { key: "k", value: "x".repeat(2 ** 19), extras: storing(), opaque: 3 }) + ask(noop),
      failure(set, authFailure, 3),
    ],
  ],
  "after the login values may be as large as items": [
    [
      plain("\0foo\0bar") +
      ask(Opcode.setQ, { key: "k", value: "x".repeat(2 ** 19), extras: storing() }) + ask(noop),
      letIn + reply(noop),
    ],
  ],
  "every other command ends the connection": [
    ...[
      ask(get, { key: "k" }),
      ask(set, { key: "k", value: "a", extras: storing() }),
      ask(Opcode.setQ, { key: "k", value: "a", extras: storing() }),
      ask(Opcode.getQ, { key: "k" }),
      ask(noop),
      ask(stat),
      ask(Opcode.flush),
      ask(Opcode.touch, { key: "k", extras: u32(0) }),
      ask(0x7f),
    ].map((sent): Step => [sent + plain("\0foo\0bar"), failure(sent.charCodeAt(1), authFailure)]),
  ],
  "nothing is stored by who is kept out": [
    [
      ask(Opcode.setQ, { key: "k", value: "a", extras: storing() }),
      failure(Opcode.setQ, authFailure),
    ],
    [plain("\0foo\0bar") + ask(get, { key: "k" }), letIn + failure(get, notFound)],
  ],
  "an unknown opcode after the login is unknown": [
    [
      plain("\0foo\0bar") + ask(0x7f) + ask(noop),
      letIn + failure(0x7f, unknownCommand) + reply(noop),
    ],
  ],
  "bytes of the text protocol end the connection": [[login, ""]],
  "quit ends the connection, before the login with an error": [
    [ask(quit) + plain("\0foo\0bar"), failure(quit, authFailure)],
    [ask(Opcode.quitQ) + plain("\0foo\0bar"), failure(Opcode.quitQ, authFailure)],
    [plain("\0foo\0bar") + ask(quit) + ask(noop), letIn + reply(quit)],
  ],
}, overBinary);

/** What each kind of listener, with users and without, does with each first byte. */
const first = {
  text: ["version\r\n", `VERSION ${VERSION}\r\n`],
  meta: ["mn\r\n", "MN\r\n"],
  binary: [ask(noop), reply(noop)],
} as const;

for (const protocols of ["auto", "ascii", "binary"] as const) {
  for (const [dialect, [sent, received]] of Object.entries(first)) {
    const taken = protocols === "auto" || (protocols === "binary") === (dialect === "binary");
    Deno.test(`a listener for ${protocols} ${taken ? "serves" : "closes"} a connection that speaks ${dialect}`, async () => {
      await using harness = new Harness({ protocols });
      const socket = new ScriptedSocket([sent, sent]);
      await harness.serve(socket);
      assertEquals(socket.written, taken ? received + received : "");
      assertEquals(socket.closed, true);
    });
    for (const sasl of [false, true]) {
      Deno.test(`a listener for ${protocols} with users${sasl ? " by SASL" : ""} keeps out who speaks ${dialect} without a login`, async () => {
        await using harness = new Harness({ protocols, context: { users, sasl } });
        const socket = new ScriptedSocket([sent, sent]);
        await harness.serve(socket);
        assertEquals(socket.written.includes(received), false, socket.written);
        assertEquals(await contentOf(harness), []);
      });
    }
  }
}

Deno.test("a listener with users lets nobody store without a login, whatever it speaks", async () => {
  const stores = [
    "set k 0 0 1\r\na\r\n",
    "ms k 1\r\na\r\n",
    ask(set, { key: "k", value: "a", extras: storing() }),
    ask(Opcode.setQ, { key: "k", value: "a", extras: storing() }),
  ];
  for (const protocols of ["auto", "ascii", "binary"] as const) {
    for (const sasl of [false, true]) {
      await using harness = new Harness({ protocols, context: { users, sasl } });
      for (const sent of stores) await harness.exchange([sent]);
      assertEquals(await contentOf(harness), [], `${protocols}, SASL ${sasl}`);
    }
  }
});

async function contentOf(harness: Harness): Promise<string[]> {
  const keys: string[] = [];
  for await (const group of harness.store.scan()) keys.push(...group.map(({ key }) => String(key)));
  return keys;
}

Deno.test("logins and those that failed are counted, over text", async () => {
  await using harness = new Harness(overText);
  await harness.exchange([`set x 0 0 7\r\nfoo baz\r\nget k\r\n${login}${login}`]);
  const { auth_cmds, auth_errors } = harness.context.counters;
  assertEquals([auth_cmds, auth_errors], [2, 1]);
});

Deno.test("logins and those that failed are counted, by SASL", async () => {
  await using harness = new Harness(overBinary);
  await harness.exchange([ask(saslMechanisms) + plain("\0foo\0baz") + plain("\0foo\0bar")]);
  const { auth_cmds, auth_errors } = harness.context.counters;
  assertEquals([auth_cmds, auth_errors], [2, 1]);
});
