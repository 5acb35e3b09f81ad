import { assertEquals, assertMatch } from "@std/assert";
import { commandOf, ServerProcess } from "./process.ts";
import { exchangeWith, receiveAll, receiveUntil, send } from "./wire.ts";

const MEMORY = ["--store", "memory", "-p", "-1"];
const STOPPING = ["SIGTERM", "SIGINT", "SIGUSR1"] as const;
/** Bits of signals in the masks of /proc: the number of the signal less one. */
const SIGUSR1_BIT = 9n;

function connect({ port }: ServerProcess): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

/** Waits until a process has begun to listen to SIGUSR1, which is before it has done anything else. */
async function hearsSignals(pid: number): Promise<void> {
  for (;;) {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    const caught = BigInt(`0x${/^SigCgt:\s*(\w+)$/m.exec(status)![1]}`);
    if (caught >> SIGUSR1_BIT & 1n) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Waits until a server runs for a second: Deno listens to SIGUSR1 itself after half of one. */
async function runsForASecond(server: ServerProcess): Promise<void> {
  for (;;) {
    const stats = await exchangeWith(server.port, "stats\r\n");
    if (Number(/STAT uptime (\d+)/.exec(stats)![1]) >= 1) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

for (const signal of STOPPING) {
  Deno.test(`${signal} stops a server that has just begun to start, with exit code 0`, async () => {
    const directory = await Deno.makeTempDir();
    const disk = ["--data-dir", `${directory}/data`, "-p", "-1"];
    await using server = ServerProcess.spawn(disk);
    await hearsSignals(server.pid);
    server.kill(signal);
    assertEquals(await server.exit(), 0);
    // What it left is no obstacle to the next one.
    await using next = await ServerProcess.start(disk);
    assertEquals(await exchangeWith(next.port, "set k 0 0 1\r\na\r\n"), "STORED\r\n");
    next.kill("SIGTERM");
    await next.exit();
    await Deno.remove(directory, { recursive: true });
  });

  Deno.test(`${signal} stops a server that waits for Redis, with exit code 0`, async () => {
    using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const url = `redis://127.0.0.1:${silent.addr.port}`;
    const args = ["--store", "redis", "--redis-url", url, "--store-timeout", "1h", "-p", "-1"];
    await using server = ServerProcess.spawn(args);
    using _waiting = await silent.accept();
    server.kill(signal);
    assertEquals(await server.exit(), 0);
  });
}

Deno.test("SIGUSR1 stops a server gracefully: what it has read is answered, and kept", async () => {
  const directory = await Deno.makeTempDir();
  const disk = ["--data-dir", `${directory}/data`, "-p", "-1"];
  await using server = await ServerProcess.start(disk);
  using conn = await connect(server);
  const value = "x".repeat(500_000);
  await send(conn, `set k 0 0 ${value.length}\r\n${value}\r\n`);
  assertEquals(await receiveUntil(conn, "\r\n"), "STORED\r\n");
  await send(conn, "get k\r\n".repeat(10));
  assertEquals(await conn.read(new Uint8Array(1)), 1);
  server.kill("SIGUSR1");
  const reply = `VALUE k 0 ${value.length}\r\n${value}\r\nEND\r\n`;
  assertEquals((await receiveAll(conn)).length + 1, 10 * reply.length);
  assertEquals(await server.exit(), 0);
  await using next = await ServerProcess.start(disk);
  assertEquals(await exchangeWith(next.port, "get k\r\n"), reply);
  next.kill("SIGTERM");
  await next.exit();
  await Deno.remove(directory, { recursive: true });
});

Deno.test("SIGUSR1 does not open V8's inspector where somebody could connect to it", async () => {
  await using server = await ServerProcess.start(MEMORY, {}, { quiet: false });
  await runsForASecond(server);
  // A client that does not read keeps the server from ending while the signal does what it does.
  using slow = await connect(server);
  const value = "x".repeat(1_000_000);
  await send(slow, `set k 0 0 ${value.length}\r\n${value}\r\n`);
  await send(slow, "get k\r\n".repeat(20));
  assertEquals(await slow.read(new Uint8Array(1)), 1);
  server.kill("SIGUSR1");
  await receiveAll(slow);
  assertEquals(await server.exit(), 0);
  const debuggers = [...server.said.matchAll(/Debugger listening on ws:\/\/([\d.]+):/g)];
  for (const [, host] of debuggers) assertMatch(host!, /^(127\.255\.255\.255|255\.255\.255\.255)$/);
});

Deno.test("the address on which the inspector is kept cannot be connected to", async () => {
  await using server = await ServerProcess.start(MEMORY, {}, { quiet: false });
  await server.says(/Debugger listening on ws:\S+/);
  const url = /Debugger listening on (ws:\S+)/.exec(server.said)![1]!;
  const { hostname, port } = new URL(url);
  for (const host of [hostname, "127.0.0.1"]) {
    const connected = await Deno.connect({ hostname: host, port: Number(port) })
      .then((conn) => conn.close(), () => "refused");
    assertEquals(connected, "refused", host);
  }
});

for (const threads of ["1", "3"]) {
  Deno.test(`SIGHUP ends no server, as soon as it listens to signals, with -t ${threads}`, async () => {
    await using server = ServerProcess.spawn([...MEMORY, "-t", threads]);
    await hearsSignals(server.pid);
    for (let i = 0; i < 20; i++) server.kill("SIGHUP");
    await server.says(/listening on/);
    for (let i = 0; i < 20; i++) server.kill("SIGHUP");
    const port = Number(/listening on \S+:(\d+)/.exec(server.said)![1]);
    assertMatch(await exchangeWith(port, "version\r\n"), /^VERSION/);
  });
}

Deno.test("SIGHUP reads the user file again, and a broken one changes nothing", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, "user:password\n");
  await using server = await ServerProcess.start([...MEMORY, "-Y", path]);
  await Deno.writeTextFile(path, "user:password\nother:secret\n");
  server.kill("SIGHUP");
  await server.says(/read \S+ again: 2 users\n/);
  await Deno.writeTextFile(path, "nonsense\n");
  server.kill("SIGHUP");
  await server.says(/the users stay as they are: Authfile \[\S+\] has a malformed entry/);
  await Deno.remove(path);
});

const namespace = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"];
const hasNamespaces = await new Deno.Command(namespace[0]!, {
  args: [...namespace.slice(1), "true"],
  stdout: "null",
  stderr: "null",
}).output().then(({ success }) => success, () => false);

Deno.test({
  name: hasNamespaces
    ? "a server that is process 1 hears its signals"
    : "a server that is process 1 hears its signals (skipped: `unshare --pid` is not allowed here)",
  ignore: !hasNamespaces,
  fn: async () => {
    await using holder = await ServerProcess.start(MEMORY, {}, { through: namespace });
    const children = Deno.readTextFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`);
    const pid = Number(children.trim());
    const namespaced = /^NSpid:.*\t1$/m;
    assertMatch(Deno.readTextFileSync(`/proc/${pid}/status`), namespaced);
    Deno.kill(pid, "SIGHUP");
    assertMatch(await exchangeWith(holder.port, "version\r\n"), /^VERSION/);
    Deno.kill(pid, "SIGUSR1");
    assertEquals(await holder.exit(), 0);
  },
});

Deno.test("a server lives on when nobody reads its standard error and its output is closed", async () => {
  const directory = await Deno.makeTempDir();
  const [users, ports] = [`${directory}/users`, `${directory}/ports`];
  await Deno.writeTextFile(users, "user:password\n", { mode: 0o600 });
  const [program, ...args] = commandOf([...MEMORY, "-v", "-Y", users], {
    through: ["sh", "-c", 'exec "$@" >&-', "sh"],
  });
  const server = new Deno.Command(program!, {
    args,
    env: { MEMCACHED_PORT_FILENAME: ports },
    stdin: "null",
    stderr: "piped",
  }).spawn();
  await server.stderr.cancel();
  const text = await contentOf(ports);
  const port = Number(/^TCP INET: (\d+)\n$/.exec(text)![1]);
  server.kill("SIGHUP");
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await send(conn, "version\r\n");
  await receiveUntil(conn, "\r\n");
  // It says that it stops, to nobody.
  server.kill("SIGTERM");
  assertEquals((await server.status).code, 0);
  await Deno.remove(directory, { recursive: true });
});

/** Waits for a file and returns its content. */
async function contentOf(path: string): Promise<string> {
  for (;;) {
    try {
      return await Deno.readTextFile(path);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
