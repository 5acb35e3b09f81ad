import { assertEquals, assertMatch } from "@std/assert";
import { exporterNames } from "../observe/exporter_names.ts";
import { oddities } from "../../lib/observe/figures/families.ts";
import { readExposition } from "../observe/exposition.ts";
import { runServer, ServerProcess } from "./process.ts";

const HTTP = /http on 127\.0\.0\.1:(\d+)/;

async function httpPort(server: ServerProcess): Promise<number> {
  await server.says(HTTP);
  return Number(HTTP.exec(server.said)![1]);
}

async function text(port: number, path: string): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${port}${path}`)).text();
}

/** Runs a program of Debian's package `prometheus`. */
async function promtool(args: string[], input: string): Promise<{ code: number; said: string }> {
  const child = new Deno.Command("promtool", {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, said: decoder.decode(stdout) + decoder.decode(stderr) };
}

Deno.test("http: promtool objects to nothing but memcached_exporter's own oddities", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await using server = await ServerProcess.start([
      ...["-p", "-1", "--http", "0", "--data-dir", directory],
    ]);
    await using conn = await connected(server.port);
    await conn.ask("set a 0 0 1\r\nx\r\n", "STORED\r\n");
    const { said } = await promtool(
      ["check", "metrics"],
      await text(await httpPort(server), "/metrics"),
    );
    const named = said.trim().split("\n").map((line) => line.split(" ")[0]!);
    assertEquals(named.sort(), [...oddities].sort());
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("http: health is answered while the store is out of reach", async () => {
  // A listener that never answers stands for a Redis that is away.
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using server = ServerProcess.spawn([
    ...["-p", "-1", "--http", "0", "--store", "redis"],
    ...["--redis-url", `redis://127.0.0.1:${silent.addr.port}`, "--store-timeout", "1h"],
  ]);
  const port = await httpPort(server);
  assertEquals(await text(port, "/healthz"), "ok\n");
  assertMatch(await text(port, "/readyz"), /^not ready: starting: /);
  assertMatch(await text(port, "/metrics"), /the store is being opened|Redis/);
});

Deno.test("http: an address beyond this machine is refused before anything is opened", async () => {
  const { code, stderr } = await runServer("--store", "memory", "--http", "0.0.0.0:0");
  assertEquals(code, 64);
  assertMatch(stderr, /^kvs-server: --http 0\.0\.0\.0:0: beyond this machine [^\n]+\n$/);
});

Deno.test("log: with --log-format json each line is an object, that of a start which failed too", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { code, stderr } = await runServer(
    ...["--store", "memory", "-p", String(taken.addr.port), "--log-format", "json"],
  );
  assertEquals(code, 71);
  const lines = stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.at(-1).severity, "ERROR");
  assertMatch(lines.at(-1).message, /cannot listen on .* in use/);
});

Deno.test("log: ready, draining and stopped are lines with figures", async () => {
  await using server = await ServerProcess.start(
    ["-p", "-1", "--store", "memory", "--log-format", "json"],
  );
  await using conn = await connected(server.port);
  await conn.ask("set a 0 0 1\r\nx\r\n", "STORED\r\n");
  server.kill("SIGTERM");
  await server.exit();
  const lines = server.said.trimEnd().split("\n").map((line) => JSON.parse(line));
  const [ready, draining, stopped] = lines;
  assertMatch(ready.message, /: 0 items, 0 bytes, [\d.]+ s$/);
  assertEquals([ready.items, ready.bytes, typeof ready.seconds], [0, 0, "number"]);
  assertEquals([draining.message, draining.connections], ["stopping: SIGTERM, 1 connection", 1]);
  assertMatch(stopped.message, /^stopped: 1 item, \d+ bytes, [\d.]+ s$/);
  assertEquals(stopped.items, 1);
});

Deno.test("log: verbosity changes what is said while the server runs", async () => {
  await using server = await ServerProcess.start(
    ["-p", "-1", "--store", "memory", "--log-level", "error", "--http", "0", "-v"],
  );
  await using conn = await connected(server.port);
  await conn.ask("verbosity 0\r\n", "OK\r\n");
  server.kill("SIGTERM");
  await server.exit();
  assertEquals(server.said.includes("listening on"), true);
  assertEquals(server.said.includes("stopping"), false);
});

for (
  const [name, redirection] of [
    ["is on a full disk", "2>/dev/full"],
    ["goes nowhere, as standard error is closed,", "2>&-"],
    ["goes to a pipe that nobody reads any more", "2>&3 3>&-"],
  ] as const
) {
  Deno.test(`a server whose log ${name} serves as before`, async () => {
    const root = new URL("../../", import.meta.url).pathname;
    const file = await Deno.makeTempFile();
    await Deno.remove(file);
    // The reader of descriptor 3, a pipe, ends before the server starts.
    const run = `exec "$0" run -A --no-check --quiet server.ts -p -1 --store memory -vvv`;
    const server = new Deno.Command("bash", {
      args: ["-c", `exec 3> >(exit 0); wait $!; exec ${redirection}; ${run}`, Deno.execPath()],
      cwd: root,
      env: { MEMCACHED_PORT_FILENAME: file },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const port = await Promise.race([
        portIn(file),
        server.status.then(() => Promise.reject(new Error("the server did not start"))),
      ]);
      await using conn = await connected(port);
      await conn.ask("set a 0 0 1\r\nx\r\n", "STORED\r\n");
      await conn.ask("get a\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n");
    } finally {
      server.kill("SIGTERM");
      assertEquals((await server.status).code, 0);
      await Deno.remove(file).catch(() => {});
    }
  });
}

Deno.test("a real Prometheus scrapes a server, under memcached_exporter's names", async () => {
  const directory = await Deno.makeTempDir();
  await using server = await ServerProcess.start(["-p", "-1", "--store", "memory", "--http", "0"]);
  await using conn = await connected(server.port);
  await conn.ask("set a 0 0 1\r\nx\r\n", "STORED\r\n");
  const target = `127.0.0.1:${await httpPort(server)}`;
  await Deno.writeTextFile(
    `${directory}/prometheus.yml`,
    `global: {scrape_interval: 1s}\nscrape_configs: [{job_name: kvs, static_configs: [{targets: ["${target}"]}]}]\n`,
  );
  using free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = free.addr;
  free.close();
  const prometheus = new Deno.Command("prometheus", {
    args: [
      `--config.file=${directory}/prometheus.yml`,
      `--storage.tsdb.path=${directory}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const query = `http://127.0.0.1:${port}/api/v1/query?query=`;
    const ask = async (what: string) =>
      (await (await fetch(query + encodeURIComponent(what))).json()).data.result;
    await until(async () => (await ask('memcached_current_items{job="kvs"}'))[0]?.value[1] === "1");
    const found = await ask('{job="kvs",__name__=~"memcached_.+"}');
    const names = new Set(
      found.map(({ metric }: { metric: { __name__: string } }) => metric.__name__),
    );
    const optional = (name: string) => name.startsWith("memcached_slab_");
    assertEquals(
      Object.keys(exporterNames).filter((name) => !names.has(name) && !optional(name)),
      [],
    );
    assertEquals((await ask('kvs_store_state{state="ok"}'))[0].value[1], "1");
  } finally {
    prometheus.kill("SIGTERM");
    await prometheus.status;
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("http: metrics of a server that runs can be read back", async () => {
  await using server = await ServerProcess.start(["-p", "-1", "--store", "memory", "--http", "0"]);
  const { values } = readExposition(await text(await httpPort(server), "/metrics"));
  assertEquals(values.get("memcached_up"), 1);
});

/** A connection to the server that asks and checks the answer. */
async function connected(port: number) {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  return {
    async ask(request: string, reply: string): Promise<void> {
      await conn.write(new TextEncoder().encode(request));
      let got = "";
      const bytes = new Uint8Array(4096);
      while (got.length < reply.length) {
        const count = await conn.read(bytes);
        if (count === null) break;
        got += new TextDecoder().decode(bytes.subarray(0, count));
      }
      assertEquals(got, reply);
    },
    [Symbol.asyncDispose](): Promise<void> {
      conn.close();
      return Promise.resolve();
    },
  };
}

/** The port that a server has written into its port file. */
async function portIn(file: string): Promise<number> {
  let port = NaN;
  await until(async () => {
    port = Number(/TCP INET: (\d+)/.exec(await Deno.readTextFile(file))![1]);
    return true;
  });
  return port;
}

/** Waits until something holds; what it throws counts as not yet. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!await holds().catch(() => false)) await new Promise((resolve) => setTimeout(resolve, 50));
}
