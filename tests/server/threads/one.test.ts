import { assert, assertEquals, assertMatch } from "@std/assert";
import { UNIX_RESERVE } from "../../../lib/server/admission.ts";
import { makeCertificate } from "../../certificates.ts";
import { freePort } from "../../ports.ts";
import { writeUsers } from "../access/users.ts";
import { runServer, ServerProcess } from "../process.ts";
import { exchangeWith, receiveAll, receiveUntil, send } from "../wire.ts";

const MEMORY = ["--store", "memory"];
const ARGS = ["-p", "-1", "-t", "4", ...MEMORY];

/** Connections enough that several threads have some. */
async function connectAll(port: number, count: number): Promise<Deno.TcpConn[]> {
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port });
  return await Promise.all(Array.from({ length: count }, connect));
}

async function ask(conn: Deno.Conn, request: string, end: string): Promise<string> {
  await send(conn, request);
  return await receiveUntil(conn, end);
}

async function statsOf(conn: Deno.Conn, what = ""): Promise<Map<string, string>> {
  const text = await ask(conn, `stats${what}\r\n`, "END\r\n");
  return new Map(
    [...text.matchAll(/STAT (\S+) (.*)\r\n/g)].map(([, name, value]) => [name!, value!]),
  );
}

function close(conns: Iterable<Deno.Conn>): void {
  for (const conn of conns) conn.close();
}

Deno.test("threads: stats add up, conns shows all, and a reset is one for all", async () => {
  await using server = await ServerProcess.start(ARGS);
  const conns = await connectAll(server.port, 16);
  await Promise.all(conns.map(async (conn, i) => {
    assertEquals(await ask(conn, `set k${i} 0 0 1\r\nx\r\n`, "\r\n"), "STORED\r\n");
    assertMatch(await ask(conn, `get k${i}\r\n`, "END\r\n"), /^VALUE/);
    assertEquals(await ask(conn, "get none\r\n", "END\r\n"), "END\r\n");
  }));
  for (const conn of [conns[0]!, conns[15]!]) {
    const stats = await statsOf(conn);
    const names = ["cmd_set", "cmd_get", "get_hits", "get_misses", "total_items", "curr_items"];
    const figures = [...names, "curr_connections", "total_connections", "threads"];
    assertEquals(
      figures.map((name) => `${name} ${stats.get(name)}`),
      [
        "cmd_set 16",
        "cmd_get 32",
        "get_hits 16",
        "get_misses 16",
        "total_items 16",
        "curr_items 16",
      ]
        .concat(["curr_connections 16", "total_connections 16", "threads 4"]),
    );
  }
  const described = await statsOf(conns[3]!, " conns");
  const addresses = [...described].filter(([name]) => name.endsWith(":listen_addr"));
  assertEquals(addresses.length, 16);
  const threads = await statsOf(conns[3]!, " threads");
  const served = [...threads].filter(([name]) => name.endsWith(":connections"))
    .map(([, count]) => Number(count));
  assertEquals([served.length, served.reduce((sum, count) => sum + count)], [4, 16]);
  assertEquals(await ask(conns[5]!, "stats reset\r\n", "\r\n"), "RESET\r\n");
  const after = await statsOf(conns[9]!);
  assertEquals([after.get("cmd_set"), after.get("get_hits"), after.get("curr_items")], [
    "0",
    "0",
    "16",
  ]);
  close(conns);
});

Deno.test("threads: eight connections are all served, however they are spread", async () => {
  await using server = await ServerProcess.start(ARGS);
  const conns = await connectAll(server.port, 8);
  await Promise.all(conns.map(async (conn, i) => {
    for (let j = 0; j < 50; j++) {
      assertEquals(
        await ask(conn, `set k${i} 0 0 1\r\nx\r\nget k${i}\r\n`, "END\r\n"),
        `STORED\r\nVALUE k${i} 0 1\r\nx\r\nEND\r\n`,
      );
    }
  }));
  const spread = await ask(conns[0]!, "stats threads\r\n", "END\r\n");
  const counts = [...spread.matchAll(/:connections (\d+)\r\n/g)].map(([, count]) => Number(count));
  assertEquals([counts.length, counts.reduce((sum, count) => sum + count)], [4, 8]);
  close(conns);
});

Deno.test("threads: -c is for all of them together", async () => {
  await using server = await ServerProcess.start([...ARGS, "-c", "10"]);
  const conns = await connectAll(server.port, 10);
  for (const conn of conns) assertMatch(await ask(conn, "version\r\n", "\r\n"), /^VERSION/);
  const [late] = await connectAll(server.port, 1);
  assertEquals(await receiveUntil(late!, "\r\n"), "ERROR Too many open connections\r\n");
  const stats = await statsOf(conns[0]!);
  assertEquals([stats.get("curr_connections"), stats.get("rejected_connections")], ["10", "1"]);
  close([late!, ...conns]);
});

Deno.test("threads: with no_maxconns_fast connections beyond the limit wait, whichever thread has accepted them", async () => {
  for (const threads of ["1", "4"]) {
    await using server = await ServerProcess.start([
      ...["-p", "-1", "-l", "127.0.0.1,127.0.0.2", "-t", threads, ...MEMORY],
      ...["-c", "4", "-o", "no_maxconns_fast"],
    ]);
    const ports = [...server.address.matchAll(/:(\d+)/g)].map(([, port]) => Number(port));
    const connect = (i: number) =>
      Deno.connect({ hostname: `127.0.0.${1 + i % 2}`, port: ports[i % 2]! });
    const first = await Promise.all([0, 1, 2, 3].map(connect));
    for (const conn of first) assertMatch(await ask(conn, "version\r\n", "\r\n"), /^VERSION/);
    // Each leaves when it has its answer, which makes room for one more.
    const late = await Promise.all(Array.from({ length: 12 }, (_, i) => connect(i)));
    const answers = late.map(async (conn) => {
      await send(conn, "version\r\nquit\r\n");
      return await receiveAll(conn);
    });
    const stats = await statsOf(first[0]!);
    assertEquals([stats.get("curr_connections"), stats.get("rejected_connections")], ["4", "0"]);
    close(first);
    for (const answer of await Promise.all(answers)) assertMatch(answer, /^VERSION/);
    close(late);
  }
});

Deno.test("threads: one address has its share of connections over all of them", async () => {
  await using server = await ServerProcess.start([...ARGS, "--max-connections-per-ip", "6"]);
  const conns = await connectAll(server.port, 6);
  for (const conn of conns) assertMatch(await ask(conn, "version\r\n", "\r\n"), /^VERSION/);
  const [late] = await connectAll(server.port, 1);
  assertEquals(await receiveUntil(late!, "\r\n"), "");
  close([late!, conns.pop()!]);
  // The share is free again when the server has seen the end of one.
  for (let reply = ""; reply === "";) {
    const [next] = await connectAll(server.port, 1);
    try {
      await send(next!, "version\r\n");
      reply = await receiveUntil(next!, "\r\n");
    } catch {
      // It was closed before it was read.
    }
    close([next!]);
  }
  close(conns);
});

Deno.test("threads: a flush, a setting and what is counted by prefix hold for all", async () => {
  await using server = await ServerProcess.start(ARGS);
  const conns = await connectAll(server.port, 12);
  assertEquals(await ask(conns[0]!, "stats detail on\r\n", "\r\n"), "OK\r\n");
  assertEquals(await ask(conns[1]!, "verbosity 1\r\n", "\r\n"), "OK\r\n");
  await Promise.all(conns.map((conn, i) => ask(conn, `set a:${i} 0 0 1\r\nx\r\n`, "\r\n")));
  await Promise.all(conns.map((conn) => ask(conn, "get a:3\r\n", "END\r\n")));
  const counted = await ask(conns[7]!, "stats detail dump\r\n", "END\r\n");
  assertEquals(counted, "PREFIX a get 12 hit 12 set 12 del 0\r\nEND\r\n");
  assertEquals((await statsOf(conns[8]!, " settings")).get("verbosity"), "1");
  assertEquals(await ask(conns[2]!, "flush_all\r\n", "\r\n"), "OK\r\n");
  for (const conn of conns) {
    assertEquals(await ask(conn, "get a:3\r\n", "END\r\n"), "END\r\n");
  }
  close(conns);
});

Deno.test("threads: a watcher sees what happens in all of them, each line under a number of its own", async () => {
  await using server = await ServerProcess.start(ARGS);
  const conns = await connectAll(server.port, 12);
  const watcher = conns.pop()!;
  assertEquals(await ask(watcher, "watch mutations\r\n", "\r\n"), "OK\r\n");
  await Promise.all(conns.map((conn, i) => ask(conn, `set w${i} 0 0 1\r\nx\r\n`, "\r\n")));
  const keys = new Set<string>();
  const numbers = new Set<string>();
  for (let text = ""; keys.size < conns.length;) {
    text += await receiveUntil(watcher, "\n");
    for (const [, number, key] of text.matchAll(/gid=(\d+) type=item_store key=(\w+) /g)) {
      keys.add(key!);
      numbers.add(number!);
    }
  }
  assertEquals([keys.size, numbers.size], [11, 11]);
  close([watcher, ...conns]);
});

Deno.test("threads: metrics are what all of them have counted when they are asked for", async () => {
  await using server = await ServerProcess.start([...ARGS, "--http", "127.0.0.1:0"]);
  const [, http] = /http on (\S+)/.exec(server.said)!;
  for (let round = 1; round <= 3; round++) {
    const conns = await connectAll(server.port, 8);
    await Promise.all(conns.map((conn) => ask(conn, "set k 0 0 1\r\nx\r\n", "\r\n")));
    const metrics = await (await fetch(`http://${http}/metrics`)).text();
    assertMatch(metrics, new RegExp(`^memcached_connections_total ${8 * round}$`, "m"));
    const sets = `memcached_commands_total{command="set",status="hit"} ${8 * round}`;
    assert(metrics.includes(sets), sets);
    close(conns);
  }
});

Deno.test("threads: clients that have not logged in have one share of the connections", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kvs-threads-" });
  try {
    const path = `${directory}/users`;
    await Deno.writeTextFile(path, "a:b\n");
    await using server = await ServerProcess.start([...ARGS, "-Y", path, "-c", "40"]);
    const [boss] = await connectAll(server.port, 1);
    assertEquals(await ask(boss!, "set auth 0 0 3\r\na b\r\n", "\r\n"), "STORED\r\n");
    const strangers = await connectAll(server.port, 30);
    // The others have made room for these, of each thread perhaps but one.
    const most = 10 + 3;
    for (;;) {
      const stats = await statsOf(boss!, " limits");
      assertEquals(stats.get("max_strangers"), "10");
      const { total_connections: seen } = Object.fromEntries(await statsOf(boss!));
      if (Number(seen) < 31) continue;
      const there = Number((await statsOf(boss!, " limits")).get("strangers"));
      assert(there <= most, `${there} strangers`);
      break;
    }
    close([boss!, ...strangers]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

for (const threads of ["1", "3"]) {
  Deno.test(`threads: silent connections are closed in all of them, and watchers are told why (-t ${threads})`, async () => {
    await using server = await ServerProcess.start([
      ...["-p", "-1", "-t", threads, ...MEMORY, "-o", "idle_timeout=1"],
    ]);
    const [watcher] = await connectAll(server.port, 1);
    assertEquals(await ask(watcher!, "watch connevents\r\n", "\r\n"), "OK\r\n");
    const silent = await connectAll(server.port, 9);
    assertEquals(await Promise.all(silent.map(receiveAll)), silent.map(() => ""));
    let told = "";
    while (told.split("type=conn_close").length <= silent.length) {
      told += await receiveUntil(watcher!, "\n");
    }
    assertEquals(
      told.match(/type=conn_close .* reason=\w+/g)!.map((line) => line.split("reason=")[1]),
      silent.map(() => "idle_timeout"),
    );
    assertMatch(await exchangeWith(server.port, "stats\r\n"), /STAT idle_kicks 9\r\n/);
    close([watcher!, ...silent]);
  });
}

Deno.test("threads: a listing has all items, and a stop answers all that was asked", async () => {
  await using server = await ServerProcess.start(ARGS);
  const conns = await connectAll(server.port, 8);
  await Promise.all(conns.map((conn, i) => ask(conn, `set d${i} 0 0 1\r\nx\r\n`, "\r\n")));
  const listing = await ask(conns[4]!, "lru_crawler metadump all\r\n", "END\r\n");
  assertEquals(listing.match(/key=d\d /g)?.length, 8);
  await Promise.all(
    conns.map((conn, i) => send(conn, `set d${i} 0 0 1\r\ny\r\nget d${i}\r\n`.repeat(200))),
  );
  // The first answer of each is there: what was sent with that request is read.
  const replies = conns.map(async (conn) => {
    let text = "";
    const into = new Uint8Array(1 << 16);
    for (let count; (count = await conn.read(into)) !== null;) {
      text += new TextDecoder().decode(into.subarray(0, count));
      if (text.length === count) server.kill("SIGTERM");
    }
    return text;
  });
  for (const text of await Promise.all(replies)) {
    assert(text.startsWith("STORED\r\nVALUE d"), "it was answered");
    assert(text.endsWith("END\r\n") || text.endsWith("STORED\r\n"), "no answer is cut");
  }
  assertEquals(await server.exit(), 0);
  close(conns);
});

Deno.test("threads: the hot keys of all of them are known to all", async () => {
  await using server = await ServerProcess.start([...ARGS, "--slow-ms", "1000"]);
  const conns = await connectAll(server.port, 12);
  await Promise.all(conns.map((conn) => ask(conn, "get hot\r\n", "END\r\n")));
  const hot = await statsOf(conns[4]!, " hot");
  assertEquals([hot.get("1:key"), hot.get("1:count")], ["hot", "12"]);
  close(conns);
});

Deno.test("threads: a Unix socket is served by one of them, and the server says so", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kvs-threads-" });
  try {
    const path = `${directory}/kvs.sock`;
    await using server = await ServerProcess.start([
      ...[...ARGS, "-s", path, "-I", "4m", "--max-client-memory", "8m"],
    ]);
    assertMatch(server.said, /a TLS listener or a Unix socket is served by one thread/);
    const conn = await Deno.connect({ transport: "unix", path });
    assertEquals(
      await ask(conn, "set k 0 0 1\r\nx\r\nget k\r\n", "END\r\n"),
      "STORED\r\nVALUE k 0 1\r\nx\r\nEND\r\n",
    );
    // The memory for clients is all for those of that one.
    assertEquals((await statsOf(conn, " limits")).get("max_client_memory"), `${8 * 2 ** 20}`);
    const value = "x".repeat(3 * 2 ** 20);
    assertEquals(
      await ask(conn, `set k 0 0 ${value.length}\r\n${value}\r\n`, "\r\n"),
      "STORED\r\n",
    );
    conn.close();
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("threads: none of them lets TCP have the connections that are kept for a Unix socket", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kvs-threads-" });
  try {
    const path = `${directory}/kvs.sock`;
    await using server = await ServerProcess.start([
      ...["-p", "-1", "-t", "4", ...MEMORY, "-c", "20", "-l", `127.0.0.1,unix:${path}`],
    ]);
    const port = Number(/listening on 127.0.0.1:(\d+)/.exec(server.said)?.[1]);
    const conns = await connectAll(port, 40);
    const replies = await Promise.all(
      conns.map((conn) => ask(conn, "version\r\n", "\r\n").catch(() => "")),
    );
    assertEquals(replies.filter((reply) => reply.startsWith("VERSION")).length, 20 - UNIX_RESERVE);
    const local = await Deno.connect({ transport: "unix", path });
    assertMatch(await ask(local, "version\r\n", "\r\n"), /^VERSION/);
    close([local, ...conns]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("threads: a TLS listener is served by one of them, beside one for all, and renewed", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kvs-threads-" });
  try {
    await makeCertificate(directory, "subjectAltName=IP:127.0.0.1");
    const file = (name: string) => `${directory}/${name}`;
    const tls = ["-Z", "--ssl-chain-cert", file("server.crt"), "--ssl-key", file("server.key")];
    await using server = await ServerProcess.start([
      ...ARGS,
      ...tls,
      "-l",
      "127.0.0.1,notls:127.0.0.1:0",
    ]);
    const [, secure, plain] = /listening on \S+:(\d+), \S+:(\d+)/.exec(server.said)!.map(Number);
    const conn = await Deno.connectTls({
      hostname: "127.0.0.1",
      port: secure!,
      caCerts: [await Deno.readTextFile(file("ca.crt"))],
    });
    assertEquals(await ask(conn, "set k 0 0 1\r\nx\r\n", "\r\n"), "STORED\r\n");
    const conns = await connectAll(plain!, 6);
    for (const other of conns) {
      assertEquals(await ask(other, "get k\r\n", "END\r\n"), "VALUE k 0 1\r\nx\r\nEND\r\n");
      assertEquals(await ask(other, "refresh_certs\r\n", "\r\n"), "OK\r\n");
    }
    close([conn, ...conns]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("threads: SIGHUP lets all of them read the users again", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kvs-threads-" });
  try {
    const path = `${directory}/users`;
    await Deno.writeTextFile(path, "a:old\n");
    await using server = await ServerProcess.start([...ARGS, "-Y", path]);
    const login = async (password: string) => {
      const [conn] = await connectAll(server.port, 1);
      const reply = await ask(
        conn!,
        `set auth 0 0 ${2 + password.length}\r\na ${password}\r\n`,
        "\r\n",
      );
      close([conn!]);
      return reply;
    };
    for (let i = 0; i < 8; i++) assertEquals(await login("old"), "STORED\r\n");
    await Deno.writeTextFile(path, "a:new\n");
    server.kill("SIGHUP");
    await server.says(/read .* again/);
    // The other threads hear of it after that.
    while (await login("new") !== "STORED\r\n");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("threads: users have their rights in all of them, also where the main thread does the work", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kvs-threads-" });
  try {
    const path = `${directory}/users.json`;
    await writeUsers(path, [
      { name: "reader", password: "p", permissions: { read: ["a:"], list: true, stats: true } },
      { name: "boss", password: "p", permissions: { admin: true, flush: true, write: true } },
    ]);
    await using server = await ServerProcess.start([...ARGS, "--users", path]);
    const login = async (conn: Deno.Conn, user: string) => {
      const request = `set auth 0 0 ${user.length + 2}\r\n${user} p\r\n`;
      assertEquals(await ask(conn, request, "\r\n"), "STORED\r\n");
    };
    const readers = await connectAll(server.port, 5);
    const bosses = await connectAll(server.port, 5);
    for (const conn of readers) await login(conn, "reader");
    for (const conn of bosses) await login(conn, "boss");
    for (const key of ["a:1", "b:1"]) {
      assertEquals(await ask(bosses[0]!, `set ${key} 0 0 1\r\nx\r\n`, "\r\n"), "STORED\r\n");
    }
    for (const conn of readers) {
      assertEquals(await ask(conn, "flush_all\r\n", "\r\n"), "CLIENT_ERROR permission denied\r\n");
      const listing = await ask(conn, "stats cachedump 1 0\r\n", "END\r\n");
      assertEquals(listing.match(/ITEM \S+/g), ["ITEM a:1"]);
    }
    for (const conn of bosses) assertEquals(await ask(conn, "flush_all\r\n", "\r\n"), "OK\r\n");
    assertEquals(await ask(readers[3]!, "get a:1\r\n", "END\r\n"), "END\r\n");
    await server.says(/audit: flush_all.*user="boss"/);
    close([...readers, ...bosses]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("threads: shutdown by any connection ends the server", async () => {
  await using server = await ServerProcess.start([...ARGS, "-A"]);
  await exchangeWith(server.port, "shutdown\r\n");
  assertEquals(await server.exit(), 0);
});

Deno.test("threads: a port that another server has, of one thread or several, is not shared with it", async () => {
  for (const threads of ["1", "3"]) {
    await using server = await ServerProcess.start(["-p", "-1", "-t", threads, ...MEMORY]);
    for (const host of ["127.0.0.1", "0.0.0.0"]) {
      const args = ["-p", `${server.port}`, "-l", host, "--insecure", "-t", "2", ...MEMORY];
      const { code, stderr } = await runServer(...args);
      const expected =
        `kvs-server: cannot listen on ${host}:${server.port}: the address is in use\n`;
      assertEquals([code, stderr], [71, expected]);
    }
  }
});

Deno.test("threads: who connects while a server starts is refused or served, and never cut off", async () => {
  const port = freePort();
  const starting = ServerProcess.start(["-p", `${port}`, "-t", "3", ...MEMORY]);
  let served = 0;
  while (served < 5) {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => undefined);
    if (conn === undefined) continue;
    assertMatch(await ask(conn, "version\r\n", "\r\n"), /^VERSION/);
    conn.close();
    served++;
  }
  await using _ = await starting;
});

Deno.test("threads: a server ends well also when a client of one of them does not read what it is sent", async () => {
  await using server = await ServerProcess.start(ARGS);
  const [conn] = await connectAll(server.port, 1);
  const value = "x".repeat(1_000_000);
  await ask(conn!, `set k 0 0 ${value.length}\r\n${value}\r\n`, "\r\n");
  const sending = send(conn!, "get k\r\n".repeat(100)).catch(() => {});
  await conn!.read(new Uint8Array(1));
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
  await sending;
  close([conn!]);
});

Deno.test("threads: behind a shutdown nothing of its connection is run", async () => {
  await using server = await ServerProcess.start([...ARGS, "-A"]);
  assertEquals(
    await exchangeWith(server.port, "shutdown now\r\nshutdown\r\nversion\r\n"),
    "CLIENT_ERROR invalid shutdown mode\r\n",
  );
  assertEquals(await server.exit(), 0);
});
