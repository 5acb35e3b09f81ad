import { assert, assertEquals, assertMatch } from "@std/assert";
import { makeCertificate } from "../certificates.ts";
import { ServerProcess } from "./process.ts";
import { exchangeWith, receiveUntil, send } from "./wire.ts";

/** Runs a server with so few descriptors. */
const few = (limit: number) => ["sh", "-c", `ulimit -n ${limit}; exec "$@"`, "sh"];

for (
  const [limit, threads, store] of [
    [200, 1, ["--fsync", "always"]],
    [300, 6, ["--store", "memory"]],
  ] as const
) {
  Deno.test(`-c is fitted to the limit of open files, and a flood leaves a server that writes (-t ${threads})`, async () => {
    const directory = await Deno.makeTempDir();
    const where = store[0] === "--store" ? store : [...store, "--data-dir", `${directory}/data`];
    const args = [...where, "-t", `${threads}`, "-p", "-1"];
    await using server = await ServerProcess.start(args, {}, { through: few(limit) });
    const most = Number(
      /-c 1024 is more than .*: at most (\d+) connections/.exec(server.said)?.[1],
    );
    assert(most > 0 && most < limit, server.said);
    using stack = new DisposableStack();
    let open = 0;
    let refused = 0;
    for (let i = 0; i < most + 50; i++) {
      const conn = stack.use(await Deno.connect({ hostname: "127.0.0.1", port: server.port }));
      await send(conn, `set k${i} 0 0 1\r\nx\r\n`).catch(() => {});
      const reply = await receiveUntil(conn, "\r\n").catch(() => "");
      if (reply === "STORED\r\n") open++;
      else refused++;
    }
    assertEquals([open, refused], [most, 50]);
    stack.dispose();
    for (;;) {
      const reply = await exchangeWith(server.port, "set k 0 0 1\r\ny\r\nget k\r\n");
      if (reply === "STORED\r\nVALUE k 0 1\r\ny\r\nEND\r\n") break;
      // What was sent to a server that has closed the connection may cost its client the answer.
      if (reply !== "") assertEquals(reply, "ERROR Too many open connections\r\n");
    }
    assertMatch(
      await exchangeWith(server.port, "stats settings\r\n"),
      new RegExp(`STAT maxconns ${most}\r\n`),
    );
    server.kill("SIGTERM");
    assertEquals(await server.exit(), 0);
    await Deno.remove(directory, { recursive: true });
  });
}

/** Whether `prlimit` is here, which takes descriptors away from a process that runs. */
const hasPrlimit = await new Deno.Command("prlimit", { args: ["--version"], stdout: "null" })
  .output().then(({ success }) => success, () => false);

Deno.test({
  name:
    "without any descriptor a client is told so, those that are in are served, and it is over when there is one" +
    (hasPrlimit ? "" : " (skipped: no prlimit)"),
  ignore: !hasPrlimit,
  async fn() {
    // Of several threads one may take the descriptor that another has given up to tell a client.
    const args = ["--store", "memory", "-p", "-1", "-t", "1"];
    await using server = await ServerProcess.start(args);
    using first = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await send(first, "version\r\n");
    await receiveUntil(first, "\r\n");
    const limit = async (descriptors: number | string) => {
      const args = ["--pid", `${server.pid}`, `--nofile=${descriptors}:`];
      assertEquals((await new Deno.Command("prlimit", { args }).output()).success, true);
    };
    const used = [...Deno.readDirSync(`/proc/${server.pid}/fd`)].map(({ name }) => Number(name));
    await limit(Math.max(...used) + 1);
    // What is open stays open; the numbers between are for these.
    using stack = new DisposableStack();
    for (let isIn = true; isIn;) {
      const conn = stack.use(await Deno.connect({ hostname: "127.0.0.1", port: server.port }));
      await send(conn, "version\r\n").catch(() => {});
      isIn = (await receiveUntil(conn, "\r\n").catch(() => "")).startsWith("VERSION");
    }
    for (let i = 0; i < 5; i++) {
      assertEquals(await exchangeWith(server.port, ""), "ERROR Too many open connections\r\n");
    }
    await send(first, "set k 0 0 1\r\nx\r\n");
    assertEquals(await receiveUntil(first, "\r\n"), "STORED\r\n");
    await limit(1024);
    assertEquals(
      await exchangeWith(server.port, "get k\r\n"),
      "VALUE k 0 1\r\nx\r\nEND\r\n",
    );
    await server.says(/cannot accept connections: .*(os error 24)/);
  },
});

Deno.test({
  name: "a listener by node:tls that had no descriptors accepts again when there are some" +
    (hasPrlimit ? "" : " (skipped: no prlimit)"),
  ignore: !hasPrlimit,
  async fn() {
    const directory = await Deno.makeTempDir();
    await makeCertificate(directory, "subjectAltName=DNS:localhost");
    await using server = await ServerProcess.start([
      ...["--store", "memory", "-p", "-1", "-t", "1", "-Z", "--ssl-min-version", "tlsv1.3"],
      ...["--ssl-chain-cert", `${directory}/server.crt`, "--ssl-key", `${directory}/server.key`],
    ]);
    const caCerts = [await Deno.readTextFile(`${directory}/ca.crt`)];
    const isServed = async () => {
      let conn: Deno.Conn | undefined;
      // One that waits in the queue of a listener that accepts no more gets no answer.
      const close = () => {
        try {
          conn?.close();
        } catch {
          // It was closed before.
        }
      };
      const timer = setTimeout(close, 1000);
      try {
        conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
        conn = await Deno.startTls(conn as Deno.TcpConn, { hostname: "localhost", caCerts });
        await send(conn, "version\r\n");
        return (await receiveUntil(conn, "\r\n")).startsWith("VERSION");
      } catch {
        return false;
      } finally {
        clearTimeout(timer);
        close();
      }
    };
    assert(await isServed());
    const limit = async (descriptors: number | string) => {
      const args = ["--pid", `${server.pid}`, `--nofile=${descriptors}:`];
      assertEquals((await new Deno.Command("prlimit", { args }).output()).success, true);
    };
    const used = [...Deno.readDirSync(`/proc/${server.pid}/fd`)].map(({ name }) => Number(name));
    await limit(Math.min(...used));
    while (await isServed());
    await limit(1024);
    while (!await isServed());
    server.kill("SIGTERM");
    assertEquals(await server.exit(), 0);
    await Deno.remove(directory, { recursive: true });
  },
});

Deno.test("a log that cannot be written ends no server", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/ports`;
  const users = `${directory}/users`;
  await Deno.writeTextFile(users, "user:password\n", { mode: 0o600 });
  const args = ["--store", "memory", "-p", "-1", "-Y", users];
  await using server = ServerProcess.spawn(args, {
    through: ["sh", "-c", 'exec "$@" 2>/dev/full', "sh"],
    env: { MEMCACHED_PORT_FILENAME: path },
  });
  let lines: string | undefined;
  while (lines === undefined) {
    lines = await Deno.readTextFile(path).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const port = Number(/: (\d+)\n/.exec(lines)![1]);
  for (let i = 0; i < 3; i++) server.kill("SIGHUP");
  assertMatch(
    await exchangeWith(port, "set k 0 0 13\r\nuser password\r\nversion\r\n"),
    /^STORED\r\nVERSION /,
  );
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("a pidfile that somebody has removed makes no stop a failure", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/pid`;
  await using server = await ServerProcess.start(["--store", "memory", "-p", "-1", "-P", path]);
  assertEquals(Number(await Deno.readTextFile(path)) > 0, true);
  await Deno.remove(path);
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
  assertMatch(server.said, /cannot remove --pidfile/);
  await Deno.remove(directory);
});

Deno.test("SIGTERM while clients connect is not waited out", async () => {
  await using server = await ServerProcess.start(["--store", "memory", "-p", "-1"]);
  const { port } = server;
  let isStopped = false;
  const connecting = Promise.all(Array.from({ length: 4 }, async () => {
    while (!isStopped) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => undefined);
      if (conn === undefined) return;
      // It says nothing, and does not leave by itself.
      conn.read(new Uint8Array(1)).catch(() => {}).finally(() => conn.close());
    }
  }));
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
  isStopped = true;
  await connecting;
});
