import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { StoreError } from "../../../lib/errors.ts";
import { slotOf } from "../../../lib/storage/redis/slots.ts";
import { itemOf } from "../contract.ts";
import { assertCoherent } from "./coherence.ts";
import { forAllTests, RedisCluster, RedisServer, redisTest, until } from "./servers.ts";
import { openOn, testContractOn, using } from "./stores.ts";
import type { Caller } from "../caller.ts";

const cluster = new RedisCluster();
forAllTests(cluster);
testContractOn("Redis Cluster", cluster);

const keys = Array.from({ length: 60 }, (_, i) => bytesOf(`key ${i}`));

/** The value of every key, all asked for in one turn; errors count by their text. */
async function readAll(store: Caller): Promise<{ values: Map<string, string>; errors: string[] }> {
  const values = new Map<string, string>();
  const errors: string[] = [];
  await Promise.all(keys.map(async (key) => {
    try {
      const item = await store.read(key);
      const name = new TextDecoder().decode(key);
      if (item !== undefined) values.set(name, new TextDecoder().decode(item.value));
    } catch (error) {
      assert(error instanceof StoreError, `${error}`);
      errors.push(error.message);
    }
  }));
  return { values, errors };
}

async function fill(store: Caller): Promise<void> {
  for (const key of keys) {
    await store.swap(key, "any", itemOf(`value of ${new TextDecoder().decode(key)}`));
  }
}

/** The number that follows a name in the lines of `INFO replication`. */
const numberOf = (text: string, name: RegExp) => Number(name.exec(text)?.[1] ?? NaN);

/** Waits until what was written so far is on the replicas. */
async function replicated(): Promise<void> {
  // How far each was when it was looked at first.
  const written = new Map<number, number>();
  await until(async () => {
    // Looked up anew: a master of old may be another's replica by now.
    const masters = (await nodes()).filter(({ flags, slots }) =>
      flags.includes("master") && slots.length > 0
    );
    const follow = await Promise.all(masters.map(async ({ port }) => {
      const info = String(await serverAt(port).command("INFO", "replication"));
      const offset = numberOf(info, /^master_repl_offset:(\d+)/m);
      if (!written.has(port)) written.set(port, offset);
      return numberOf(info, /^slave0:.*offset=(\d+)/m) >= written.get(port)!;
    }));
    return follow.every((does) => does);
  }, "the replicas do not follow");
}

function assertAll(values: Map<string, string>): void {
  assertEquals(values.size, keys.length);
  for (const [name, value] of values) assertEquals(value, `value of ${name}`);
}

/** A line of `CLUSTER NODES`. */
interface Node {
  readonly id: string;
  readonly port: number;
  readonly flags: string;
  readonly slots: readonly string[];
}

/** The cluster's nodes as `CLUSTER NODES` lists them, from one that answers. */
async function nodes(): Promise<Node[]> {
  for (const node of cluster.nodes) {
    try {
      const text = await node.command("CLUSTER", "NODES") as string;
      return text.trim().split("\n").map((line) => {
        const [id, address, flags, , , , , , ...slots] = line.split(" ");
        return { id, port: Number(/:(\d+)@/.exec(address)![1]), flags, slots };
      });
    } catch {
      continue;
    }
  }
  throw new Error("no node answers");
}

async function masterOf(slot: number): Promise<Node> {
  return (await nodes()).find((node) =>
    node.slots.some((range) => {
      const [first, last = first] = range.split("-").map(Number);
      return first <= slot && slot <= last;
    })
  )!;
}

/** Waits for Redis's own part: to find the master dead, and to vote for its replica. */
async function promoted(master: Node): Promise<void> {
  const rest = cluster.nodes.filter((node) => node.port !== master.port);
  await until(async () => {
    const states = await Promise.all(rest.map((node) => node.command("CLUSTER", "NODES")));
    return states.every((state) => /master,fail /.test(String(state))) &&
      String(await rest[0].command("CLUSTER", "INFO")).includes("cluster_state:ok");
  }, "no replica is promoted");
}

const serverAt = (port: number) => cluster.nodes.find((node) => node.port === port)!;

redisTest(
  "Redis Cluster: keys of all masters are read in one turn, each from its own",
  async () => {
    await using store = await using(openOn(cluster, { prefix: "spread:" }));
    await fill(store);
    const before = new Map(store.info().own).get("redis_writes") as number;
    assertAll((await readAll(store)).values);
    const own = new Map(store.info().own);
    assertEquals(own.get("redis_nodes_ready"), 3);
    // One write for each master; the ledger may have asked in the same moment.
    assert(own.get("redis_writes") as number - before <= 5);
    assertEquals(own.get("redis_redirections"), 0);
  },
);

redisTest(
  "Redis Cluster: two servers with 64 workers each lose nothing",
  () => assertCoherent(cluster),
);

redisTest("Redis Cluster: a slot that moves is followed, with ASK and with MOVED", async () => {
  const prefix = "moving:";
  await using store = await using(openOn(cluster, { prefix }));
  await fill(store);
  const key = keys[7];
  const slot = slotOf(bytesOf(`${prefix}${new TextDecoder().decode(key)}`));
  const from = await masterOf(slot);
  const to = (await nodes()).find((node) => node.flags.includes("master") && node.id !== from.id)!;
  await serverAt(to.port).command("CLUSTER", "SETSLOT", `${slot}`, "IMPORTING", from.id);
  await serverAt(from.port).command("CLUSTER", "SETSLOT", `${slot}`, "MIGRATING", to.id);
  const names = await serverAt(from.port).command("CLUSTER", "GETKEYSINSLOT", `${slot}`, "1000");
  for (const name of names as string[]) {
    await serverAt(from.port)
      .command("MIGRATE", "127.0.0.1", `${to.port}`, name, "0", "5000");
  }
  assertAll((await readAll(store)).values);
  const item = (await store.read(key))!;
  assertEquals(typeof await store.swap(key, item, { ...item, cas: 0n }), "bigint");
  const asked = new Map(store.info().own).get("redis_redirections") as number;
  assert(asked >= 3, `${asked} redirections`);
  for (const node of [to, from]) {
    await serverAt(node.port).command("CLUSTER", "SETSLOT", `${slot}`, "NODE", to.id);
  }
  assertAll((await readAll(store)).values);
  await until(async () => {
    const before = new Map(store.info().own).get("redis_redirections");
    await store.read(key);
    return new Map(store.info().own).get("redis_redirections") === before;
  }, "the new place is not learnt");
});

redisTest("Redis Cluster: a single server is told from a cluster", async () => {
  await using server = await new RedisServer().start();
  await using store = await using(openOn(server, { cluster: true }));
  const error = await Promise.resolve(store.read(keys[0])).catch((error) => error);
  assert(error.message.includes("leave out --redis-cluster"), error.message);
  await using single = await using(openOn(cluster.nodes[0], { prefix: "x" }));
  const other = await Promise.all(
    keys.map((key) => Promise.resolve(single.read(key)).then(() => "", (error) => error.message)),
  );
  assert(other.some((message) => message.includes("--redis-cluster is missing")), other.join());
});

redisTest("Redis Cluster: failover by hand loses nothing", async () => {
  await using store = await using(openOn(cluster, { prefix: "by hand:" }));
  await fill(store);
  const replica = (await nodes()).find((node) => node.flags.includes("slave"))!;
  await serverAt(replica.port).command("CLUSTER", "FAILOVER");
  const begun = performance.now();
  while (performance.now() - begun < 1500) {
    for (const key of keys.slice(0, 20)) {
      await store.swap(key, "any", itemOf(`value of ${new TextDecoder().decode(key)}`));
    }
  }
  assertAll((await readAll(store)).values);
});

redisTest(
  "Redis Cluster: a master that hangs is left for its replica, and may come back",
  async () => {
    await using store = await using(openOn(cluster, { prefix: "hanging:" }));
    await fill(store);
    await replicated();
    const master = await masterOf(slotOf(bytesOf("hanging:")));
    await serverAt(master.port).kill("SIGSTOP");
    // As clients do: without requests nobody would find out.
    const asking = setInterval(() => Promise.resolve(store.read(keys[0])).catch(() => {}), 50);
    await promoted(master);
    await until(async () => (await readAll(store)).errors.length === 0, "no answers again");
    assertAll((await readAll(store)).values);
    clearInterval(asking);
    await serverAt(master.port).kill("SIGCONT");
    await until(
      async () => (await nodes()).every((node) => !node.flags.includes("fail")),
      "it does not come back",
    );
    await fill(store);
    assertAll((await readAll(store)).values);
  },
);

redisTest(
  "Redis Cluster: a killed master is replaced by its replica, without a restart",
  async () => {
    await using patient = await using(openOn(cluster, { prefix: "killed:" }));
    await fill(patient);
    await using store = await using(openOn(cluster, { prefix: "killed:", timeout: 1000 }));
    // What the client was told is there must be on the replica before the master dies.
    await replicated();
    // The worst of the three: without the ledger nothing is answered.
    const master = await masterOf(slotOf(bytesOf("killed:")));
    await serverAt(master.port).kill("SIGKILL");
    const { errors } = await readAll(store);
    for (const error of errors) assert(/Redis/.test(error), error);
    await promoted(master);
    for (const one of [store, patient]) {
      await until(async () => {
        const { values, errors } = await readAll(one);
        if (errors.length === 0) assertAll(values);
        return errors.length === 0;
      }, "no answers again");
    }
    await patient.flush(0);
    assertEquals((await readAll(store)).values.size, 0);
    await fill(patient);
    assertAll((await readAll(patient)).values);
  },
);

// The last one: where nodes disagree about a slot, elections of masters may fail for a while afterwards.
redisTest(
  "Redis Cluster: what two nodes send to each other is served when they agree again",
  async () => {
    const prefix = "to and fro:";
    await using store = await using(openOn(cluster, { prefix }));
    // A node does not let go of a slot that it has keys of, which other tests may have left.
    let text = "k";
    const slotOfText = () => slotOf(bytesOf(prefix + text));
    const keysThere = async () =>
      await serverAt((await masterOf(slotOfText())).port)
        .command("CLUSTER", "COUNTKEYSINSLOT", `${slotOfText()}`);
    while (await keysThere() !== 0) text += "k";
    const key = bytesOf(text);
    const slot = slotOfText();
    const owner = await masterOf(slot);
    const other = (await nodes()).find((node) =>
      node.flags.includes("master") && !node.flags.includes("fail") && node.id !== owner.id
    )!;
    assertEquals(await store.read(key), undefined);
    const name = (id: string) =>
      serverAt(owner.port).command("CLUSTER", "SETSLOT", `${slot}`, "NODE", id);
    const redirections = () => new Map(store.info().own).get("redis_redirections") as number;
    await name(other.id);
    try {
      const reading = store.read(key);
      await until(() => redirections() > 10, "the nodes do not send it to and fro");
      await name(owner.id);
      assertEquals(await reading, undefined);
    } finally {
      await name(owner.id);
    }
  },
);
