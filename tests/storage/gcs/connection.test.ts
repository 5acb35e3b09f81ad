import { assert, assertEquals, assertRejects } from "@std/assert";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { Connection } from "../../../lib/storage/gcs/connection.ts";
import { until } from "./open.ts";

const answer = bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
const request = bytesOf("GET / HTTP/1.1\r\n\r\n");

/** Both ends of a connection. */
async function pair(): Promise<{ service: Deno.TcpConn; connection: Connection } & Disposable> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const signal = new AbortController().signal;
  const [service, connection] = await Promise.all([
    listener.accept(),
    Connection.to({ hostname: "127.0.0.1", port, tls: false }, signal),
  ]);
  return {
    service,
    connection,
    [Symbol.dispose]: () => {
      connection.close();
      try {
        service.close();
      } catch {
        // The test has closed it.
      }
    },
  };
}

Deno.test("gcs connection: serves one request after another", async () => {
  using ends = await pair();
  const { service, connection } = ends;
  const received = new Uint8Array(100);
  for (let i = 0; i < 3; i++) {
    const answered = connection.send(request, undefined);
    assertEquals(connection.isFree, false);
    assertEquals(await service.read(received), request.length);
    await service.write(answer);
    assertEquals(binaryString((await answered).body), "ok");
    assertEquals(connection.isFree, true);
  }
});

Deno.test("gcs connection: knows at once when the service closes it while nobody uses it", async () => {
  using ends = await pair();
  ends.service.close();
  await until(() => !ends.connection.isFree);
});

Deno.test("gcs connection: takes no answer that was not asked for", async () => {
  using ends = await pair();
  await ends.service.write(answer);
  await until(() => !ends.connection.isFree);
});

Deno.test("gcs connection: a service that closes it in the middle of an answer is an error", async () => {
  using ends = await pair();
  const answered = ends.connection.send(request, undefined);
  await ends.service.write(answer.subarray(0, answer.length - 1));
  ends.service.close();
  await assertRejects(() => answered, Error, "closed before the whole answer");
});

Deno.test("gcs connection: an answer that comes before the whole request is one, and the last", async () => {
  using ends = await pair();
  const answered = ends.connection.send(request, new Uint8Array(64 << 20));
  await ends.service.write(answer);
  assertEquals((await answered).status, 200);
  assertEquals(ends.connection.isFree, false);
});

Deno.test("gcs connection: who gives it up gets an error, and the service sees its end", async () => {
  using ends = await pair();
  const answered = ends.connection.send(request, undefined);
  ends.connection.close();
  await assertRejects(() => answered, Error, "given up");
  const received = new Uint8Array(100);
  while (await ends.service.read(received) !== null);
});

for (const tls of [false, true]) {
  Deno.test(`gcs connection: is given up while it is made (${tls ? "TLS" : "TCP"})`, async () => {
    // It takes connections and says nothing.
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const accepting = listener.accept();
    const controller = new AbortController();
    const { port } = listener.addr;
    const address = { hostname: "127.0.0.1", port, tls };
    const making = Connection.to(address, controller.signal);
    if (tls) {
      using service = await accepting;
      // The first of the handshake is there, so the rest is waited for.
      await service.read(new Uint8Array(1));
      controller.abort();
      await assertRejects(() => making);
    } else {
      controller.abort();
      await assertRejects(() => making);
      await Deno.connect(address).then((conn) => conn.close());
      (await accepting).close();
    }
  });
}

/** A service that speaks TLS with a certificate of an authority of its own. */
class TlsService implements AsyncDisposable {
  readonly authority: string;
  readonly #listener: Deno.TlsListener;

  private constructor(readonly directory: string) {
    this.authority = `${directory}/authority.pem`;
    const cert = Deno.readTextFileSync(`${directory}/server.pem`);
    const key = Deno.readTextFileSync(`${directory}/server.key`);
    this.#listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
    void this.#serve();
  }

  static async start(): Promise<TlsService> {
    const directory = await Deno.makeTempDir();
    const openssl = async (...args: string[]) => {
      const { success, stderr } = await new Deno.Command("openssl", { args, cwd: directory })
        .output();
      assert(success, new TextDecoder().decode(stderr));
    };
    const fresh = ["-newkey", "rsa:2048", "-nodes"];
    await openssl(
      ...["req", "-x509", ...fresh, "-days", "2", "-subj", "/CN=authority"],
      ...["-keyout", "authority.key", "-out", "authority.pem"],
    );
    await openssl(
      ...["req", ...fresh, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"],
    );
    await Deno.writeTextFile(`${directory}/extensions`, "subjectAltName=DNS:localhost");
    await openssl(
      ...["x509", "-req", "-in", "server.csr", "-days", "2", "-extfile", "extensions"],
      ...["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial"],
      ...["-out", "server.pem"],
    );
    return new TlsService(directory);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async #serve(): Promise<void> {
    for await (const conn of this.#listener) {
      const received = new Uint8Array(1000);
      try {
        while (await conn.read(received) !== null) await conn.write(answer);
      } catch {
        // The client did not trust the certificate.
      }
      conn.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await Deno.remove(this.directory, { recursive: true });
  }
}

Deno.test("gcs connection: speaks TLS, and trusts only whom Deno trusts", async () => {
  await using service = await TlsService.start();
  const module = new URL("../../../lib/storage/gcs/connection.ts", import.meta.url);
  const script = `
    const { Connection } = await import("${module}");
    const address = { hostname: "localhost", port: ${service.port}, tls: true };
    const connection = await Connection.to(address, new AbortController().signal);
    const request = new TextEncoder().encode("GET / HTTP/1.1\\r\\n\\r\\n");
    for (let i = 0; i < 2; i++) console.log((await connection.send(request)).status);
    connection.close();`;
  const ask = async (...trust: string[]) => {
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-lock", ...trust, script],
      env: { NO_COLOR: "1" },
    }).output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  };
  assertEquals(await ask("--cert", service.authority), "200\n200\n");
  assert((await ask()).includes("invalid peer certificate"));
});
