/** The service as it really is spoken to: over TLS, with credentials. */

import { assert, assertEquals } from "@std/assert";
import net from "node:net";
import tls from "node:tls";
import { makeCertificate } from "../../certificates.ts";
import { bytesOf } from "../../../lib/bytes.ts";
import { systemClock } from "../../../lib/clock.ts";
import { openDiskStore } from "../../../lib/storage/disk/mod.ts";
import { runServer, runServerIn, ServerProcess } from "../../server/process.ts";
import { exchangeWith } from "../../server/wire.ts";
import { TunnelProxy } from "../../tunnel_proxy.ts";
import { callerOf } from "../caller.ts";
import { itemOf } from "../contract.ts";
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

/** A guarded emulator behind TLS, and what a server needs to be told to use it. */
class Service implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly front: Front;
  /** The environment of a server that trusts it. */
  readonly trust: Record<string, string>;
  /** Where it is. */
  address = "";

  private constructor(place: Place, directory: string) {
    this.#stack.use(place);
    this.#stack.use(new Account(place));
    this.front = this.#stack.use(new Front(place, directory));
    this.trust = { DENO_CERT: `${directory}/ca.crt` };
  }

  static async start(): Promise<Service> {
    const directory = await Deno.makeTempDir({ prefix: "kvs-gcs-tls-" });
    await makeCertificate(directory, "subjectAltName=DNS:localhost");
    const service = new Service(await guarded(allRights), directory);
    service.address = `localhost:${await service.front.listen()}`;
    return service;
  }

  get options(): string[] {
    return [
      ...["-p", "-1", "--store", "gcs", "--bucket", "bucket", "--store-timeout", "10s"],
      ...["--gcs-endpoint", `https://${this.address}`],
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

testCredentials("gcs tls: a server trusts only the authorities that it knows", async () => {
  await using service = await Service.start();
  const stranger = await runServer(...service.options);
  assertEquals(stranger.code, 69);
  assert(/certificate|issuer/i.test(stranger.stderr), stranger.stderr);

  await using server = await ServerProcess.start(service.options, service.trust);
  const value = "v".repeat(300_000);
  assertEquals(
    await exchangeWith(
      server.port,
      `set k 7 0 300000\r\n${value}\r\nget k\r\ndelete k\r\nget k\r\n`,
    ),
    `STORED\r\nVALUE k 7 300000\r\n${value}\r\nEND\r\nDELETED\r\nEND\r\n`,
  );
  assertEquals([...service.front.protocols], ["http/1.1"]);
});

testCredentials("gcs tls: a server takes the proxy that its environment names", async () => {
  await using service = await Service.start();
  await using proxy = new TunnelProxy((target) => Number(target.split(":")[1]));
  const proxied = { ...service.trust, HTTPS_PROXY: proxy.url };
  {
    await using server = await ServerProcess.start(service.options, proxied);
    assertEquals(
      await exchangeWith(server.port, "set k 7 0 1\r\nx\r\nget k\r\n"),
      "STORED\r\nVALUE k 7 1\r\nx\r\nEND\r\n",
    );
    assert(proxy.asked.includes(service.address), `${proxy.asked}`);
  }
  proxy.asked.length = 0;
  const direct = { ...proxied, NO_PROXY: "localhost" };
  await using server = await ServerProcess.start(service.options, direct);
  assertEquals(
    await exchangeWith(server.port, "get k\r\n"),
    "VALUE k 7 1\r\nx\r\nEND\r\n",
  );
  assert(!proxy.asked.includes(service.address), `${proxy.asked}`);
});

testCredentials(
  "gcs tls: copies are written and read over HTTP/1.1, and by the proxy that the environment names",
  async () => {
    await using service = await Service.start();
    const endpoint = ["--gcs-endpoint", `https://${service.address}`];
    const copies = "gs://bucket/copies";
    const directory = await Deno.makeTempDir({ prefix: "kvs-gcs-tls-" });
    try {
      const store = await callerOf(openDiskStore({
        ...{ directory: `${directory}/data`, clock: systemClock, memoryLimit: 0, fsync: "no" },
        log: () => {},
      }));
      // More than a part.
      await store.swap(bytesOf("k"), "any", itemOf(new Uint8Array(9 << 20)));
      await store.commit();
      await store.close();
      const to = ["copy", "--once", "--data-dir", `${directory}/data`, "--copy-to", copies];
      const copied = await runServerIn(service.trust, ...to, ...endpoint);
      assertEquals(copied.code, 0, copied.stderr);
      await using proxy = new TunnelProxy((target) => Number(target.split(":")[1]));
      const restore = (env: Record<string, string>, name: string) =>
        runServerIn(
          env,
          ...["restore", "--from", copies, "--data-dir", `${directory}/${name}`, ...endpoint],
        );
      const proxied = { ...service.trust, HTTPS_PROXY: proxy.url };
      const restored = await restore(proxied, "proxied");
      assertEquals(restored.code, 0, restored.stderr);
      // One for what is read whole, and one for what is streamed.
      const asked = () => proxy.asked.filter((target) => target === service.address).length;
      assert(asked() >= 2, `${proxy.asked}`);
      proxy.asked.length = 0;
      const direct = await restore({ ...proxied, NO_PROXY: "localhost,127.0.0.1" }, "direct");
      assertEquals([direct.code, asked()], [0, 0], direct.stderr);
      assertEquals([...service.front.protocols], ["http/1.1"]);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
);
