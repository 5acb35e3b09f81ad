import { assert, assertEquals, assertMatch } from "@std/assert";
import { runServer, ServerProcess } from "./process.ts";
import { exchangeWith, receiveAll, receiveUntil, send } from "./wire.ts";

const MEMORY = ["--store", "memory", "-p", "-1"];

function connect({ port }: ServerProcess): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} ends a server with exit code 0, also with idle connections`, async () => {
    await using server = await ServerProcess.start(MEMORY);
    using idle = await connect(server);
    using half = await connect(server);
    await send(half, "set k 0 0 10\r\nabc");
    await send(idle, "version\r\n");
    await receiveUntil(idle, "\r\n");
    server.kill(signal);
    assertEquals(await server.exit(), 0);
    assertEquals(await receiveAll(idle), "");
    assertEquals(await receiveAll(half), "");
  });

  Deno.test(`${signal} that comes twice is one`, async () => {
    await using server = await ServerProcess.start(MEMORY);
    using idle = await connect(server);
    await send(idle, "version\r\n");
    await receiveUntil(idle, "\r\n");
    server.kill(signal);
    server.kill(signal);
    assertEquals(await server.exit(), 0);
  });
}

Deno.test("a server that ends answers what it has read", async () => {
  await using server = await ServerProcess.start(MEMORY);
  using conn = await connect(server);
  const value = "x".repeat(500_000);
  await send(conn, `set k 0 0 ${value.length}\r\n${value}\r\n`);
  assertEquals(await receiveUntil(conn, "\r\n"), "STORED\r\n");
  // Replies of 5 MB cannot all leave before the signal: the client does not read yet.
  await send(conn, "get k\r\n".repeat(10));
  const first = new Uint8Array(1);
  assertEquals(await conn.read(first), 1);
  server.kill("SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 200));
  const reply = `VALUE k 0 ${value.length}\r\n${value}\r\nEND\r\n`;
  assertEquals((await receiveAll(conn)).length + 1, 10 * reply.length);
  assertEquals(await server.exit(), 0);
});

Deno.test("a server ends also when a client does not read what it is sent", async () => {
  await using server = await ServerProcess.start(MEMORY);
  const conn = await connect(server);
  const value = "x".repeat(1_000_000);
  await send(conn, `set k 0 0 ${value.length}\r\n${value}\r\n`);
  const sending = send(conn, "get k\r\n".repeat(100)).catch(() => {});
  const first = new Uint8Array(1);
  await conn.read(first);
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
  await sending;
  conn.close();
});

Deno.test("a server that ends takes no new connections", async () => {
  await using server = await ServerProcess.start(MEMORY);
  using conn = await connect(server);
  const value = "x".repeat(1_000_000);
  await send(conn, `set k 0 0 ${value.length}\r\n${value}\r\n`);
  await send(conn, "get k\r\n".repeat(50));
  await conn.read(new Uint8Array(1));
  server.kill("SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 300));
  const refused = await connect(server).then((late) => late.close(), () => "refused");
  assertEquals(refused, "refused");
  await receiveAll(conn);
  assertEquals(await server.exit(), 0);
});

Deno.test("a port that is taken is told in one line, with exit code 71", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = (listener.addr as Deno.NetAddr).port;
  assertEquals(await runServer("--store", "memory", "-p", String(port)), {
    code: 71,
    stdout: "",
    stderr: `kvs-server: cannot listen on 127.0.0.1:${port}: the address is in use\n`,
  });
});

const refusals: Record<string, { args: string[]; says: RegExp }> = {
  "an unknown option": { args: ["--no-such-thing"], says: /--no-such-thing/ },
  "an argument": { args: ["memory"], says: /'memory'/ },
  "a port that is none": { args: ["-p", "x"], says: /--port.*'x'/ },
  "a port beyond the last": { args: ["-p", "65536"], says: /--port/ },
  "a store that is none": { args: ["--store", "tape"], says: /--store.*'tape'/ },
  "an item size that is too small": { args: ["-I", "10"], says: /--max-item-size/ },
  "an item size that is too great": { args: ["-I", "2g"], says: /--max-item-size/ },
  "a limit of no connections": { args: ["-c", "0"], says: /--conn-limit/ },
  "a mask that is not octal": { args: ["-a", "999"], says: /--unix-mask/ },
  "a repair of no data directory": { args: ["--repair"], says: /--repair.*--store disk/ },
  "a check of no data directory": { args: ["check"], says: /check.*--store disk/ },
  "two Unix sockets": { args: ["-s", "a", "-l", "unix:b"], says: /name 2 Unix sockets/ },
  "a Unix socket without a path": { args: ["-l", "unix:"], says: /no path behind 'unix:'/ },
  "no threads": { args: ["-t", "0"], says: /--threads/ },
  "no requests per event": { args: ["-R", "0"], says: /--max-reqs-per-event/ },
};

for (const [what, { args, says }] of Object.entries(refusals)) {
  Deno.test(`${what} is told in one line that names it, with exit code 64`, async () => {
    const { code, stdout, stderr } = await runServer("--store", "memory", ...args);
    assertEquals([code, stdout], [64, ""]);
    assertMatch(stderr, /^kvs-server: [^\n]+\n$/);
    assertMatch(stderr, says);
  });
}

Deno.test("memcached's letters that have no meaning here are taken, and said to be ignored with -v", async () => {
  const letters = ["-U", "0", "-u", "nobody", "-o", "hashpower=20", "-k"];
  await using server = await ServerProcess.start([...MEMORY, ...letters, "-v"]);
  assertMatch(server.said, /ignored: .*-U.*-u.*-k.*hashpower=20/);
  assertMatch(await exchangeWith(server.port, "version\r\n"), /^VERSION 1\.6\.45/);
});

Deno.test("-V says the version, and -h the options, on standard output with exit code 0", async () => {
  const version = await runServer("-V");
  assertEquals([version.code, version.stderr], [0, ""]);
  assertMatch(version.stdout, /^memcached 1\.6\.45 \(kvs \d+\.\d+\.\d+\)\n$/);
  const help = await runServer("-h");
  assertEquals([help.code, help.stderr], [0, ""]);
  assertMatch(help.stdout, /^memcached 1\.6\.45 [^]*-p, --port/);
});

Deno.test("a Unix socket is listened on, with the permissions asked for, and nothing else", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/kvs.sock`;
  await using server = await ServerProcess.start([...MEMORY, "-s", path, "-a", "640"]);
  assertEquals(server.address, path);
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o640);
  const address = { transport: "unix", path } as const;
  assertEquals(
    await exchangeWith(address, "set k 0 0 1\r\na\r\nget k\r\n"),
    "STORED\r\nVALUE k 0 1\r\na\r\nEND\r\n",
  );
  await server[Symbol.asyncDispose]();
  // A socket that a killed server left behind is no reason not to start.
  await using again = await ServerProcess.start([...MEMORY, "-s", path]);
  assertEquals(await exchangeWith(address, "get k\r\n"), "END\r\n");
  await again[Symbol.asyncDispose]();
  await Deno.remove(directory, { recursive: true });
});

Deno.test("a Unix socket that a running server listens on is not taken from it", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/kvs.sock`;
  await using server = await ServerProcess.start([...MEMORY, "-s", path]);
  const { code, stderr } = await runServer("--store", "memory", "-s", path);
  assertEquals(code, 71);
  assertMatch(stderr, /^kvs-server: cannot listen on .*kvs\.sock: [^\n]+\n$/);
  assertEquals(await exchangeWith({ transport: "unix", path }, "get k\r\n"), "END\r\n");
  await server[Symbol.asyncDispose]();
  await Deno.remove(directory, { recursive: true });
});

Deno.test("a file that is no socket is not removed to listen there", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, "precious");
  const { code } = await runServer("--store", "memory", "-s", path);
  assertEquals([code, await Deno.readTextFile(path)], [71, "precious"]);
  await Deno.remove(path);
});

Deno.test("-c: a connection too many is told so and closed, and one that leaves makes room", async () => {
  await using server = await ServerProcess.start([...MEMORY, "-c", "2"]);
  using first = await connect(server);
  const second = await connect(server);
  for (const conn of [first, second]) {
    await send(conn, "version\r\n");
    await receiveUntil(conn, "\r\n");
  }
  using third = await connect(server);
  assertEquals(await receiveAll(third), "ERROR Too many open connections\r\n");
  second.close();
  let reply = "";
  for (let i = 0; i < 100 && !reply.startsWith("STAT"); i++) {
    reply = await exchangeWith(server.port, "stats\r\n");
  }
  assertMatch(reply, /STAT rejected_connections [1-9]/);
  assertMatch(reply, /STAT max_connections 2\r\n/);
});

Deno.test("--idle-timeout: a silent connection is closed, and one that speaks is not", async () => {
  await using server = await ServerProcess.start([...MEMORY, "--idle-timeout", "2s"]);
  using silent = await connect(server);
  using busy = await connect(server);
  const closed = receiveAll(silent);
  let open = true;
  closed.then(() => open = false);
  while (open) {
    await send(busy, "version\r\n");
    assertMatch(await receiveUntil(busy, "\r\n"), /^VERSION/);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await send(busy, "stats\r\n");
  assertMatch(await receiveUntil(busy, "END\r\n"), /STAT idle_kicks 1\r\n/);
});

Deno.test("shutdown ends a server that allows it, and no other", async () => {
  await using careful = await ServerProcess.start(MEMORY);
  assertEquals(
    await exchangeWith(careful.port, "shutdown\r\n"),
    "SERVER_ERROR: shutdown not enabled\r\n",
  );
  for (const command of ["shutdown", "shutdown graceful"]) {
    await using server = await ServerProcess.start([...MEMORY, "-A"]);
    assertEquals(
      await exchangeWith(server.port, `shutdown now\r\n${command}\r\nversion\r\n`),
      "CLIENT_ERROR invalid shutdown mode\r\n",
    );
    assertEquals(await server.exit(), 0);
  }
});

Deno.test("stats settings tells what the server was started with", async () => {
  const args = ["-c", "77", "-I", "2m", "-A", "-F", "-X", "-m", "100"];
  await using server = await ServerProcess.start([...MEMORY, ...args]);
  const settings = await exchangeWith(server.port, "stats settings\r\n");
  for (
    const line of [
      "maxconns 77",
      "item_size_max 2097152",
      "shutdown_command yes",
      "maxbytes 104857600",
    ]
      .concat("flush_enabled no", "dump_enabled no", "domain_socket NULL", "evictions on")
  ) {
    assert(settings.includes(`STAT ${line}\r\n`), line);
  }
});

Deno.test("debugtime moves the clock of a server that was started for tests, and of no other", async () => {
  const moved = "set k 0 100 1\r\na\r\ndebugtime 101\r\nget k\r\n";
  await using tested = await ServerProcess.start(MEMORY, { KVS_TEST_CLOCK: "1" });
  assertEquals(await exchangeWith(tested.port, moved), "STORED\r\nOK\r\nEND\r\n");
  await using server = await ServerProcess.start(MEMORY);
  assertEquals(
    await exchangeWith(server.port, moved),
    "STORED\r\nERROR\r\nVALUE k 0 1\r\na\r\nEND\r\n",
  );
});
