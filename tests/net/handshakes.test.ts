import { assert, assertEquals } from "@std/assert";
import { Handshakes } from "../../lib/net/tls/handshakes.ts";
import { type Certificates, readCertificates } from "../../lib/net/tls/certificates.ts";
import { type TlsAddress, TlsListener } from "../../lib/net/tls/listener.ts";
import { MutualTlsListener } from "../../lib/net/tls/mutual.ts";
import { makeCertificate } from "../certificates.ts";

Deno.test("of too many handshakes the oldest makes room, and one that has ended counts no more", () => {
  const closed: string[] = [];
  const handshakes = new Handshakes(() => {}, { most: 2 });
  const begin = (name: string) => handshakes.begin(() => void closed.push(name));
  const first = begin("first");
  begin("second");
  first.end();
  begin("third");
  assertEquals([closed, handshakes.size], [[], 2]);
  begin("fourth");
  assertEquals([closed, handshakes.size], [["second"], 2]);
  handshakes.close();
  assertEquals([closed, handshakes.size], [["second", "third", "fourth"], 0]);
});

Deno.test("where there are as many handshakes as may be another one waits: until one ends, or the oldest does not", async () => {
  const handshakes = new Handshakes(() => {}, { most: 2, looks: 3 });
  assertEquals(handshakes.room(), undefined);
  const closed: string[] = [];
  const begin = (name: string) => handshakes.begin(() => void closed.push(name));
  const first = begin("first");
  begin("second");
  const room = handshakes.room();
  first.end();
  await room;
  assertEquals(handshakes.room(), undefined);
  begin("third");
  await handshakes.room();
  assertEquals(closed, []);
  assertEquals(handshakes.room(), undefined);
  begin("fourth");
  assertEquals(closed, ["second"]);
  handshakes.close();
});

for (
  const [kind, open] of [
    ["Deno.listenTls", TlsListener.open],
    [
      "node:tls",
      (address: TlsAddress, certificates: Certificates, handshakes: Handshakes) =>
        MutualTlsListener.open(
          address,
          certificates,
          { peer: "none", onlyTls13: true },
          handshakes,
        ),
    ],
  ] as const
) {
  Deno.test(`clients that connect all together wait for each other, and all come in (${kind})`, async () => {
    const directory = await Deno.makeTempDir();
    try {
      await makeCertificate(directory, "subjectAltName=DNS:localhost");
      const [chain, key] = [`${directory}/server.crt`, `${directory}/server.key`];
      const certificates = readCertificates({ chain, key, ca: undefined });
      let failed = 0;
      const handshakes = new Handshakes(() => failed++, { most: 2, looks: Infinity });
      const address = { hostname: "127.0.0.1", port: 0, backlog: 128 };
      const listener = await open(address, certificates, handshakes);
      const caCerts = [await Deno.readTextFile(`${directory}/ca.crt`)];
      const clients = Array.from({ length: 100 }, async () => {
        const { port } = listener.addr;
        using conn = await Deno.connectTls({ hostname: "localhost", port, caCerts });
        await conn.handshake();
        return await conn.read(new Uint8Array(1));
      });
      for (const _ of clients) {
        const transport = await listener.accept();
        await transport.write(new Uint8Array(1));
        transport.close();
      }
      assertEquals(new Set(await Promise.all(clients)), new Set([1]));
      assertEquals(failed, 0);
      listener.close();
      handshakes.close();
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

Deno.test("a handshake that takes too long is closed, one that has ended is not", async () => {
  const handshakes = new Handshakes(() => {}, { longest: 1 });
  const late = Promise.withResolvers<string>();
  handshakes.begin(() => late.resolve("ended")).end();
  handshakes.begin(() => late.resolve("late"));
  assertEquals(await late.promise, "late");
  assertEquals(handshakes.size, 0);
});

Deno.test("a handshake that has failed leaves nothing behind at a listener that asks for certificates", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await makeCertificate(directory, "subjectAltName=DNS:localhost");
    const script = new URL("failed_handshakes.ts", import.meta.url).pathname;
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--v8-flags=--expose-gc", script, directory, "500"],
    }).output();
    const bytes = Number(new TextDecoder().decode(stdout));
    // The socket with its TLS is 7 KB of the heap, and three times as much beside it.
    assert(bytes < 1000, `${bytes} bytes each ${new TextDecoder().decode(stderr)}`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
