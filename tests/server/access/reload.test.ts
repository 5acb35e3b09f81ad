/** Users of a real server: certificates that are users, and a users file that changes while it runs. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { makeCertificate, signCertificate } from "../../certificates.ts";
import { ServerProcess } from "../process.ts";
import { receiveAll, receiveUntil, send } from "../wire.ts";
import { writeUsers } from "./users.ts";

const DENIED = "CLIENT_ERROR permission denied\r\n";

async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await body(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Sends a line and returns what comes up to the end of a line. */
async function ask(conn: Deno.Conn, sent: string, end = "\r\n"): Promise<string> {
  await send(conn, sent);
  return await receiveUntil(conn, end);
}

Deno.test("SIGHUP: a user who is gone is out, narrowed rights hold from the next command, others lose no reply", async () => {
  await inDirectory(async (directory) => {
    const file = `${directory}/users.json`;
    const all = { read: true, write: true };
    await writeUsers(file, [
      { name: "stays", password: "p", permissions: all },
      { name: "goes", password: "p", permissions: all },
      { name: "narrows", password: "p", permissions: all },
    ]);
    await using server = await ServerProcess.start([
      ...["--store", "memory", "-p", "-1", "--users", file],
    ]);
    const connect = async (user: string) => {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      const login = `${user} p`;
      assertEquals(await ask(conn, `set x 0 0 ${login.length}\r\n${login}\r\n`), "STORED\r\n");
      return conn;
    };
    const [stays, goes, narrows] = await Promise.all(["stays", "goes", "narrows"].map(connect));
    // Read, changed and written again: the hashes of those who stay are the same.
    const content = JSON.parse(await Deno.readTextFile(file));
    content.users[2].permissions = { read: true };
    content.users.splice(1, 1);
    let replies = "";
    const reading = (async () => {
      const bytes = new Uint8Array(1000);
      while (replies.length < "MN\r\n".length * 200) {
        const count = await stays!.read(bytes);
        if (count === null) break;
        replies += new TextDecoder().decode(bytes.subarray(0, count));
      }
    })();
    await Deno.writeTextFile(file, JSON.stringify(content));
    for (let i = 0; i < 100; i++) await send(stays!, "mn\r\n");
    server.kill("SIGHUP");
    for (let i = 0; i < 100; i++) await send(stays!, "mn\r\n");
    await server.says(/audit: reload users=2 connections_ended=1/);
    await reading;
    assertEquals(replies, "MN\r\n".repeat(200));
    assertEquals(await receiveAll(goes!), "");
    assertEquals(await ask(narrows!, "get k\r\n"), "END\r\n");
    assertEquals(await ask(narrows!, "set k 0 0 1\r\na\r\n"), DENIED);
    await Deno.writeTextFile(file, "nonsense");
    server.kill("SIGHUP");
    await server.says(/the users stay as they are: .*is no JSON/);
    assertEquals(await ask(stays!, "set k 0 0 1\r\na\r\n"), "STORED\r\n");
    for (const conn of [stays!, goes!, narrows!]) conn.close();
    assertStringIncludes(server.said, 'audit: login user="stays" address=127.0.0.1');
  });
});

Deno.test("the audit line of a reload counts the connections of all threads", async () => {
  await inDirectory(async (directory) => {
    const file = `${directory}/users`;
    await Deno.writeTextFile(file, "goes:p\nstays:p\n", { mode: 0o600 });
    await using server = await ServerProcess.start([
      ...["--store", "memory", "-p", "-1", "-t", "2", "-Y", file],
    ]);
    const connect = async (login: string) => {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      assertEquals(await ask(conn, `set x 0 0 ${login.length}\r\n${login}\r\n`), "STORED\r\n");
      return conn;
    };
    // The system spreads them over the threads: that all of ten are of one is rare, and no failure.
    const going = await Promise.all(Array.from({ length: 10 }, () => connect("goes p")));
    using stays = await connect("stays p");
    await Deno.writeTextFile(file, "stays:p\n");
    server.kill("SIGHUP");
    await server.says(/audit: reload users=1 connections_ended=10/);
    for (const conn of going) {
      assertEquals(await receiveAll(conn), "");
      conn.close();
    }
    assertEquals(await ask(stays, "mn\r\n"), "MN\r\n");
  });
});

Deno.test("a client's certificate is a user; one that is none has to log in, in resumed sessions too", async () => {
  await inDirectory(async (directory) => {
    await makeCertificate(directory, "subjectAltName=DNS:localhost,IP:127.0.0.1");
    await signCertificate(directory, "ca", "app", "subjectAltName=DNS:app.example");
    await signCertificate(directory, "ca", "other", "subjectAltName=DNS:app.example.com");
    const file = `${directory}/users.json`;
    await writeUsers(file, [
      { name: "app", permissions: { read: true }, certificates: ["app.example"] },
    ]);
    await using server = await ServerProcess.start([
      ...["--store", "memory", "-p", "-1", "--users", file, "-Z", "--ssl-verify-mode", "1"],
      ...["--ssl-chain-cert", `${directory}/server.crt`, "--ssl-key", `${directory}/server.key`],
      ...["--ssl-ca-cert", `${directory}/ca.crt`],
    ]);
    const exchange = async (name: string | undefined, sent: string) => {
      const caCerts = [await Deno.readTextFile(`${directory}/ca.crt`)];
      const conn = await Deno.connectTls({
        ...{ hostname: "localhost", port: server.port, caCerts },
        ...name === undefined ? {} : {
          cert: await Deno.readTextFile(`${directory}/${name}.crt`),
          key: await Deno.readTextFile(`${directory}/${name}.key`),
        },
      } as Deno.ConnectTlsOptions);
      try {
        await send(conn, sent);
        return await receiveAll(conn);
      } finally {
        conn.close();
      }
    };
    const sent = "get k\r\nset k 0 0 1\r\na\r\nquit\r\n";
    // Deno's client takes up the session of the connection before.
    for (let i = 0; i < 2; i++) {
      assertEquals(await exchange("app", sent), `END\r\n${DENIED}`);
      for (const name of ["other", undefined]) {
        const received = await exchange(name, `get k x\r\nset x 0 0 4\r\napp \r\nquit\r\n`);
        assertEquals(
          received,
          "CLIENT_ERROR unauthenticated\r\nCLIENT_ERROR authentication failure\r\n",
        );
      }
    }
    assert(server.said.includes('audit: login by certificate user="app"'), server.said);
  });
});
