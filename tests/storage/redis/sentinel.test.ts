import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { StoreError } from "../../../lib/errors.ts";
import { makeCertificate } from "../../certificates.ts";
import type { Caller } from "../caller.ts";
import { itemOf } from "../contract.ts";
import { sentinelTest, startSentinel, Watched } from "./sentinel.ts";
import { freePort } from "../../ports.ts";
import { RedisServer, until } from "./servers.ts";
import { openOn, using } from "./stores.ts";

const k = bytesOf("k");

async function valueOf(store: Caller): Promise<string | undefined> {
  const item = await store.read(k);
  return item && new TextDecoder().decode(item.value);
}

/** A server's answer; nothing where it ends its connections, as Sentinel tells one to whose role changes. */
function said(server: RedisServer, ...words: string[]): Promise<unknown> {
  return server.command(...words).catch(() => undefined);
}

/** Waits until a swap succeeds. */
async function answersAgain(store: Caller, value: string): Promise<void> {
  await until(
    () => Promise.resolve(store.swap(k, "any", itemOf(value))).then(() => true, () => false),
    "the store does not answer again",
    30_000,
  );
}

sentinelTest("Sentinel: the master is found, and found again when it is killed", async () => {
  await using watched = await new Watched().start();
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  // One seed that is gone, and one that knows the others.
  const urls = [`redis-sentinel://127.0.0.1:${freePort()}/one`, watched.urls[1]];
  await using store = await using(openOn(new RedisServer(), { urls, log }));
  await store.swap(k, "any", itemOf("before"));
  assertEquals(await watched.servers[0].command("GETRANGE", "k", "32", "-1"), "before");
  await until(
    async () => await watched.servers[1].command("GETRANGE", "k", "32", "-1") === "before",
    "the replica has no copy",
  );
  await watched.servers[0].kill("SIGKILL");
  await answersAgain(store, "after");
  assertEquals(await valueOf(store), "after");
  assertEquals(await watched.servers[1].command("GETRANGE", "k", "32", "-1"), "after");
  for (const line of lines) assertMatch(line, /Sentinel's master 'one'/);
  assert(lines.length <= 2, lines.join("\n"));
  // The seed that is left goes too: the others were learnt of it.
  await watched.stopSentinel(1);
  await watched.servers[1].command("CLIENT", "KILL", "TYPE", "normal");
  await answersAgain(store, "again");
});

sentinelTest(
  "Sentinel: a failover by hand is followed, though the old master lives on",
  async () => {
    await using watched = await new Watched().start();
    await using store = await using(openOn(new RedisServer(), { urls: watched.urls }));
    await store.swap(k, "any", itemOf("before"));
    await watched.failOver();
    await until(
      async () => String(await said(watched.servers[1], "INFO")).includes("role:master"),
      "no failover",
      30_000,
    );
    // Until Sentinel has told the old master, it takes writes; they are lost, as Redis says.
    await until(async () => {
      await answersAgain(store, "after");
      return await said(watched.servers[1], "GETRANGE", "k", "32", "-1") === "after";
    }, "the new master is not followed");
  },
);

sentinelTest(
  "Sentinel: one that is cut off does not keep the others from being heard",
  async () => {
    await using server = await new RedisServer().start();
    await using replica = await new RedisServer().start();
    await replica.command("REPLICAOF", "127.0.0.1", `${server.port}`);
    const directory = await Deno.makeTempDir({ prefix: "kvs-sentinel-" });
    // The first knows of no failover: it names what is no master any more, as one that is cut off does.
    for (const old of [freePort(), replica.port]) {
      const ports = [freePort(), freePort()];
      const sentinels = [
        await startSentinel(directory, ports[0], old),
        await startSentinel(directory, ports[1], server.port),
      ];
      try {
        const urls = ports.map((port) => `redis-sentinel://127.0.0.1:${port}/one`);
        await using store = await using(openOn(new RedisServer(), { urls }));
        await answersAgain(store, "v");
        assertEquals(await server.command("GETRANGE", "k", "32", "-1"), "v");
      } finally {
        for (const sentinel of sentinels) {
          sentinel.kill("SIGKILL");
          await sentinel.status;
        }
      }
    }
    await Deno.remove(directory, { recursive: true });
  },
);

sentinelTest(
  "Sentinel: what it does not know, and that none answers, is said in one sentence",
  async () => {
    await using watched = await new Watched().start();
    const said = async (urls: string[]) => {
      await using store = await using(openOn(new RedisServer(), { urls }));
      return (await assertRejects(async () => await store.read(k), StoreError)).message;
    };
    assertMatch(
      await said([`redis-sentinel://127.0.0.1:${watched.ports[0]}/two`]),
      /^Cannot use Redis at Sentinel's master 'two': no Sentinel tells the master 'two' \(.*it watches no master 'two'\)$/,
    );
    assertMatch(
      await said([`redis-sentinel://127.0.0.1:${freePort()}/one`]),
      /no Sentinel tells the master 'one' \(.*ECONNREFUSED.*\)$/,
    );
  },
);

sentinelTest("Sentinel: its own password, Redis's, and an address that is mapped", async () => {
  const watched = new Watched({
    redis: ["--requirepass", "redis secret", "--masterauth", "redis secret"],
    lines: ["requirepass sentinel-secret", 'sentinel auth-pass one "redis secret"'],
  });
  watched.login = ["--no-auth-warning", "-a", "sentinel-secret"];
  await using _watched = watched;
  for (const server of watched.servers) server.login = "redis%20secret";
  await watched.start();
  const [master] = watched.servers;
  const urls = watched.ports.map((port) =>
    `redis-sentinel://:redis%20secret@127.0.0.1:${port}/one`
  );
  const sentinelLogin = "sentinel-secret";
  {
    await using store = await using(openOn(new RedisServer(), { urls, sentinelLogin }));
    await store.swap(k, "any", itemOf("v"));
    assertEquals(await valueOf(store), "v");
  }
  {
    const away = freePort();
    const nat = [`127.0.0.1:${master.port}=127.0.0.1:${away}`];
    await using store = await using(openOn(new RedisServer(), { urls, sentinelLogin, nat }));
    const error = await assertRejects(async () => await store.read(k), StoreError);
    assertMatch(error.message, new RegExp(`ECONNREFUSED.*${away}`));
  }
  await using store = await using(openOn(new RedisServer(), { urls, sentinelLogin: "wrong" }));
  const error = await assertRejects(async () => await store.read(k), StoreError);
  assertMatch(error.message, /no Sentinel tells the master 'one' \(.*(NOAUTH|WRONGPASS).*\)$/);
});

sentinelTest(
  "rediss-sentinel:// speaks TLS to the Sentinel and to Redis, and trusts one authority",
  async () => {
    const directory = await Deno.makeTempDir({ prefix: "kvs-sentinel-tls-" });
    try {
      await makeCertificate(directory, "subjectAltName=IP:127.0.0.1");
      const [redisPort, sentinelPort] = [freePort(), freePort()];
      const files = {
        "tls-cert-file": `${directory}/server.crt`,
        "tls-key-file": `${directory}/server.key`,
        "tls-ca-cert-file": `${directory}/ca.crt`,
        "tls-auth-clients": "no",
      };
      await using server = await new RedisServer([
        ...["--tls-port", `${redisPort}`],
        ...Object.entries(files).flatMap(([name, value]) => [`--${name}`, value]),
      ]).start();
      await Deno.writeTextFile(
        `${directory}/sentinel.conf`,
        [
          "port 0",
          `tls-port ${sentinelPort}`,
          "tls-replication yes",
          "bind 127.0.0.1",
          `dir ${directory}`,
          ...Object.entries(files).map((pair) => pair.join(" ")),
          `sentinel monitor one 127.0.0.1 ${redisPort} 1`,
          "",
        ].join("\n"),
      );
      const sentinel = new Deno.Command("redis-sentinel", {
        args: [`${directory}/sentinel.conf`],
        stdout: "null",
        stderr: "null",
      }).spawn();
      try {
        const ca = await Deno.readTextFile(`${directory}/ca.crt`);
        const urls = [`rediss-sentinel://127.0.0.1:${sentinelPort}/one`];
        await using store = await using(openOn(server, { urls, ca }));
        await answersAgain(store, "by TLS");
        assertEquals(await server.command("GETRANGE", "k", "32", "-1"), "by TLS");
        await using stranger = await using(openOn(server, { urls }));
        const error = await assertRejects(async () => await stranger.read(k), StoreError);
        assertMatch(error.message, /certificate|issuer/i);
      } finally {
        sentinel.kill("SIGKILL");
        await sentinel.status;
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
);
