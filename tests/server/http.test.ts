import { assertEquals, assertMatch } from "@std/assert";
import { Health } from "../../lib/observe/health.ts";
import { readHttpAddress } from "../../lib/server/http/address.ts";
import { HttpServer } from "../../lib/server/http/http.ts";
import { ExitError } from "../../lib/errors.ts";

const HERE = { host: "127.0.0.1", port: 0 };

/** A server whose metrics are one line, and whose page is `page`. */
function opened(
  health = new Health(),
  bounds?: { connections: number; stalledAfter: number },
  users?: { check(user: Uint8Array, password: Uint8Array): boolean },
) {
  return HttpServer.open(HERE, {
    health,
    metrics: () => "up 1\n",
    users,
    pages: new Map([["/", () => new Response("page")]]),
  }, bounds);
}

async function closing(server: HttpServer, run: (server: HttpServer) => Promise<void>) {
  try {
    await run(server);
  } finally {
    await server.close();
  }
}

/** Sends bytes as they stand and returns all that comes back. */
async function exchange(port: number, request: string): Promise<string> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode(request));
  return await new Response(conn.readable).text();
}

const get = (port: number, path: string, headers = "", host = `127.0.0.1:${port}`) =>
  exchange(port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${headers}\r\n`);

const statusOf = (reply: string) => Number(/^HTTP\/1.1 (\d+)/.exec(reply)?.[1]);

Deno.test("http: an address of another machine's reach is refused, and what is missing is said", () => {
  for (const text of ["0.0.0.0:9150", "10.0.0.1:9150", "[::]:9150", "example.com:1"]) {
    let said = "";
    try {
      readHttpAddress(text);
    } catch (error) {
      said = (error as ExitError).message;
    }
    assertMatch(said, /is not a loopback address; .* needs TLS and users/);
  }
  assertEquals(readHttpAddress("9150"), { host: "127.0.0.1", port: 9150 });
  assertEquals(readHttpAddress("[::1]:1"), { host: "::1", port: 1 });
  assertEquals(readHttpAddress("localhost:1"), { host: "localhost", port: 1 });
});

Deno.test("http: metrics are shown to a request that names this machine", () =>
  closing(opened(), async ({ port }) => {
    assertMatch(
      await get(port, "/metrics"),
      /\r\ncontent-type: text\/plain; version=0\.0\.4.*up 1\n$/s,
    );
    assertEquals(statusOf(await get(port, "/metrics", "", "localhost:9")), 200);
    assertEquals(statusOf(await get(port, "/metrics", "", "[::1]")), 200);
  }));

Deno.test("http: a name that was made to lead here reads nothing", () =>
  closing(opened(), async ({ port }) => {
    for (const path of ["/", "/metrics", "/none"]) {
      assertEquals(statusOf(await get(port, path, "", "evil.example")), 403);
      assertEquals(statusOf(await get(port, path, "", "127.0.0.1.evil.example")), 403);
    }
  }));

Deno.test("http: a page of another site reads nothing", () =>
  closing(opened(), async ({ port }) => {
    const ofPage = (headers: string) => get(port, "/", headers).then(statusOf);
    assertEquals(await ofPage("Origin: http://evil.example\r\n"), 403);
    assertEquals(await ofPage("Origin: null\r\n"), 403);
    assertEquals(await ofPage("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n"), 403);
    assertEquals(await ofPage(`Origin: http://127.0.0.1:${port}\r\n`), 200);
    assertEquals(await ofPage("Sec-Fetch-Site: none\r\n"), 200);
  }));

Deno.test("http: probes are answered whatever Host they send", () =>
  closing(opened(), async ({ port }) => {
    assertEquals(statusOf(await get(port, "/healthz", "", "10.1.2.3:80")), 200);
    assertEquals(statusOf(await get(port, "/readyz", "", "10.1.2.3:80")), 503);
  }));

/** Who is `ann` with the password `a:b` is a user. */
const ann = {
  check: (user: Uint8Array, password: Uint8Array) =>
    new TextDecoder().decode(user) === "ann" && new TextDecoder().decode(password) === "a:b",
};

Deno.test("http: where the server has users, all but the health asks for one", () =>
  closing(opened(new Health(), undefined, ann), async (server) => {
    const { port } = server;
    const as = (pair: string) => `Authorization: Basic ${btoa(pair)}\r\n`;
    for (const path of ["/", "/metrics", "/none"]) {
      const reply = await get(port, path);
      assertEquals([path, statusOf(reply)], [path, 401]);
      assertMatch(reply, /\r\nwww-authenticate: Basic realm="kvs"/i);
    }
    assertEquals(server.gate.denied, 3);
    const wrong = [
      "ann:",
      "ann:a",
      "ann",
      ":a:b",
      "bob:a:b",
      "ann:a:b\0",
      "ann:" + "x".repeat(2000),
    ];
    for (const pair of wrong) assertEquals(statusOf(await get(port, "/", as(pair))), 401);
    assertEquals(statusOf(await get(port, "/", "Authorization: Basic =\r\n")), 401);
    assertEquals(statusOf(await get(port, "/", "Authorization: Bearer YW5uOmE6Yg==\r\n")), 401);
    assertEquals(statusOf(await get(port, "/", as("ann:a:b"))), 200);
    assertEquals(statusOf(await get(port, "/metrics", as("ann:a:b"))), 200);
    assertEquals(statusOf(await get(port, "/healthz")), 200);
    assertEquals(statusOf(await get(port, "/", as("ann:a:b"), "evil.example")), 403);
  }));

Deno.test("http: nothing but GET and HEAD is answered", () =>
  closing(opened(), async ({ port }) => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const reply = await exchange(
        port,
        `${method} /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
      );
      assertEquals(statusOf(reply), 405);
    }
  }));

Deno.test("http: no answer is kept, guessed at or framed", () =>
  closing(opened(), async ({ port }) => {
    const reply = await get(port, "/");
    for (const header of ["cache-control: no-store", "x-content-type-options: nosniff", "DENY"]) {
      assertEquals([header, reply.includes(header)], [header, true]);
    }
    assertEquals(/access-control/i.test(reply), false);
  }));

Deno.test("http: readiness follows the server's life and says why it is not ready", async () => {
  const health = new Health();
  await closing(opened(health), async ({ port }) => {
    health.progress("Reading './data': 40 %, 7 items");
    assertMatch(await get(port, "/readyz"), /503 .*not ready: starting: Reading '.\/data': 40 %/s);
    const own: [string, string][] = [["state", "ok"]];
    health.serve(() => own, "listening");
    assertMatch(await get(port, "/readyz"), /200 OK.*\r\n\r\nready\n$/s);
    own.splice(0, 1, ["state", "full"], ["state_reason", "'./data' is full: no space left"]);
    assertMatch(await get(port, "/readyz"), /503 .*not ready: full: '.\/data' is full: no space/s);
    assertMatch(await get(port, "/healthz"), /200 OK/);
    own.splice(0, 2, ["state", "ok"]);
    assertMatch(await get(port, "/readyz"), /200 OK/);
    health.drain();
    assertMatch(await get(port, "/readyz"), /503 .*not ready: draining/s);
  });
});

Deno.test("http: a client that has sent all it will is answered", () =>
  closing(opened(), async ({ port }) => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(new TextEncoder().encode("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"));
    await conn.closeWrite();
    assertMatch(await new Response(conn.readable).text(), /200 OK.*ok\n$/s);
  }));

Deno.test("http: clients that say nothing, half a request, or never read are dropped", () =>
  closing(opened(new Health(), { connections: 8, stalledAfter: 200 }), async (server) => {
    const requests = [
      "",
      "GET / HTTP/1.1\r\nHost: ",
      "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ];
    for (const request of requests) await exchange(server.port, request);
    assertEquals(server.gate.stalled, requests.length);
    assertEquals(server.gate.size, 0);
  }));

Deno.test("http: one client too many is closed, and those that are there are served on", () =>
  closing(opened(new Health(), { connections: 2, stalledAfter: 60_000 }), async (server) => {
    const { port } = server;
    const open = [];
    for (let i = 0; i < 2; i++) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await conn.write(new TextEncoder().encode("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"));
      await conn.read(new Uint8Array(1000));
      open.push(conn);
    }
    assertEquals(await exchange(port, "").catch(() => ""), "");
    assertEquals(server.gate.refused, 1);
    await open[0]!.write(new TextEncoder().encode("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"));
    const count = await open[0]!.read(new Uint8Array(1000));
    assertEquals(count! > 0, true);
    for (const conn of open) conn.close();
  }));

Deno.test("http: an address in use is said in one line", () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let said = "";
  try {
    HttpServer.open({ host: "127.0.0.1", port: listener.addr.port }, {
      health: new Health(),
      metrics: () => undefined,
      users: undefined,
      pages: new Map(),
    });
  } catch (error) {
    said = (error as ExitError).message;
  }
  assertMatch(said, /^cannot listen on 127\.0\.0\.1:\d+ for --http: the address is in use$/);
});
