/** One request at a time: what comes of it, and that it is never sent twice. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { StoreError } from "../../../lib/errors.ts";
import { Counters } from "../../../lib/storage/gcs/counters.ts";
import { Deadlines } from "../../../lib/storage/gcs/deadlines.ts";
import { type Request, Transport, Unanswered } from "../../../lib/storage/gcs/transport.ts";
import { type HttpHandler, type HttpRequest, HttpServer } from "./emulator/http.ts";
import { sleep, until } from "./open.ts";

const get: Request = { method: "GET", path: "/object" };
const remove: Request = { method: "DELETE", path: "/object?ifGenerationMatch=1" };
const post: Request = {
  method: "POST",
  path: "/upload?name=x",
  contentType: "text/plain",
  body: new TextEncoder().encode("body"),
};

/** A transport, and a server that says what it got. */
class Pair implements AsyncDisposable {
  readonly deadlines = new Deadlines();
  readonly transport: Transport;

  /** @param got what has come to the server. */
  private constructor(
    endpoint: string,
    attempt: number,
    readonly server?: HttpServer,
    readonly got: HttpRequest[] = [],
  ) {
    this.transport = new Transport(endpoint, attempt, undefined, this.deadlines, new Counters());
  }

  static async open(handler: HttpHandler, attempt = 5000): Promise<Pair> {
    const got: HttpRequest[] = [];
    const server = await HttpServer.listen(0, (request) => {
      got.push(request);
      return handler(request);
    });
    return new Pair(`http://127.0.0.1:${server.port}`, attempt, server, got);
  }

  /** A transport to a place where no server of ours is. */
  static to(port: number, attempt = 5000): Pair {
    return new Pair(`http://127.0.0.1:${port}`, attempt);
  }

  send(request: Request) {
    return this.transport.send(request, undefined, performance.now() + 10_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.transport.close();
    this.deadlines.end();
    await this.server?.close();
  }
}

Deno.test("gcs transport: a request arrives as it was meant, and so does its answer", async () => {
  const headers = { "X-Goog-Generation": "17", "x-goog-meta-token": "a b" };
  await using pair = await Pair.open(() => ({ status: 412, headers, body: "no" }));
  const answer = await pair.send(post);
  assertEquals(answer.status, 412);
  assertEquals(answer.headers["x-goog-generation"], "17");
  assertEquals(answer.headers["x-goog-meta-token"], "a b");
  assertEquals(answer.body, new TextEncoder().encode("no"));
  const [request] = pair.got;
  assertEquals(request.method, "POST");
  assertEquals(request.target, "/upload?name=x");
  assertEquals(new Uint8Array(request.body), post.body);
  assertEquals(request.headers.get("content-type"), "text/plain");
  assertEquals(request.headers.get("content-length"), "4");
  assertEquals(request.headers.get("accept-encoding"), "identity");
});

Deno.test("gcs transport: dots and slashes in a path stay, encoded or not", async () => {
  await using pair = await Pair.open(() => ({ status: 204 }));
  for (const path of ["/b/o/a%2F..%2Fb", "/b/a%2F.", "/b/a/%25"]) {
    await pair.send({ method: "GET", path });
    assertEquals(pair.got.pop()?.target, path);
  }
});

Deno.test("gcs transport: answers keep their memory, whatever comes after them", async () => {
  await using pair = await Pair.open(({ target }) => {
    const [, length, byte] = target.split("/").map(Number);
    return { status: 200, body: new Uint8Array(length).fill(byte) };
  });
  const lengths = [0, 1, 100, 5000, 70_000, 1 << 20];
  const wanted = Array.from({ length: 120 }, (_, i) => ({ length: lengths[i % 6], byte: i }));
  const answers = await Promise.all(
    wanted.map(({ length, byte }) => pair.send({ method: "GET", path: `/${length}/${byte}` })),
  );
  for (const [i, { length, byte }] of wanted.entries()) {
    const { body } = answers[i];
    assertEquals(body.length, length);
    assert(body.every((got) => got === byte));
    assertEquals(body.buffer.byteLength, length);
  }
});

for (const request of [get, post, remove]) {
  const { method } = request;

  Deno.test(`gcs transport: ${method} on a connection that dies is unclear, and not sent again`, async () => {
    let breakage: "reset" | "close" | undefined;
    await using pair = await Pair.open(() => breakage ?? { status: 200, body: "x" });
    for (breakage of ["reset", "close"] as const) {
      const now = breakage;
      breakage = undefined;
      await pair.send(request);
      breakage = now;
      pair.got.length = 0;
      const error = await assertRejects(() => pair.send(request), Unanswered);
      assertEquals([error.kind, error.sent], ["broken", true]);
      await sleep(50);
      assertEquals(pair.got.length, 1);
    }
  });

  Deno.test(`gcs transport: ${method} after a kept connection was ended takes another`, async () => {
    await using pair = await Pair.open(() => ({ status: 200, body: "x" }));
    await pair.send(request);
    pair.server!.reset();
    await until(() => pair.server!.connections === 0);
    await sleep(20);
    assertEquals((await pair.send(request)).status, 200);
    assertEquals(pair.got.length, 2);
  });
}

Deno.test("gcs transport: an answer that is cut off is none", async () => {
  await using pair = await Pair.open(() => ({ status: 200, body: "x".repeat(100), cut: true }));
  const error = await assertRejects(() => pair.send(get), Unanswered);
  assertEquals([error.kind, error.sent], ["broken", true]);
});

Deno.test("gcs transport: without an answer in time the connection is given up", async () => {
  let answer = (_: { status: number; body: string }) => {};
  let slow = true;
  await using pair = await Pair.open(
    () => slow ? new Promise((resolve) => answer = resolve) : { status: 200, body: "right" },
    2000,
  );
  const error = await assertRejects(() => pair.send(get), Unanswered);
  assertEquals([error.kind, error.sent], ["silent", true]);
  slow = false;
  answer({ status: 200, body: "wrong" });
  assertEquals(new TextDecoder().decode((await pair.send(get)).body), "right");
});

Deno.test("gcs transport: where nobody listens nothing was sent", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await using pair = Pair.to(port);
  const error = await assertRejects(() => pair.send(post), Unanswered);
  assertEquals([error.kind, error.sent], ["broken", false]);
  assert(error.message.includes("ECONNREFUSED"), error.message);
});

Deno.test("gcs transport: what came to no connection in time is not sent later", async () => {
  // The kernel lets nobody in while as many wait to be accepted as it was told may wait.
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  const { port } = listener.addr;
  const waiting = await Promise.all([1, 2].map(() => Deno.connect({ port })));
  await using pair = Pair.to(port, 200);
  const errors = await Promise.all(
    [post, post].map((request) => assertRejects(() => pair.send(request), Unanswered)),
  );
  for (const { kind, sent } of errors) assertEquals([kind, sent], ["silent", false]);
  for (const conn of waiting) conn.close();
  // Longer than the kernel takes to try again.
  const accepted: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const conn of listener) accepted.push(conn);
  })();
  await sleep(1500);
  listener.close();
  await accepting;
  const bytes = await Promise.all(accepted.map(async (conn) => {
    using _ = conn;
    return await conn.read(new Uint8Array(1));
  }));
  assert(bytes.every((count) => count === null));
});

Deno.test("gcs transport: closed, it ends what is under way and takes no more", async () => {
  await using pair = await Pair.open(() => "stall");
  const sending = assertRejects(() => pair.send(post), Unanswered);
  await until(() => pair.got.length === 1);
  await pair.transport.close();
  assertEquals((await sending).sent, true);
  await assertRejects(() => pair.send(get), Error, "is closed");
});

Deno.test("gcs transport: an answer that is longer than any item is refused before it is taken in", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    const connection = await listener.accept();
    await connection.read(new Uint8Array(4096));
    await connection.write(
      new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\nbegins"),
    );
    // It is over when the other side has ended it.
    while (await connection.read(new Uint8Array(4096)).catch(() => null) !== null);
    connection.close();
  })();
  await using pair = Pair.to((listener.addr as Deno.NetAddr).port);
  await assertRejects(() => pair.send(get), StoreError, "more bytes than an item");
  await serving;
  listener.close();
});
