import { assert, assertEquals } from "@std/assert";
import { ServerProcess } from "../server/process.ts";
import { receiveUntil, send } from "../server/wire.ts";
import { Emulator } from "../storage/gcs/emulator/mod.ts";
import { RedisServer, redisTest } from "../storage/redis/servers.ts";
import { Chromium } from "./browser.ts";

const HTTP = /http on (127\.0\.0\.1:\d+)/;

async function pageOf(server: ServerProcess): Promise<string> {
  await server.says(HTTP);
  return `http://${HTTP.exec(server.said)![1]}/`;
}

/** Load from real clients, until it is disposed of. */
function load(server: ServerProcess): AsyncDisposable {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--quiet", "multiclient.ts"],
      ...["4", "-s", `127.0.0.1:${server.port}`, "--duration", "1h"],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

Deno.test("live page: it shows what clients do, and says so when the server is gone", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await using browser = await Chromium.start();
    await using server = await ServerProcess.start(
      ["-p", "-1", "--http", "0", "--data-dir", directory],
    );
    const url = await pageOf(server);
    await using _load = load(server);
    for (const width of [1280, 400]) {
      for (const colours of ["light", "dark"] as const) {
        const watched = await browser.page(url, { width, colours });
        await watched.reads("#state li.good", /Serving/);
        await watched.reads('[data-name="operations"] dd', /^[\d,.]*[1-9]/);
        await watched.reads('[data-name="p99"] dd', /ms$/);
        await watched.reads("#bounds li", /^connections[1-9]\d* of 1,024$/);
        await watched.reads("#talkers td", /^tcp:127\.0\.0\.1:\d+$/);
        await watched.reads("#log li", /listening on/);
        await watched.reads("figcaption", /^Operations a second$/);
        const scrolls = await watched.page.evaluate(
          "document.documentElement.scrollWidth > document.documentElement.clientWidth",
        );
        assertEquals([width, colours, scrolls], [width, colours, false]);
        assertEquals(watched.errors, []);
        assertEquals(watched.requests.filter((request) => !request.startsWith(url)), []);
      }
    }
    const watched = await browser.page(url);
    await watched.reads("#state li.good", /Serving/);
    server.kill("SIGKILL");
    await watched.reads("#state li.critical", /No answer from the server.*Look at the process/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("live page: a full disk is said, with what to do", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await using browser = await Chromium.start();
    await using server = await ServerProcess.start(
      ["-p", "-1", "--http", "0", "--data-dir", directory, "--max-disk", "4m"],
    );
    const watched = await browser.page(await pageOf(server));
    await watched.reads("#state li.good", /Serving/);
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const value = "x".repeat(100_000);
    const answers = conn.readable.pipeThrough(new TextDecoderStream()).getReader();
    for (let i = 0, answer = ""; !answer.includes("out of memory"); i++) {
      const request = new TextEncoder().encode(`set k${i} 0 0 100000\r\n${value}\r\n`);
      for (let sent = 0; sent < request.length;) sent += await conn.write(request.subarray(sent));
      answer = (await answers.read()).value ?? "out of memory";
    }
    await watched.reads("#state li.critical", /Full: .* is full: .*Make room on the disk/);
    assertEquals(watched.errors, []);
    await answers.cancel().catch(() => {});
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

redisTest(
  "live page: a Redis that stands still or is gone is said, and that it is back",
  async () => {
    await using redis = new RedisServer();
    await redis.start();
    await using browser = await Chromium.start();
    await using server = await ServerProcess.start([
      ...["-p", "-1", "--http", "0", "--store", "redis", "--redis-url", redis.url],
      ...["--store-timeout", "1s"],
    ]);
    const watched = await browser.page(await pageOf(server));
    await watched.reads("#state li.good", /Serving/);
    await redis.kill("SIGSTOP");
    await watched.reads("#state li.critical", /Away: .*Check the network/);
    await redis.kill("SIGCONT");
    await watched.reads("#state li.good", /Serving/);
    await redis.kill("SIGKILL");
    await watched.reads("#state li.critical", /Away: .*Check the network/);
    await redis.start();
    await watched.reads("#state li.good", /Serving/);
    assertEquals(watched.errors, []);
  },
);

Deno.test("live page: it is one file of a few hundred kilobytes that asks for nothing elsewhere", async () => {
  await using server = await ServerProcess.start(["-p", "-1", "--http", "0", "--store", "memory"]);
  const response = await fetch(await pageOf(server));
  const policy = response.headers.get("content-security-policy")!;
  const text = await response.text();
  assert(text.length < 300_000);
  assertEquals(/<(script|link|img)[^>]+(src|href)="(?!data:)/.exec(text), null);
  assert(policy.startsWith("default-src 'none'; connect-src 'self'; "));
});

Deno.test("live page: a bucket that cannot be reached is said, with what is asked of it", async () => {
  const emulator = await Emulator.start();
  let isThere = true;
  try {
    await using browser = await Chromium.start();
    await using server = await ServerProcess.start([
      ...["-p", "-1", "--http", "0", "--store", "gcs", "--bucket", "bucket"],
      ...["--gcs-endpoint", emulator.endpoint, "--store-timeout", "1s"],
    ]);
    const watched = await browser.page(await pageOf(server));
    await watched.reads("#state li.good", /Serving/);
    await watched.reads('[data-name="inFlight"] dd', /^\d/);
    await watched.reads("figcaption", /^Requests a second$/);
    await emulator[Symbol.asyncDispose]();
    isThere = false;
    await watched.reads("#state li.critical", /Away: .*Check the network/);
    assertEquals(watched.errors, []);
  } finally {
    if (isThere) await emulator[Symbol.asyncDispose]();
  }
});

Deno.test("live page: talkers are shown by bytes or by requests", async () => {
  await using browser = await Chromium.start();
  await using server = await ServerProcess.start(["-p", "-1", "--http", "0", "--store", "memory"]);
  const watched = await browser.page(await pageOf(server));
  using loud = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  using busy = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await send(loud, `set big 0 0 100000\r\n${"x".repeat(100_000)}\r\n`);
  await receiveUntil(loud, "STORED\r\n");
  await send(busy, "get none\r\n".repeat(500) + "mn\r\n");
  await receiveUntil(busy, "MN\r\n");
  const first = "#talkers tr:first-child td:first-child";
  const nameOf = (conn: Deno.TcpConn) => `tcp:127.0.0.1:${(conn.localAddr as Deno.NetAddr).port}`;
  await watched.reads(first, new RegExp(`^${nameOf(loud)}$`));
  await watched.page.locator('input[value="requests"]').check();
  await watched.reads(first, new RegExp(`^${nameOf(busy)}$`));
  await watched.reads("#talkers tr:first-child td:nth-child(4)", /^501$/);
});

Deno.test("live page: with a password file it asks for a user, and shows nothing without one", async () => {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, "ann:secret\n");
  try {
    await using browser = await Chromium.start();
    await using server = await ServerProcess.start(
      ["-p", "-1", "--http", "0", "--store", "memory", "-Y", file],
    );
    const url = await pageOf(server);
    for (const path of ["", "history", "events", "log", "metrics"]) {
      const response = await fetch(url + path);
      assertEquals([path, response.status], [path, 401]);
      assertEquals(await response.text(), "a user and a password are needed\n");
    }
    assertEquals((await fetch(`${url}readyz`)).status, 200);
    const watched = await browser.page(url, { user: { username: "ann", password: "secret" } });
    await watched.reads("#state li.good", /Serving/);
    await watched.reads("figcaption", /^Operations a second$/);
  } finally {
    await Deno.remove(file);
  }
});
