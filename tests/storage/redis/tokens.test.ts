import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { StoreError } from "../../../lib/errors.ts";
import { Credentials } from "../../../lib/storage/google_credentials.ts";
import { MetadataServer, testWithMetadata } from "../metadata_server.ts";
import { itemOf } from "../contract.ts";
import { missing, RedisCluster, RedisServer, until } from "./servers.ts";
import { openOn, using } from "./stores.ts";

const k = bytesOf("k");

/** Lets the user `kvs` in by these tokens, and by no others. */
async function admit(place: RedisServer | RedisCluster, ...tokens: string[]): Promise<void> {
  const nodes = place instanceof RedisCluster ? place.nodes : [place];
  const passwords = tokens.map((token) => `>${token}`);
  for (const node of nodes) {
    await node.command("ACL", "SETUSER", "kvs", "on", "~*", "+@all", "resetpass", ...passwords);
  }
}

/** The addresses with that user, for whom the token is the password. */
function urlsOf(place: RedisServer | RedisCluster): string[] {
  const nodes = place instanceof RedisCluster ? place.nodes : [place];
  return nodes.map((node) => `redis://kvs@127.0.0.1:${node.port}`);
}

for (const kind of ["one Redis", "a cluster"]) {
  testWithMetadata(
    `--redis-auth iam, ${kind}: the token is the password, and a new one is shown on open connections`,
    missing,
    async () => {
      await using metadata = new MetadataServer({ lifetime: 2 });
      const place = kind === "one Redis" ? new RedisServer() : new RedisCluster();
      await using server = await place.start();
      await admit(server, "token-1");
      const lines: string[] = [];
      const log = (line: string) => lines.push(line);
      const tokens = await Credentials.find(log);
      await using store = await using(openOn(server, { urls: urlsOf(server), tokens, log }));
      await store.swap(k, "any", itemOf("v"));
      const node = server instanceof RedisCluster ? server.nodes[0] : server;
      const calls = async () =>
        Number(
          /cmdstat_auth:calls=(\d+)/.exec(String(await node.command("INFO", "commandstats")))?.[1],
        );
      const before = await calls();
      await admit(server, "token-1", "token-2");
      metadata.renew();
      await until(async () => await calls() > before, "nobody logs in again");
      assertEquals(new Map(store.info().own).get("redis_reconnects"), 0);
      assertEquals((await store.read(k))?.value, itemOf("v").value);
      assertEquals(lines, []);
    },
  );
}

testWithMetadata(
  "--redis-auth iam: a token that Redis refuses is named in the reply",
  missing,
  async () => {
    await using _metadata = new MetadataServer({ lifetime: 3600 });
    await using server = await new RedisServer().start();
    await admit(server, "another");
    const tokens = await Credentials.find(() => {});
    await using store = await using(openOn(server, { urls: urlsOf(server), tokens }));
    const error = await assertRejects(async () => await store.read(k), StoreError);
    assertStringIncludes(error.message, "does not accept the user name or password");
    assert(!error.message.includes("token-1"), error.message);
  },
);
