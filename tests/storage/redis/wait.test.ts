import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { StoreError } from "../../../lib/errors.ts";
import type { Caller } from "../caller.ts";
import { itemOf } from "../contract.ts";
import { RedisCluster, RedisServer, redisTest, until } from "./servers.ts";
import { openOn, using } from "./stores.ts";

/** Stores `before`, as soon as the replica takes part. */
async function prepared(store: Caller): Promise<void> {
  await until(
    () => Promise.resolve(store.swap(k, "any", itemOf("before"))).then(() => true, () => false),
    "the replica takes no part",
  );
}

const k = bytesOf("k");
const TOO_FEW =
  /^0 of the 1 replicas that --redis-wait demands have the change within \d+ ms; it was made, and may be lost$/;

/** A master and its replica. */
async function pair(): Promise<AsyncDisposable & { master: RedisServer; replica: RedisServer }> {
  const master = await new RedisServer().start();
  const replica = await new RedisServer(["--replicaof", `127.0.0.1 ${master.port}`]).start();
  await until(
    async () => /slave0:.*state=online/.test(String(await master.command("INFO", "replication"))),
    "the replica does not come up",
  );
  return {
    master,
    replica,
    async [Symbol.asyncDispose]() {
      await replica[Symbol.asyncDispose]();
      await master[Symbol.asyncDispose]();
    },
  };
}

const CHANGES: [what: string, change: (store: Caller) => unknown][] = [
  ["a plain set", (store) => store.swap(k, "any", itemOf("v"))],
  [
    "a set among others",
    (store) => Promise.all([k, bytesOf("other")].map((key) => store.swap(key, "any", itemOf("v")))),
  ],
  ["a conditional write", (store) => store.swap(bytesOf("other"), "absent", itemOf("v"))],
  ["a delete", (store) => store.swap(k, "any", null)],
  ["a flush", (store) => store.flush(0)],
];

for (const [what, change] of CHANGES) {
  redisTest(
    `--redis-wait 1: ${what} is answered when the replica has it, else it is an error`,
    async () => {
      await using both = await pair();
      const { master, replica } = both;
      await using store = await using(openOn(master, { replicas: 1 }));
      await prepared(store);
      // Whatever was answered is on the replica already.
      assertEquals(await replica.command("GETRANGE", "k", "32", "-1"), "before");
      await replica.kill("SIGSTOP");
      const error = await assertRejects(async () => await change(store), StoreError);
      assert(TOO_FEW.test(error.message), error.message);
      await replica.kill("SIGCONT");
      // It was made, and is not undone.
      const expected = what === "a delete" || what === "a flush" ? undefined : "there";
      const key = what === "a conditional write" ? bytesOf("other") : k;
      const item = await store.read(key);
      assertEquals(item === undefined ? undefined : "there", expected);
      await until(
        () => Promise.resolve(change(store)).then(() => true, () => false),
        "the replica is not waited for any more",
      );
    },
  );
}

redisTest("--redis-wait 1: what changes nothing, and what is read, needs no replica", async () => {
  await using both = await pair();
  await using store = await using(openOn(both.master, { replicas: 1 }));
  await prepared(store);
  await both.replica.kill("SIGKILL");
  assertEquals(await store.swap(k, "absent", itemOf("w")), "exists");
  assertEquals(await store.swap(bytesOf("none"), { cas: 1n }, itemOf("w")), "absent");
  assertEquals((await store.read(k))?.value, itemOf("before").value);
});

redisTest(
  "--redis-wait in a cluster: each master's changes wait for its own replicas",
  async () => {
    await using cluster = await new RedisCluster().start();
    const keys = Array.from({ length: 30 }, (_, i) => bytesOf(`key ${i}`));
    {
      await using store = await using(openOn(cluster, { replicas: 1 }));
      await prepared(store);
      for (const key of keys) {
        assertEquals(typeof await store.swap(key, "any", itemOf("v")), "bigint");
      }
    }
    await using store = await using(openOn(cluster, { replicas: 2 }));
    for (const key of keys.slice(0, 3)) {
      const error = await assertRejects(async () => await store.swap(key, "any", itemOf("w")));
      assertStringIncludes((error as Error).message, "1 of the 2 replicas");
    }
  },
);

redisTest(
  "--redis-wait: a user who may not WAIT is told so before anything is written",
  async () => {
    await using server = await new RedisServer().start();
    await server.command("ACL", "SETUSER", "u", "on", ">p", "~*", "+@all", "-wait");
    const urls = [`redis://u:p@127.0.0.1:${server.port}`];
    await using store = await using(openOn(server, { urls, replicas: 1 }));
    const error = await assertRejects(
      async () => await store.swap(k, "any", itemOf("v")),
      StoreError,
    );
    assertStringIncludes(error.message, "it refuses WAIT 0: NOPERM");
    assertEquals(await server.command("EXISTS", "k"), 0);
  },
);

redisTest(
  "--redis-wait: a connection lost before the replicas answer leaves the change unsure",
  async () => {
    await using both = await pair();
    const { master, replica } = both;
    await using store = await using(openOn(master, { replicas: 1, timeout: 20_000 }));
    await prepared(store);
    await replica.kill("SIGSTOP");
    const swap = assertRejects(async () => await store.swap(k, "any", itemOf("after")), StoreError);
    await until(
      async () => await master.command("GETRANGE", "k", "32", "-1") === "after",
      "the write does not arrive",
    );
    await master.command("CLIENT", "KILL", "TYPE", "normal");
    assertStringIncludes((await swap).message, "a change may or may not have been made");
    await replica.kill("SIGCONT");
  },
);
