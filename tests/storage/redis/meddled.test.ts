import { assert, assertEquals, assertRejects } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { StoreError } from "../../../lib/errors.ts";
import { Batch } from "../../../lib/storage/contract.ts";
import { itemOf } from "../contract.ts";
import { Meddler } from "./meddler.ts";
import { forAllTests, RedisServer, redisTest, until } from "./servers.ts";
import { answered, openOn, using } from "./stores.ts";

const k = bytesOf("k");
const server = new RedisServer();
forAllTests(server);
let places = 0;
const newPrefix = () => `m${++places}:`;

/** Told what came of a call, as often as it is told. */
class Told {
  readonly results: unknown[] = [];

  settle(result: unknown): void {
    this.results.push(result);
  }

  fail(error: unknown): void {
    this.results.push(error);
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

redisTest("reads that are asked for one by one are told once what came of them", async () => {
  const isOver = Promise.withResolvers<string>();
  let refused = 0;
  using meddler = new Meddler(server.port, ([name]) => {
    if (name !== "MGET") return undefined;
    // What was asked for in the same write, and behind it, stays without an answer.
    return refused++ === 0 ? "-NOPERM User u has no permissions to run it\r\n" : isOver.promise;
  });
  const urls = [meddler.url];
  await using store = await using(openOn(server, { urls, prefix: newPrefix(), timeout: 800 }));
  let told: Told[] = [];
  await until(async () => {
    refused = 0;
    told = Array.from({ length: 100 }, () => new Told());
    await Promise.resolve(store.read(k)).catch(() => {});
    for (const [i, one] of told.entries()) {
      const key = bytesOf(`key ${i}`);
      store.store.readLater!(key, 0, key.length, new Batch(), false, one);
    }
    await until(() => told.every(({ results }) => results.length > 0), "they are not given up");
    return refused > 1;
  }, "no reads come together");
  isOver.resolve("*0\r\n");
  for (const { results } of told) {
    assertEquals(results.length, 1);
    assert(results[0] instanceof StoreError);
  }
});

redisTest("while the ledger takes longer than it is relied on, requests are answered", async () => {
  let isSlow = false;
  using meddler = new Meddler(server.port, async ([name]) => {
    if (isSlow && name === "EVALSHA") await sleep(1000);
    return undefined;
  });
  const urls = [meddler.url];
  await using store = await using(openOn(server, { urls, prefix: newPrefix() }));
  isSlow = true;
  await sleep(1000);
  let value: unknown;
  const swapped = Promise.resolve(store.swap(k, "any", itemOf("v"))).then((it) => value = it);
  await until(() => typeof value === "bigint", "no answer", 20_000);
  await swapped;
  isSlow = false;
});

redisTest("a request that waits for the ledger is given up like any other", async () => {
  let isSlow = false;
  using meddler = new Meddler(server.port, async ([name]) => {
    if (isSlow && name === "EVALSHA") await sleep(1500);
    return undefined;
  });
  const urls = [meddler.url];
  await using store = await using(openOn(server, { urls, prefix: newPrefix(), timeout: 1000 }));
  isSlow = true;
  await sleep(1000);
  await assertRejects(async () => await store.read(k), StoreError, "did not answer within 1000 ms");
  isSlow = false;
});

redisTest("what goes away while it is listed is not listed", async () => {
  const prefix = newPrefix();
  using meddler = new Meddler(server.port, async ([name, key]) => {
    if (name === "STRLEN" && key.endsWith(":gone")) await server.command("DEL", key);
    if (name === "STRLEN" && key.endsWith(":list")) {
      await server.command("DEL", key);
      await server.command("RPUSH", key, "x");
    }
    return undefined;
  });
  await using store = await using(openOn(server, { urls: [meddler.url], prefix }));
  for (const key of ["gone", "list", "here"]) {
    await store.swap(bytesOf(key), "any", itemOf("value"));
  }
  const listed: [string, number][] = [];
  for await (const group of store.scan()) {
    for (const { key, size } of group) listed.push([new TextDecoder().decode(key), size]);
  }
  assertEquals(listed, [["here", 5]]);
});

redisTest(
  "a listing whose Redis is another one midway fails, and does not leave items out",
  async () => {
    await using other = await new RedisServer().start();
    using meddler = new Meddler(server.port);
    const prefix = newPrefix();
    await using store = await using(openOn(server, { urls: [meddler.url], prefix }));
    const keys = Array.from({ length: 2000 }, (_, i) => bytesOf(`key ${i}`));
    await Promise.all(keys.map((key) => store.swap(key, "any", itemOf("v"))));
    await other.command("REPLICAOF", "127.0.0.1", `${server.port}`);
    await until(
      async () => String(await other.command("INFO")).includes("master_link_status:up"),
      "the replica does not come up",
    );
    await other.command("REPLICAOF", "NO", "ONE");
    let isOther = false;
    await assertRejects(
      async () => {
        for await (const group of store.scan()) {
          if (isOther || group.length === 0) continue;
          isOther = true;
          meddler.target = other.port;
          meddler.cut();
          await until(
            () => Promise.resolve(store.read(k)).then(() => true, () => false),
            "no answer",
          );
        }
      },
      StoreError,
      "another Redis",
    );
  },
);

redisTest("after a failover that has lost the ledger a flush holds on every server", async () => {
  const prefix = newPrefix();
  await using other = await new RedisServer().start();
  let asks: Promise<undefined> | undefined = undefined;
  using meddler = new Meddler(server.port, ([name]) => name!.startsWith("EVAL") ? asks : undefined);
  await using store = await using(openOn(server, { urls: [meddler.url], prefix }));
  await store.swap(k, "any", itemOf("v"));
  await other.command("REPLICAOF", "127.0.0.1", `${server.port}`);
  await until(
    async () => String(await other.command("INFO")).includes("master_link_status:up"),
    "the replica does not come up",
  );
  await other.command("REPLICAOF", "NO", "ONE");
  // It lagged behind: of the first server it knows nothing.
  await other.command("DEL", prefix);
  await using second = await using(openOn(other, { prefix }));
  await answered(() => store.read(k));
  const isOver = Promise.withResolvers<undefined>();
  asks = isOver.promise;
  meddler.target = other.port;
  meddler.cut();
  await second.flush(0);
  const reading = answered(() => store.read(k));
  const writing = answered(() => store.swap(bytesOf("new"), "any", itemOf("w")));
  await sleep(300);
  isOver.resolve(undefined);
  assertEquals(await reading, undefined);
  assertEquals(typeof await writing, "bigint");
  assertEquals((await second.read(bytesOf("new")))?.value, itemOf("w").value);
  assertEquals((await store.read(bytesOf("new")))?.value, itemOf("w").value);
});

const REFUSALS = {
  "a replica before Redis 7": "-ERR Error running script (call to f_0): @user_script:4: " +
    "@user_script: 4: -READONLY You can't write against a read only replica.\r\n",
  "a replica that has lost its master":
    "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
};

for (const [what, refusal] of Object.entries(REFUSALS)) {
  redisTest(`what has become ${what} is left for what its name leads to now`, async () => {
    let isReplica = false;
    using meddler = new Meddler(
      server.port,
      ([name]) => isReplica && name === "EVALSHA" ? refusal : undefined,
    );
    await using store = await using(openOn(server, { urls: [meddler.url], prefix: newPrefix() }));
    await answered(() => store.swap(k, "any", itemOf("v")));
    const before = meddler.connections;
    isReplica = true;
    await until(() => meddler.connections > before, "the connection is kept", 20_000);
    isReplica = false;
    await answered(() => store.read(k));
  });
}

/** A Redis Cluster of one node. */
async function smallestCluster(): Promise<RedisServer> {
  const node = await new RedisServer(
    ["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"],
  ).start();
  await node.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
  await until(
    async () => String(await node.command("CLUSTER", "INFO")).includes("cluster_state:ok"),
    "the cluster does not come up",
  );
  return node;
}

redisTest("a seed that is in no cluster any more is passed over for one that is", async () => {
  await using node = await smallestCluster();
  await using gone = await new RedisServer(["--cluster-enabled", "yes"]).start();
  await using store = await using(
    openOn(node, { urls: [gone.url, node.url], cluster: true, prefix: newPrefix() }),
  );
  assertEquals(typeof await store.swap(k, "any", itemOf("v")), "bigint");
  const lines: string[] = [];
  await using alone = await using(
    openOn(gone, { cluster: true, timeout: 2000, log: (line) => lines.push(line) }),
  );
  await assertRejects(async () => await alone.read(k), StoreError, "knows no slots");
  assertEquals(lines.length, 1, lines.join("\n"));
});

redisTest("a redirection to a node whose name is not known is followed", async () => {
  await using node = await smallestCluster();
  let redirections = 0;
  using meddler = new Meddler(node.port, ([name]) => {
    if (name !== "GET" || redirections++ > 0) return undefined;
    return `-MOVED 1 ?:${node.port}\r\n`;
  });
  const nat = [`127.0.0.1:${node.port}=127.0.0.1:${meddler.port}`];
  await using store = await using(
    openOn(node, { urls: [meddler.url], cluster: true, prefix: newPrefix(), nat }),
  );
  assertEquals(await store.read(k), undefined);
  assert(redirections > 0);
});

redisTest(
  "nodes that go on to disagree on a slot are told from a cluster that was not named",
  async () => {
    await using node = await smallestCluster();
    using meddler = new Meddler(
      node.port,
      ([name]) => name === "GET" ? `-MOVED 1 127.0.0.1:${node.port}\r\n` : undefined,
    );
    const nat = [`127.0.0.1:${node.port}=127.0.0.1:${meddler.port}`];
    const prefix = newPrefix();
    await using store = await using(
      openOn(node, { urls: [meddler.url], cluster: true, prefix, nat, timeout: 1000 }),
    );
    await until(
      () =>
        Promise.resolve(store.read(k)).catch((error) =>
          /cluster disagree on a slot: MOVED/.test(error)
        ),
      "it is not told",
    );
  },
);
