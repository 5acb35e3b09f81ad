import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { StoreError } from "../../../lib/errors.ts";
import { makeCertificate } from "../../certificates.ts";
import { itemOf } from "../contract.ts";
import { Proxy } from "./proxy.ts";
import { freePort } from "../../ports.ts";
import { RedisServer, redisTest, until } from "./servers.ts";
import { openOn, using } from "./stores.ts";

const k = bytesOf("k");

redisTest("a Unix socket is a way to Redis, with a password and a database", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kvs-redis-unix-" });
  try {
    const path = `${directory}/redis one.sock`;
    await using server = await new RedisServer(["--unixsocket", path, "--requirepass", "p:w"])
      .start();
    server.login = "p%3Aw";
    const urls = [`unix://:p%3Aw@${directory}/redis%20one.sock?db=2`];
    const lines: string[] = [];
    await using store = await using(openOn(server, { urls, log: (line) => lines.push(line) }));
    await store.swap(k, "any", itemOf("v"));
    assertEquals((await store.read(k))?.value, itemOf("v").value);
    assertEquals(String(await server.command("INFO", "keyspace")).match(/^db\d+/gm), ["db2"]);
    await until(() => store.info().items === 1, "the item is not counted");
    await server.kill("SIGKILL");
    await until(() => lines.length > 0, "nobody says that it is gone");
    assertMatch(lines[0], new RegExp(`^Cannot use Redis at ${path}: `));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

redisTest("a Redis that demands a certificate is shown one, and refuses who has none", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kvs-redis-mtls-" });
  try {
    await makeCertificate(directory, "subjectAltName=IP:127.0.0.1");
    const file = (name: string) => Deno.readTextFileSync(`${directory}/${name}`);
    const port = freePort();
    await using server = await new RedisServer([
      ...["--tls-port", `${port}`, "--tls-auth-clients", "yes"],
      ...[
        "--tls-cert-file",
        `${directory}/server.crt`,
        "--tls-key-file",
        `${directory}/server.key`,
      ],
      ...["--tls-ca-cert-file", `${directory}/ca.crt`],
    ]).start();
    const options = { urls: [`rediss://127.0.0.1:${port}`], ca: file("ca.crt") };
    {
      await using stranger = await using(openOn(server, options));
      const error = await assertRejects(async () => await stranger.read(k), StoreError);
      assertMatch(error.message, /certificate|closed the connection|ECONNRESET|alert/i);
    }
    const identity = { cert: file("server.crt"), key: file("server.key") };
    await using store = await using(openOn(server, { ...options, identity }));
    await store.swap(k, "any", itemOf("v"));
    assertEquals((await store.read(k))?.value, itemOf("v").value);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

redisTest(
  "a cluster behind address translation is reached by the addresses that are mapped",
  async () => {
    // It calls itself by an address of the documentation's, which leads nowhere.
    await using server = await new RedisServer([
      ...["--cluster-enabled", "yes", "--cluster-announce-ip", "192.0.2.1"],
    ]).start();
    await server.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
    await until(
      async () => String(await server.command("CLUSTER", "INFO")).includes("cluster_state:ok"),
      "the cluster does not come up",
    );
    using proxy = new Proxy(server.port);
    const nat = [`192.0.2.1:${server.port}=127.0.0.1:${new URL(proxy.url).port}`];
    await using store = await using(openOn(server, { cluster: true, nat }));
    await store.swap(k, "any", itemOf("v"));
    assertEquals((await store.read(k))?.value, itemOf("v").value);
    assert(proxy.passed > 0, "nothing went by the mapped address");
  },
);
