import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { StoreError } from "../../../lib/errors.ts";
import { makeCertificate, openssl } from "../../certificates.ts";
import { itemOf } from "../contract.ts";
import { freePort } from "../../ports.ts";
import { RedisServer, redisTest } from "./servers.ts";
import { openOn, using } from "./stores.ts";

/** A Redis on TLS, whose certificate names what `names` says. */
async function tlsServer(directory: string, names: string) {
  await makeCertificate(directory, names);
  const port = freePort();
  const server = await new RedisServer([
    ...["--tls-port", `${port}`, "--tls-auth-clients", "no"],
    ...["--tls-cert-file", `${directory}/server.crt`, "--tls-key-file", `${directory}/server.key`],
    ...["--tls-ca-cert-file", `${directory}/ca.crt`],
  ]).start();
  return { server, port, ca: await Deno.readTextFile(`${directory}/ca.crt`) };
}

redisTest("rediss:// speaks TLS, and trusts only the authority that it is given", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kvs-redis-tls-" });
  try {
    const names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
    const { server, port, ca } = await tlsServer(directory, names);
    await using _ = server;
    const k = bytesOf("k");
    for (const host of ["localhost", "127.0.0.1"]) {
      await using store = await using(openOn(server, { urls: [`rediss://${host}:${port}`], ca }));
      const value = new Uint8Array(300_000).fill(7);
      assertEquals(typeof await store.swap(k, "any", itemOf(value)), "bigint");
      assertEquals((await store.read(k))?.value, value);
    }
    await using store = await using(openOn(server, { urls: [`rediss://127.0.0.1:${port}`] }));
    const error = await Promise.resolve(store.read(k)).catch((error) => error);
    assert(error instanceof StoreError && /certificate|issuer/i.test(error.message), `${error}`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

redisTest(
  "a certificate that names no host is taken where only its authority is to be checked",
  async () => {
    const directory = await Deno.makeTempDir({ prefix: "kvs-redis-tls-" });
    try {
      const { server, port, ca } = await tlsServer(directory, "basicConstraints=CA:FALSE");
      await using _ = server;
      const k = bytesOf("k");
      const urls = [`rediss://127.0.0.1:${port}`];
      {
        await using strict = await using(openOn(server, { urls, ca }));
        const error = await Promise.resolve(strict.read(k)).catch((error) => error);
        assert(error instanceof StoreError && /does not match/.test(error.message), `${error}`);
      }
      await using store = await using(openOn(server, { urls, ca, anyName: true }));
      assertEquals(typeof await store.swap(k, "any", itemOf(bytesOf("v"))), "bigint");

      const other = await Deno.makeTempDir({ dir: directory });
      await openssl(
        other,
        ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=another authority"],
        ...["-keyout", "ca.key", "-out", "ca.crt", "-days", "2"],
      );
      const wrong = await Deno.readTextFile(`${other}/ca.crt`);
      await using stranger = await using(openOn(server, { urls, ca: wrong, anyName: true }));
      const error = await Promise.resolve(stranger.read(k)).catch((error) => error);
      assert(error instanceof StoreError && /certificate|issuer/i.test(error.message), `${error}`);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
);
