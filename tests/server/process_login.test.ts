/** Logins and protocols on the listeners of a real server: no gate stands open beside another. */

import { assertEquals } from "@std/assert";
import { ask, failure, Opcode, reply, Status, storing } from "../protocol/binary/frames.ts";
import { ServerProcess } from "./process.ts";
import { exchangeWith } from "./wire.ts";

const { get, noop, set, saslAuth } = Opcode;
const key = "k";
const store = ask(set, { key, value: "a", extras: storing() });
const login = "set x 0 0 7\r\nfoo bar\r\n";
const plain = ask(saslAuth, { key: "PLAIN", value: "\0foo\0bar" });
const letIn = reply(saslAuth, { value: "Authenticated" });

/** A directory with a user file and room for sockets. */
async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/users`, "foo:bar\n");
    await Deno.chmod(`${directory}/users`, 0o600);
    await body(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("-Y: on every TCP listener nothing is done before a login", async () => {
  await inDirectory(async (directory) => {
    const listeners = ["127.0.0.1", "proto[ascii]:127.0.0.1", "proto[negotiating]:127.0.0.1"];
    await using server = await ServerProcess.start([
      ...["--store", "memory", "-Y", `${directory}/users`, "-p", "-1", "-l", listeners.join(",")],
    ]);
    const ports = [...server.address.matchAll(/:(\d+)/g)].map(([, port]) => Number(port));
    assertEquals(ports.length, listeners.length);
    const refused = "CLIENT_ERROR unauthenticated\r\n";
    for (const port of ports) {
      assertEquals(await exchangeWith(port, "get k v\r\nset k 0 0 1\r\n"), refused);
      assertEquals(await exchangeWith(port, "ms k 1\r\nabcdef\r\nversion\r\n"), refused.repeat(3));
      assertEquals(await exchangeWith(port, store + ask(noop)), "");
      assertEquals(await exchangeWith(port, plain + ask(noop)), "");
      assertEquals(await exchangeWith(port, `${login}get k\r\n`), "STORED\r\nEND\r\n");
    }
  });
});

Deno.test("-Y: on a Unix socket nothing is done before a login", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/socket`;
    await using _ = await ServerProcess.start([
      ...["--store", "memory", "-Y", `${directory}/users`, "-s", path],
    ]);
    const socket = { transport: "unix", path } as const;
    assertEquals(await exchangeWith(socket, "get k v\r\n"), "CLIENT_ERROR unauthenticated\r\n");
    assertEquals(await exchangeWith(socket, store + ask(noop)), "");
    assertEquals(await exchangeWith(socket, `${login}get k\r\n`), "STORED\r\nEND\r\n");
  });
});

Deno.test("-S with -B binary: on every listener nothing is done before a login by SASL, and lines are not taken", async () => {
  await inDirectory(async (directory) => {
    const options = ["--store", "memory", "-S", "-B", "binary", "-Y", `${directory}/users`];
    const path = `${directory}/socket`;
    await using tcp = await ServerProcess.start([...options, "-p", "-1"]);
    await using _ = await ServerProcess.start([...options, "-s", path]);
    for (const address of [tcp.port, { transport: "unix", path } as const]) {
      assertEquals(await exchangeWith(address, "get k v\r\n"), "");
      assertEquals(await exchangeWith(address, login), "");
      assertEquals(
        await exchangeWith(address, store + ask(noop)),
        failure(set, Status.authFailure),
      );
      assertEquals(
        await exchangeWith(address, plain + ask(get, { key })),
        letIn + failure(get, Status.notFound),
      );
    }
  });
});

Deno.test("-S with -Y: text and binary both log in; -S alone has memcached's file of SASL users, and binary alone", async () => {
  await inDirectory(async (directory) => {
    const file = `${directory}/users`;
    const options = ["--store", "memory", "-p", "-1", "-S"];
    await using both = await ServerProcess.start([...options, "-Y", file]);
    assertEquals(await exchangeWith(both.port, `${login}mn\r\n`), "STORED\r\nMN\r\n");
    assertEquals(await exchangeWith(both.port, plain + ask(noop)), letIn + reply(noop));
    assertEquals(await exchangeWith(both.port, ask(noop)), failure(noop, Status.authFailure));
    await using alone = await ServerProcess.start(options, { MEMCACHED_SASL_PWDB: file });
    assertEquals(await exchangeWith(alone.port, login), "");
    assertEquals(await exchangeWith(alone.port, plain + ask(noop)), letIn + reply(noop));
  });
});

Deno.test("-B and proto[] choose what a listener takes, and what it does not take is closed", async () => {
  await using server = await ServerProcess.start([
    ...["--store", "memory", "-B", "binary", "-p", "-1"],
    ...["-l", "proto[ascii]:127.0.0.1,127.0.0.1,proto[negotiating]:127.0.0.1"],
  ]);
  const [ascii, binary, both] = [...server.address.matchAll(/:(\d+)/g)].map(([, port]) =>
    Number(port)
  );
  const line = (port: number) => exchangeWith(port, "mn\r\n");
  const frame = (port: number) => exchangeWith(port, ask(noop));
  assertEquals([await line(ascii!), await frame(ascii!)], ["MN\r\n", ""]);
  assertEquals([await line(binary!), await frame(binary!)], ["", reply(noop)]);
  assertEquals([await line(both!), await frame(both!)], ["MN\r\n", reply(noop)]);
});
