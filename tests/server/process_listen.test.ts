import { assert, assertEquals, assertMatch } from "@std/assert";
import { commandOf, runServer, ServerProcess } from "./process.ts";
import { exchangeWith, receiveAll, receiveUntil, send } from "./wire.ts";
import { freePort } from "../ports.ts";

// A machine of the tests may have a public address.
const MEMORY = ["--insecure", "--store", "memory"];
const decoder = new TextDecoder();

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

async function version(hostname: string, port: number): Promise<string> {
  using conn = await Deno.connect({ hostname, port });
  await send(conn, "version\r\n");
  return await receiveUntil(conn, "\r\n");
}

const ipv6 = hasIpv6();
for (const hosts of ["0.0.0.0,::", "::,0.0.0.0", "*"]) {
  Deno.test({
    name: `-l ${hosts} listens on every address of both families${
      ipv6 ? "" : " (skipped: this machine has no IPv6)"
    }`,
    ignore: !ipv6,
    fn: async () => {
      const port = freePort("0.0.0.0");
      await using server = await ServerProcess.start([...MEMORY, "-l", hosts, "-p", `${port}`]);
      assertMatch(await version("127.0.0.1", port), /^VERSION/);
      assertMatch(await version("::1", port), /^VERSION/);
      assert(server.said.includes(`[::]:${port}`));
    },
  });
}

Deno.test("an IPv4 connection to a socket for all of IPv6 is shown with its IPv4 address", async () => {
  await using server = await ServerProcess.start([...MEMORY, "-l", "*", "-p", "-1"]);
  assertMatch(
    await exchangeWith(server.port, "stats conns\r\n"),
    /STAT (\d+):addr tcp:127\.0\.0\.1:\d+\r\nSTAT \1:listen_addr tcp:127\.0\.0\.1:\d+\r\n/,
  );
});

Deno.test("stats conns shows the sockets that are listened on", async () => {
  await using server = await ServerProcess.start([...MEMORY, "-p", "-1"]);
  assertMatch(
    await exchangeWith(server.port, "stats conns\r\n"),
    new RegExp(
      `^STAT (\\d+):addr tcp:127.0.0.1:${server.port}\r\nSTAT \\1:state conn_listening\r\n`,
    ),
  );
});

Deno.test("several -l add up, a port of its own goes before -p, and -1 is any free one", async () => {
  const own = freePort("0.0.0.0");
  const args = ["-l", `127.0.0.1:${own}`, "-l", "127.0.0.2,127.0.0.1:-1", "-p", "-1"];
  await using server = await ServerProcess.start([...MEMORY, ...args]);
  const [first, second, third] = server.address.split(", ");
  assertEquals(first, `127.0.0.1:${own}`);
  assertMatch(second!, /^127\.0\.0\.2:\d+$/);
  assertMatch(third!, /^127\.0\.0\.1:\d+$/);
  for (const address of [first!, second!, third!]) {
    const [host, port] = address.split(":");
    assertMatch(await version(host!, Number(port)), /^VERSION/);
  }
});

Deno.test("a name that no address is known by is told in one line, with exit code 71", async () => {
  assertEquals(await runServer(...MEMORY, "-l", "fooble"), {
    code: 71,
    stdout: "",
    stderr: "kvs-server: cannot listen on fooble: no address is known by that name\n",
  });
});

Deno.test("MEMCACHED_PORT_FILENAME gets a line for each socket, as memcached writes it", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/ports`;
  const args = [...MEMORY, "-p", "-1", "-l", "127.0.0.1,127.0.0.2"];
  await using server = await ServerProcess.start(args, { MEMCACHED_PORT_FILENAME: path });
  const ports = server.address.split(", ").map((address) => address.split(":")[1]);
  assertEquals(
    await Deno.readTextFile(path),
    ports.map((port) => `TCP INET: ${port}\n`).join(""),
  );
  assertEquals(Array.from(Deno.readDirSync(directory), ({ name }) => name), ["ports"]);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("a port file that cannot be written is told, and the server serves", async () => {
  const env = { MEMCACHED_PORT_FILENAME: "/nonexistent/ports" };
  await using server = await ServerProcess.start([...MEMORY, "-p", "-1"], env);
  assertMatch(server.said, /cannot write MEMCACHED_PORT_FILENAME '\/nonexistent\/ports': /);
  assertMatch(await version("127.0.0.1", server.port), /^VERSION/);
});

Deno.test("-p 0 with a Unix socket listens on the socket alone", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/kvs.sock`;
  await using server = await ServerProcess.start([...MEMORY, "-p", "0", "-s", path]);
  assertEquals(server.address, path);
  assertMatch(await exchangeWith({ transport: "unix", path }, "version\r\n"), /^VERSION/);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("-l unix:PATH listens beside TCP, and lets clients in where TCP has no room", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/kvs.sock`;
  const ports = `${directory}/ports`;
  const args = [...MEMORY, "-p", "-1", "-l", `127.0.0.1,unix:${path}`, "-c", "10"];
  await using server = await ServerProcess.start(args, { MEMCACHED_PORT_FILENAME: ports });
  assertMatch(server.said, new RegExp(`listening on 127.0.0.1:\\d+, ${path},`));
  const port = Number(/^TCP INET: (\d+)\n$/.exec(await Deno.readTextFile(ports))![1]);
  using stack = new DisposableStack();
  for (let i = 0; i < 2; i++) {
    const conn = stack.use(await Deno.connect({ hostname: "127.0.0.1", port }));
    await send(conn, "version\r\n");
    assertMatch(await receiveUntil(conn, "\r\n"), /^VERSION/);
  }
  assertEquals(await exchangeWith(port, ""), "ERROR Too many open connections\r\n");
  assertMatch(await exchangeWith({ transport: "unix", path }, "version\r\n"), /^VERSION/);
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("-s takes the place of TCP, whatever -l and -p say, as in memcached", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/kvs.sock`;
  const args = [...MEMORY, "-p", "-1", "-l", "127.0.0.1", "-s", path];
  await using server = await ServerProcess.start(args);
  assertEquals(server.address, path);
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("-p 0 without a Unix socket listens nowhere, as memcached, and says so", async () => {
  const path = await Deno.makeTempFile();
  const env = { MEMCACHED_PORT_FILENAME: path };
  await using server = await ServerProcess.start([...MEMORY, "-p", "0"], env);
  assertEquals([server.address, await Deno.readTextFile(path)], ["no address", ""]);
  server.kill("SIGINT");
  assertEquals(await server.exit(), 0);
  await Deno.remove(path);
});

Deno.test("-o no_maxconns_fast: a connection too many waits until another one ends", async () => {
  const args = [...MEMORY, "-p", "-1", "-c", "1", "-o", "no_maxconns_fast"];
  await using server = await ServerProcess.start(args);
  const first = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await send(first, "version\r\n");
  await receiveUntil(first, "\r\n");
  const second = exchangeWith(server.port, "set k 0 0 1\r\nb\r\nget k\r\n");
  // What the first says now runs before anything of the second.
  await send(first, "set k 0 0 1\r\na\r\nget k\r\nquit\r\n");
  assertEquals(await receiveAll(first), "STORED\r\nVALUE k 0 1\r\na\r\nEND\r\n");
  first.close();
  assertEquals(await second, "STORED\r\nVALUE k 0 1\r\nb\r\nEND\r\n");
});

Deno.test("-o idle_timeout closes a silent connection", async () => {
  await using server = await ServerProcess.start([...MEMORY, "-p", "-1", "-o", "idle_timeout=1"]);
  using silent = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  assertEquals(await receiveAll(silent), "");
  assertMatch(await exchangeWith(server.port, "stats\r\n"), /STAT idle_kicks 1\r\n/);
});

Deno.test("-e FILE: what was stored before SIGUSR1 is there at the next start", async () => {
  const directory = await Deno.makeTempDir();
  const args = ["-e", `${directory}/memory`, "-p", "-1"];
  {
    await using server = await ServerProcess.start(args);
    assertEquals(await exchangeWith(server.port, "set k 5 0 1\r\na\r\n"), "STORED\r\n");
    assertMatch(
      await exchangeWith(server.port, "stats settings\r\n"),
      new RegExp(`STAT memory_file ${directory}/memory\r\n`),
    );
    server.kill("SIGUSR1");
    assertEquals(await server.exit(), 0);
  }
  await using server = await ServerProcess.start(args);
  assertEquals(await exchangeWith(server.port, "get k\r\n"), "VALUE k 5 1\r\na\r\nEND\r\n");
  server.kill("SIGTERM");
  await server.exit();
  await Deno.remove(directory, { recursive: true });
});

Deno.test("-d returns when the server listens, which then runs on until it is stopped", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/pid`;
  const port = freePort("0.0.0.0");
  const { code, stdout } = await runServer(...MEMORY, "-d", "-P", path, "-p", `${port}`);
  assertEquals([code, stdout], [0, ""]);
  const pid = Number(await Deno.readTextFile(path));
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await send(conn, "stats\r\n");
  assertMatch(await receiveUntil(conn, "END\r\n"), new RegExp(`STAT pid ${pid}\r\n`));
  Deno.kill(pid, "SIGUSR1");
  assertEquals(await receiveAll(conn), "");
  while (Deno.readDirSync(directory).next().done === false) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await Deno.remove(directory, { recursive: true });
});

Deno.test("-d: a server that cannot start says why, with its exit code", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { code, stderr } = await runServer(...MEMORY, "-d", "-p", `${listener.addr.port}`);
  assertEquals(code, 71);
  assertMatch(stderr, /^kvs-server: cannot listen on \S+: the address is in use\n$/);
});

Deno.test("-d leaves out what the loader is told, where it may start only itself", async () => {
  const [program, ...args] = commandOf([...MEMORY, "-d", "-p", `${freePort("0.0.0.0")}`], {});
  const directory = await Deno.makeTempDir();
  const path = `${directory}/pid`;
  const permissions = ["--no-prompt", "--allow-net", "--allow-env", "--allow-read"];
  const more = ["--allow-write", "--allow-sys", `--allow-run=${Deno.execPath()}`];
  const { code, stderr } = await new Deno.Command(program!, {
    args: [...args.flatMap((arg) => arg === "-A" ? [...permissions, ...more] : arg), "-P", path],
    env: { LD_BIND_NOW: "1", KVS_THREADS: "1" },
    stdin: "null",
  }).output();
  assertEquals(code, 0, decoder.decode(stderr));
  const pid = Number(await Deno.readTextFile(path));
  const environment = (await Deno.readTextFile(`/proc/${pid}/environ`)).split("\0");
  Deno.kill(pid, "SIGTERM");
  assertEquals(environment.includes("KVS_THREADS=1"), true);
  assertEquals(environment.some((one) => one.startsWith("LD_")), false);
  while (Deno.readDirSync(directory).next().done === false) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await Deno.remove(directory, { recursive: true });
});

Deno.test("-d without the permission to start a program says what to use instead", async () => {
  const [program, ...args] = commandOf([...MEMORY, "-d"], {});
  const permissions = ["--no-prompt", "--allow-net", "--allow-env", "--allow-read"];
  const { code, stderr } = await new Deno.Command(program!, {
    args: args.flatMap((arg) => arg === "-A" ? permissions : arg),
    stdin: "null",
  }).output();
  assertEquals(code, 64);
  assertMatch(decoder.decode(stderr), /^kvs-server: -d\/--daemon needs .*systemd.*nohup.*\n$/);
});

Deno.test("-i says the version and the licence that LICENSE holds", async () => {
  const { code, stdout } = await runServer("-i");
  const licence = await Deno.readTextFile(new URL("../../LICENSE", import.meta.url));
  assertEquals(code, 0);
  assertEquals(stdout.slice(stdout.indexOf("\n\n") + 2), licence);
  assertMatch(stdout, /^memcached 1\.6\.45 /);
});

Deno.test("-h names no feature that harnesses look for there and kvs does not have", async () => {
  const { stdout } = await runServer("-h");
  for (const word of ["ext_path", "proxy_config", "no_drop_privileges"]) {
    assert(!stdout.includes(word), word);
  }
});

Deno.test("a listener that a private network reaches is warned of and shown in stats settings, but not with users", async () => {
  const wildcard = [...MEMORY, "-l", "0.0.0.0", "-p", "-1"];
  await using open = await ServerProcess.start(wildcard);
  await open.says(/whoever reaches 0\.0\.0\.0:\d+ can read and change everything/);
  assertMatch(await exchangeWith(open.port, "stats settings\r\n"), /STAT open_to (private|public)/);
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, "foo:bar\n");
    await Deno.chmod(file, 0o600);
    await using closed = await ServerProcess.start([...wildcard, "-Y", file]);
    assertEquals(closed.said.includes("can read and change"), false);
  } finally {
    await Deno.remove(file);
  }
});
