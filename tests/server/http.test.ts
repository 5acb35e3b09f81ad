import { assertEquals, assertMatch } from "@std/assert";
import type { Users } from "../../lib/commands/context.ts";
import { Right, Rights } from "../../lib/commands/rights.ts";
import { Health } from "../../lib/observe/health.ts";
import { Tls } from "../../lib/net/tls/mod.ts";
import { objectionTo, readHttpAddress } from "../../lib/server/http/address.ts";
import { HttpServer } from "../../lib/server/http/http.ts";
import { ExitError } from "../../lib/errors.ts";
import { makeCertificate } from "../certificates.ts";

const HERE = { host: "127.0.0.1", port: 0 };

/** A server whose metrics are one line, and whose page is `page`. */
function opened(
  health = new Health(),
  bounds?: { connections: number; stalledAfter: number },
  users?: Users,
) {
  return HttpServer.open(HERE, {
    health,
    metrics: () => "up 1\n",
    users,
    pages: new Map([["/", () => new Response("page")]]),
  }, { bounds });
}

async function closing(
  opening: Promise<HttpServer>,
  run: (server: HttpServer) => Promise<void>,
) {
  const server = await opening;
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

const bare = { hasTls: false, hasUsers: false, insecure: false };

Deno.test("http: an address of a network's reach needs TLS and users, or the word that it is meant", () => {
  const missing = (text: string, protection: Partial<typeof bare>) => {
    try {
      readHttpAddress(text, { ...bare, ...protection });
      return undefined;
    } catch (error) {
      return (error as ExitError).message;
    }
  };
  for (const text of ["0.0.0.0:9150", "10.0.0.0:9150", "[::]:9150", "example.com:1"]) {
    assertMatch(missing(text, {})!, /beyond this machine the page needs TLS \(-Z\) and users \(/);
    assertMatch(missing(text, { hasTls: true })!, /needs users \(-Y FILE, --users FILE\), or/);
    assertMatch(missing(text, { hasUsers: true })!, /needs TLS \(-Z\), or --insecure$/);
    assertEquals(missing(text, { hasTls: true, hasUsers: true }), undefined);
    assertEquals(missing(text, { insecure: true }), undefined);
  }
  assertEquals(readHttpAddress("9150", bare), { host: "127.0.0.1", port: 9150 });
  assertEquals(readHttpAddress("[::1]:1", bare), { host: "::1", port: 1 });
  assertEquals(readHttpAddress("localhost:1", bare), { host: "localhost", port: 1 });
});

Deno.test("http: beyond this machine an address is taken for Host, and no name but its own", () => {
  const headers = (host: string, more: Record<string, string> = {}) =>
    new Headers({ host, ...more });
  const clear = { scheme: "http", host: "cache.example" } as const;
  for (const host of ["10.0.0.7:9150", "[fd00::7]", "cache.example:9150", "localhost"]) {
    assertEquals(objectionTo(headers(host), clear), undefined);
  }
  assertMatch(objectionTo(headers("evil.example"), clear)!, /no address of this machine/);
  // With TLS the certificate has told the browser who this is.
  const site = { scheme: "https", host: "0.0.0.0" } as const;
  assertEquals(objectionTo(headers("kvs.example"), site), undefined);
  const origin = (of: string) => objectionTo(headers("kvs.example", { origin: of }), site);
  assertEquals(origin("https://kvs.example"), undefined);
  assertMatch(origin("http://kvs.example")!, /another site/);
  assertMatch(origin("https://evil.example")!, /another site/);
});

Deno.test("http: with TLS the pages are read over it, and by users alone", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await makeCertificate(directory, "subjectAltName=DNS:localhost,IP:127.0.0.1");
    const chain = `${directory}/server.crt`;
    const key = `${directory}/server.key`;
    const tls = new Tls({ chain, key, ca: undefined, onlyTls13: false }, () => {});
    const shown = {
      health: new Health(),
      metrics: () => "up 1\n",
      users: people,
      pages: new Map(),
    };
    const address = { host: "0.0.0.0", port: 0 };
    await closing(HttpServer.open(address, shown, { tls }), async ({ port, scheme }) => {
      assertEquals(scheme, "https");
      using client = Deno.createHttpClient({
        caCerts: [await Deno.readTextFile(`${directory}/ca.crt`)],
      });
      const ask = async (path: string, headers: Record<string, string> = {}) => {
        const response = await fetch(`https://127.0.0.1:${port}${path}`, { client, headers });
        return [response.status, await response.text()];
      };
      assertEquals(await ask("/healthz"), [200, "ok\n"]);
      assertEquals((await ask("/metrics"))[0], 401);
      const authorization = `Basic ${btoa("ann:a:b")}`;
      assertEquals(await ask("/metrics", { authorization }), [200, "up 1\n"]);
      // Who speaks no TLS is told nothing.
      const reply = await get(port, "/healthz").catch(() => "");
      assertEquals(/HTTP|ok/.test(reply), false);
    });
    tls.close();
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
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

/** `ann` with the password `a:b` may do everything, `bob` with `b` may read keys alone. */
const people: Users = {
  check(user, password) {
    const pair = new TextDecoder().decode(user) + " " + new TextDecoder().decode(password);
    if (pair === "ann a:b") return { name: "ann", rights: undefined };
    return pair === "bob b" ? { name: "bob", rights: new Rights(Right.read) } : undefined;
  },
  certified: () => undefined,
};

Deno.test("http: where the server has users, all but the health asks for one", () =>
  closing(opened(new Health(), undefined, people), async (server) => {
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
    assertEquals(statusOf(await get(port, "/metrics", as("bob:b"))), 403);
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

Deno.test("http: an address in use is said in one line", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let said = "";
  try {
    await HttpServer.open({ host: "127.0.0.1", port: listener.addr.port }, {
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
