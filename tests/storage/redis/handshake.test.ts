import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { StoreError } from "../../../lib/errors.ts";
import type { Caller } from "../caller.ts";
import { itemOf } from "../contract.ts";
import { forAllTests, RedisServer, redisTest, until } from "./servers.ts";
import { openOn, using } from "./stores.ts";

const k = bytesOf("k");
const server = new RedisServer();
forAllTests(server);

/** The sentence of a request that fails. */
async function saidBy(store: Caller): Promise<string> {
  const error = await assertRejects(
    async () => await store.swap(k, "any", itemOf("v")),
    StoreError,
  );
  return error.message;
}

/** The address with a user who may do so much. */
async function urlOf(rules: string, path = ""): Promise<string> {
  const user = `u${crypto.randomUUID()}`;
  await server.command("ACL", "SETUSER", user, "on", ">secret", ...rules.split(" "));
  return `redis://${user}:secret@127.0.0.1:${server.port}${path}`;
}

const DENIED: [what: string, rules: string, path: string, said: string][] = [
  ["a database that Redis does not have", "~* +@all", "/99", "it refuses SELECT 99: ERR DB index"],
  ["a user who may not SELECT", "~* +@all -select", "/3", "it refuses SELECT 3: NOPERM"],
  ["a user who may not ask CLIENT ID", "~* +@all -client|id", "", "it refuses CLIENT ID: NOPERM"],
  ["a user who may not CLIENT KILL", "~* +@all -client|kill", "", "it refuses CLIENT KILL: NOPERM"],
];

for (const [what, rules, path, said] of DENIED) {
  redisTest(`${what}: requests fail by that name, and no database has the item`, async () => {
    await server.command("FLUSHALL");
    const urls = [await urlOf(rules, path)];
    const lines: string[] = [];
    await using store = await using(openOn(server, { urls, log: (line) => lines.push(line) }));
    const sentence = await saidBy(store);
    assertStringIncludes(sentence, `Cannot use Redis at 127.0.0.1:${server.port}: ${said}`);
    assertEquals(await saidBy(store), sentence);
    assertEquals(lines.length, 1);
    assertEquals(await server.command("INFO", "keyspace"), "# Keyspace\r\n");
  });
}

redisTest(
  "in a cluster, too, a connection that does not shake hands in full is not used",
  async () => {
    await using cluster = await new RedisServer(["--cluster-enabled", "yes"]).start();
    await cluster.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
    await until(
      async () => String(await cluster.command("CLUSTER", "INFO")).includes("cluster_state:ok"),
      "the cluster does not come up",
    );
    await cluster.command("ACL", "SETUSER", "u", "on", ">p", "~*", "+@all", "-client|id");
    for (
      const [login, said] of [["u:p", "it refuses CLIENT ID"], ["u:q", "user name or password"]]
    ) {
      const urls = [`redis://${login}@127.0.0.1:${cluster.port}`];
      await using store = await using(openOn(cluster, { urls, cluster: true }));
      assertStringIncludes(await saidBy(store), said);
    }
    assertEquals(await cluster.command("DBSIZE"), 0);
  },
);

redisTest("a wrong password, and one that is not asked for, are named and not used", async () => {
  const { username } = new URL(await urlOf("~* +@all"));
  const cases = [
    [`${username}:wrong`, "does not accept the user name or password: WRONGPASS"],
    [":wrong", "it refuses AUTH: ERR AUTH <password> called without any password"],
  ];
  for (const [credentials, said] of cases) {
    const urls = [`redis://${credentials}@127.0.0.1:${server.port}`];
    await using store = await using(openOn(server, { urls }));
    assertStringIncludes(await saidBy(store), said);
    assert(!(await saidBy(store)).includes("wrong"));
  }
});

redisTest("a connection that comes again shakes hands in full before it is used", async () => {
  await server.command("FLUSHALL");
  const urls = [await urlOf("~* +@all", "/3")];
  const user = new URL(urls[0]).username;
  await using store = await using(openOn(server, { urls }));
  await store.swap(k, "any", itemOf("v"));
  await server.command("ACL", "SETUSER", user, "-select");
  await server.command("CLIENT", "KILL", "USER", user);
  await until(
    async () => /it refuses SELECT 3/.test(await saidBy(store)),
    "the new connection is used without its database",
  );
  await server.command("ACL", "SETUSER", user, "+select");
  await until(
    () => Promise.resolve(store.swap(k, "any", itemOf("w"))).then(() => true, () => false),
    "no recovery",
  );
  assertEquals(String(await server.command("INFO", "keyspace")).match(/^db\d+/gm), ["db3"]);
});

redisTest(
  "INFO that is denied or renamed away: the store works, and knows fewer figures",
  async () => {
    await using renamed = await new RedisServer(["--rename-command", "INFO", ""]).start();
    const denied = await urlOf("~* +@all -info");
    for (const [place, urls] of [[server, [denied]], [renamed, [renamed.url]]] as const) {
      const lines: string[] = [];
      const log = (line: string) => lines.push(line);
      await using store = await using(openOn(place, { urls, prefix: "figures:", log }));
      assertEquals(typeof await store.swap(k, "absent", itemOf("v")), "bigint");
      assertEquals((await store.read(k))?.value, itemOf("v").value);
      assertEquals(new Map(store.info().own).get("redis_version"), "unknown");
      assertEquals(lines, []);
    }
  },
);
