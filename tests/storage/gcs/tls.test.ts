/** The service as it really is spoken to: over TLS, with credentials. */

import { assert, assertEquals } from "@std/assert";
import net from "node:net";
import tls from "node:tls";
import { runServer, ServerProcess } from "../../server/process.ts";
import { exchangeWith } from "../../server/wire.ts";
import { makeCertificate } from "../certificates.ts";
import { Account, allRights, guarded, testCredentials } from "./account.ts";
import type { Place } from "./open.ts";

/** TLS before the emulator. */
class Front implements AsyncDisposable {
  /** What the handshakes agreed on. */
  readonly protocols = new Set<string | false | null>();
  readonly #sockets = new Set<net.Socket>();
  readonly #server: tls.Server;

  constructor(place: Place, readonly directory: string) {
    const [key, cert] = ["server.key", "server.crt"].map((name) =>
      Deno.readTextFileSync(`${directory}/${name}`)
    );
    // What the service itself offers.
    const options = { key, cert, ALPNProtocols: ["h2", "http/1.1"] };
    this.#server = tls.createServer(options, (socket) => {
      this.protocols.add(socket.alpnProtocol);
      const behind = net.connect(Number(new URL(place.emulator.endpoint).port), "127.0.0.1");
      for (const [one, other] of [[socket, behind], [behind, socket]]) {
        this.#sockets.add(one);
        one.on("error", () => other.destroy()).on("close", () => other.destroy());
        one.pipe(other);
      }
    });
    this.#server.on("tlsClientError", () => {});
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as net.AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    await Deno.remove(this.directory, { recursive: true });
  }
}

testCredentials(
  "gcs tls: a server speaks it, and trusts only the authorities that it knows",
  async () => {
    await using place = await guarded(allRights);
    using _account = new Account(place);
    const directory = await Deno.makeTempDir({ prefix: "kvs-gcs-tls-" });
    await makeCertificate(directory, "subjectAltName=DNS:localhost");
    await using front = new Front(place, directory);
    const port = await front.listen();
    const store = (host: string) => [
      ...["-p", "-1", "--store", "gcs", "--bucket", "bucket", "--store-timeout", "3s"],
      ...["--gcs-endpoint", `https://${host}:${port}`],
    ];

    const stranger = await runServer(...store("localhost"));
    assertEquals(stranger.code, 69);
    assert(/certificate|issuer/i.test(stranger.stderr), stranger.stderr);

    const trust = { DENO_CERT: `${directory}/ca.crt` };
    await using server = await ServerProcess.start(store("localhost"), trust);
    const value = "v".repeat(300_000);
    assertEquals(
      await exchangeWith(
        server.port,
        `set k 7 0 300000\r\n${value}\r\nget k\r\ndelete k\r\nget k\r\n`,
      ),
      `STORED\r\nVALUE k 7 300000\r\n${value}\r\nEND\r\nDELETED\r\nEND\r\n`,
    );
    assertEquals([...front.protocols], ["http/1.1"]);
  },
);
