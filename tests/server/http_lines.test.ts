import { assertEquals } from "@std/assert";
import { PasswordFile } from "../../lib/server/access/password_file.ts";
import { Harness } from "./harness.ts";
import { receiveAll } from "./wire.ts";

const SET = "set k 0 0 1\r\nx\r\n";

for (
  const line of [
    "GET / HTTP/1.1",
    "set / HTTP/1.1",
    "get /k HTTP/1.0",
    "delete k HTTP/1.1",
    "version HTTP/1.1",
    "Host: 127.0.0.1:11211",
    "hOST: a",
    "Host:",
  ]
) {
  Deno.test(`HTTP: '${line}' ends the connection, and nothing behind it is run`, async () => {
    await using harness = new Harness();
    assertEquals(await harness.exchange([`${line}\r\n${SET}`, SET]), "");
    assertEquals(harness.context.counters.cmd_set, 0);
  });
}

for (
  const line of [
    "get HTTP/1",
    "get xHTTP/1.1",
    "get host:",
    "get a/1.1",
  ]
) {
  Deno.test(`HTTP: '${line}' is a get like any other`, async () => {
    await using harness = new Harness();
    assertEquals(await harness.exchange([`${line}\r\n`]), "END\r\n");
  });
}

Deno.test("HTTP: a value may hold whatever it likes", async () => {
  await using harness = new Harness();
  const value = "GET / HTTP/1.1\r\nHost: a\r\n";
  assertEquals(
    await harness.exchange([`set k 0 0 ${value.length}\r\n${value}\r\nget k\r\n`]),
    `STORED\r\nVALUE k 0 ${value.length}\r\n${value}\r\nEND\r\n`,
  );
});

Deno.test("HTTP: a stranger's line of it ends the connection where a login is asked for", async () => {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, "user:password\n");
  await using harness = new Harness({ context: { users: new PasswordFile(file) } });
  assertEquals(await harness.exchange(["POST / HTTP/1.1\r\nHost: a\r\n\r\nset k 0 0 1\r\n"]), "");
  await Deno.remove(file);
});

Deno.test("HTTP: what a browser is made to fetch changes nothing", async () => {
  await using harness = new Harness({}, true);
  const url = `http://127.0.0.1:${harness.port}/`;
  const asked = fetch(url, { method: "POST", body: `x\r\n${SET}` });
  await asked.then((response) => response.body?.cancel(), () => {});
  assertEquals(harness.context.counters.cmd_set, 0);
  using conn = await harness.connect();
  await conn.write(new TextEncoder().encode("get k\r\nquit\r\n"));
  assertEquals(await receiveAll(conn), "END\r\n");
});
