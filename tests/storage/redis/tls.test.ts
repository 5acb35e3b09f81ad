import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { StoreError } from "../../../lib/errors.ts";
import { itemOf } from "../contract.ts";
import { freePort, RedisServer, redisTest } from "./servers.ts";
import { openOn, using } from "./stores.ts";

async function openssl(directory: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, cwd: directory }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

redisTest("rediss:// speaks TLS, and trusts only the authority that it is given", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kvs-redis-tls-" });
  try {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    await openssl(
      directory,
      ...["req", "-x509", ...key, "-days", "2", "-subj", "/CN=test authority"],
      ...["-keyout", "ca.key", "-out", "ca.crt"],
    );
    await openssl(
      directory,
      ...["req", ...key, "-subj", "/CN=redis", "-keyout", "redis.key", "-out", "redis.csr"],
    );
    await Deno.writeTextFile(`${directory}/san`, "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
    await openssl(
      directory,
      ...["x509", "-req", "-in", "redis.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", "2"],
      ...["-CAcreateserial", "-extfile", "san", "-out", "redis.crt"],
    );
    const port = freePort();
    await using server = await new RedisServer([
      ...["--tls-port", `${port}`, "--tls-auth-clients", "no"],
      ...["--tls-cert-file", `${directory}/redis.crt`, "--tls-key-file", `${directory}/redis.key`],
      ...["--tls-ca-cert-file", `${directory}/ca.crt`],
    ]).start();
    const ca = await Deno.readTextFile(`${directory}/ca.crt`);
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
