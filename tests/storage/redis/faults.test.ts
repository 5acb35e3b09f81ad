import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { bytesOf } from "../../../lib/bytes.ts";
import { OutOfSpaceError, StoreError } from "../../../lib/errors.ts";
import { itemOf } from "../contract.ts";
import { Proxy } from "./proxy.ts";
import { freePort } from "../../ports.ts";
import { RedisServer, redisTest, until } from "./servers.ts";
import { answered, openOn, using } from "./stores.ts";
import type { Caller } from "../caller.ts";

const k = bytesOf("k");

async function valueOf(store: Caller, key = k): Promise<string | undefined> {
  const item = await store.read(key);
  return item && new TextDecoder().decode(item.value);
}

/** Waits until the store has answered with an error that names the cause. */
async function failing(call: () => unknown, cause: string): Promise<void> {
  await assertRejects(async () => await call(), StoreError, cause);
}

/** What the store tells of its state. */
function stateOf(store: Caller): unknown {
  return new Map(store.info().own).get("state");
}

/** Waits until the store answers. */
async function answersAgain(store: Caller): Promise<void> {
  await answered(() => store.read(k));
}

redisTest(
  "Redis killed and started again: requests fail with the cause, then are answered",
  async () => {
    await using server = await new RedisServer().start();
    const lines: string[] = [];
    await using store = await using(openOn(server, { log: (line) => lines.push(line) }));
    await store.swap(k, "any", itemOf("before"));
    await server.kill("SIGKILL");
    await until(async () => {
      const error = await Promise.resolve(store.read(k)).then(() => undefined, (error) => error);
      return error instanceof StoreError && error.message.includes("ECONNREFUSED");
    }, "no error names the cause");
    await failing(() => store.swap(k, "any", itemOf("x")), "ECONNREFUSED");
    await failing(() => store.flush(0), "ECONNREFUSED");
    assertEquals(lines.length, 1, lines.join("\n"));
    await server.start();
    await answersAgain(store);
    assertEquals(await valueOf(store), undefined);
    assertEquals(typeof await store.swap(k, "absent", itemOf("after")), "bigint");
    assertEquals(await valueOf(store), "after");
    assertEquals(lines.length, 2, lines.join("\n"));
  },
);

redisTest("Redis away at the start: the store opens, says so once, and keeps trying", async () => {
  await using server = new RedisServer();
  const lines: string[] = [];
  await using store = await using(openOn(server, { log: (line) => lines.push(line) }));
  await failing(() => store.read(k), `127.0.0.1:${server.port}`);
  await new Promise((resolve) => setTimeout(resolve, 600));
  assertEquals(lines.length, 1, lines.join("\n"));
  assert(lines[0].includes(`127.0.0.1:${server.port}: connect ECONNREFUSED`), lines[0]);
  assert(store.info().items === 0);
  await server.start();
  await answersAgain(store);
});

redisTest("Redis stopped by SIGSTOP: requests time out, late replies are nobody's", async () => {
  await using server = await new RedisServer().start();
  await using store = await using(openOn(server, { timeout: 600 }));
  const other = bytesOf("other");
  await answered(() => store.swap(k, "any", itemOf("k before")));
  await answered(() => store.swap(other, "any", itemOf("other before")));
  await server.kill("SIGSTOP");
  const memory = bytesOf("written late");
  const [read, write] = [store.read(k), store.swap(k, "any", itemOf(memory))];
  const results = await Promise.allSettled([read, write]);
  memory.fill(0);
  const said = results.map((result) => {
    assert(result.status === "rejected" && result.reason instanceof StoreError);
    return result.reason.message;
  });
  const late = `Redis at 127.0.0.1:${server.port} did not answer within 600 ms`;
  assertEquals(said, [late, `${late}; a change may or may not have been made`]);
  await failing(() => store.read(other), "did not answer within 600 ms");
  await server.kill("SIGCONT");
  assertEquals(await answered(() => valueOf(store, other)), "other before");
  // The write was on its way: it is made before anything later is read, as it was given.
  assertEquals(await answered(() => valueOf(store)), "written late");
});

redisTest(
  "a connection that stays silent is given up, and nothing sent on it comes late",
  async () => {
    await using server = await new RedisServer().start();
    await using store = await using(openOn(server, { timeout: 300 }));
    await answered(() => store.swap(k, "any", itemOf("0")));
    await server.kill("SIGSTOP");
    const writes: Promise<unknown>[] = [];
    // Long enough for several connections: what they sent stays in Redis's sockets.
    for (let i = 1; i <= 30; i++) {
      writes.push(Promise.resolve(store.swap(k, "any", itemOf(`${i}`))).catch(() => {}));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await Promise.all(writes);
    await server.kill("SIGCONT");
    const seen = await answered(() => valueOf(store));
    assertEquals(typeof await answered(() => store.swap(k, "any", itemOf("last"))), "bigint");
    for (let i = 0; i < 20; i++) {
      assertEquals(await answered(() => valueOf(store)), "last", `first there was ${seen}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  },
);

redisTest("Redis asleep for longer than the timeout: errors, then answers", async () => {
  await using server = await new RedisServer().start();
  await using store = await using(openOn(server, { timeout: 400 }));
  await answered(() => store.swap(k, "any", itemOf("v")));
  const asleep = server.command("DEBUG", "SLEEP", "3");
  await until(async () => {
    const error = await Promise.resolve(store.read(k)).then(() => undefined, (error) => error);
    return error?.message.includes("did not answer within 400 ms");
  }, "Redis does not sleep");
  await asleep;
  assertEquals(await answered(() => valueOf(store)), "v");
});

redisTest("Redis out of memory: OutOfSpaceError for writes, reads and deletes go on", async () => {
  await using server = await new RedisServer(["--maxmemory-policy", "noeviction"]).start();
  await using store = await using(openOn(server));
  await store.swap(k, "any", itemOf("v"));
  await server.command("CONFIG", "SET", "maxmemory", "1");
  await assertRejects(async () => await store.swap(k, "any", itemOf("w")), OutOfSpaceError, "OOM");
  await assertRejects(
    async () => await store.swap(bytesOf("new"), "absent", itemOf("w")),
    OutOfSpaceError,
    "OOM",
  );
  // Longer than anything is relied on: the ledger must be kept, too.
  await new Promise((resolve) => setTimeout(resolve, 1200));
  assertEquals(await valueOf(store), "v");
  assertEquals(await store.swap(k, "any", null), 0n);
  await server.command("CONFIG", "SET", "maxmemory", "0");
  assertEquals(typeof await store.swap(k, "any", itemOf("again")), "bigint");
});

redisTest("a read-only replica is called that", async () => {
  await using master = await new RedisServer().start();
  await using replica = await new RedisServer(["--replicaof", `127.0.0.1 ${master.port}`]).start();
  await until(
    async () => String(await replica.command("INFO")).includes("master_link_status:up"),
    "the replica does not come up",
  );
  const lines: string[] = [];
  await using store = await using(openOn(replica, { log: (line) => lines.push(line) }));
  // Its own reply says so, or that of the store's housekeeping, which ends the connection.
  await failing(() => store.swap(k, "any", itemOf("v")), "a read-only replica");
  await until(() => stateOf(store) === "away", "it is not told that Redis cannot be used");
  await until(() => lines.length === 1, "the operator is not told");
  assertMatch(lines[0], /is a read-only replica: .*; requests fail until that changes$/);
  await replica.command("REPLICAOF", "NO", "ONE");
  await answersAgain(store);
  await until(() => lines.length === 2, "the operator is not told that it is over");
  assertEquals(stateOf(store), "ok");
});

redisTest(
  "a Redis that takes no writes, or has no memory left, is told while it is so",
  async () => {
    await using server = await new RedisServer(["--maxmemory-policy", "noeviction"]).start();
    const lines: string[] = [];
    await using store = await using(openOn(server, { log: (line) => lines.push(line) }));
    await store.swap(k, "any", itemOf("v"));
    assertEquals([stateOf(store), lines], ["ok", []]);
    await server.command("CONFIG", "SET", "min-replicas-to-write", "1");
    await until(() => lines.length === 1, "the operator is not told");
    assertEquals(stateOf(store), "away");
    assertMatch(lines[0], /fewer replicas than it needs .*NOREPLICAS.*; requests fail until/);
    await failing(() => store.swap(k, "any", itemOf("w")), "NOREPLICAS");
    await server.command("CONFIG", "SET", "min-replicas-to-write", "0");
    await until(() => lines.length === 2, "the operator is not told that it is over");
    assertEquals(stateOf(store), "ok");
    await server.command("CONFIG", "SET", "maxmemory", "1");
    await until(() => lines.length === 3, "the operator is not told");
    assertEquals(stateOf(store), "full");
    assertMatch(lines[2], /has no memory left, and evicts nothing; it stores nothing new until/);
    assertEquals(await valueOf(store), "v");
    await server.command("CONFIG", "SET", "maxmemory", "0");
    await until(() => lines.length === 4, "the operator is not told that it is over");
    assertEquals(stateOf(store), "ok");
  },
);

redisTest("a wrong password is said once, and found right when it has become right", async () => {
  await using server = await new RedisServer(["--requirepass", "secret"]).start();
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  const url = (password: string) => `redis://:${password}@127.0.0.1:${server.port}`;
  {
    await using store = await using(openOn(server, { urls: [url("secret")] }));
    await store.swap(k, "any", itemOf("v"));
    assertEquals(await valueOf(store), "v");
  }
  {
    await using store = await using(openOn(server, { log }));
    await failing(() => store.read(k), "asks for a password, and none was given");
    await new Promise((resolve) => setTimeout(resolve, 1200));
    assertEquals(lines.length, 1, lines.join("\n"));
  }
  lines.length = 0;
  await using store = await using(openOn(server, { urls: [url("wrong")], log }));
  await failing(() => store.read(k), "does not accept the user name or password");
  await new Promise((resolve) => setTimeout(resolve, 1200));
  await failing(() => store.read(k), "does not accept the user name or password");
  assertEquals(lines.length, 1, lines.join("\n"));
});

redisTest("a host that does not exist is named", async () => {
  const urls = [`redis://no-such-host.invalid:${freePort()}`];
  await using server = new RedisServer();
  await using store = await using(openOn(server, { urls }));
  await failing(() => store.read(k), "no-such-host.invalid");
});

redisTest(
  "a connection cut in the middle of replies: no reply is given for another request",
  async () => {
    await using server = await new RedisServer().start();
    using proxy = new Proxy(server.port);
    await using store = await using(openOn(server, { urls: [proxy.url] }));
    const keys = Array.from({ length: 50 }, (_, i) => bytesOf(`key ${i}`));
    for (const [i, key] of keys.entries()) {
      await store.swap(key, "any", itemOf(`value of ${i} `.repeat(20)));
    }
    let failed = 0;
    for (let round = 0; round < 20; round++) {
      proxy.cutAfter = 1 + round * 977 % 12_000;
      await Promise.all(keys.map(async (key, i) => {
        try {
          assertEquals(await valueOf(store, key), `value of ${i} `.repeat(20));
        } catch (error) {
          if (!(error instanceof StoreError)) throw error;
          failed++;
        }
      }));
      await answersAgain(store);
    }
    assert(failed > 100, `${failed} requests were hit`);
  },
);

redisTest("a write whose reply is lost is not reported, and not made twice", async () => {
  await using server = await new RedisServer().start();
  using proxy = new Proxy(server.port);
  await using store = await using(openOn(server, { urls: [proxy.url] }));
  // Conditional, so that Redis knows the script.
  await store.swap(k, "absent", itemOf("before"));
  const before = (await store.read(k))!;
  proxy.silent = true;
  const swap = failing(
    () => store.swap(k, before, itemOf("after")),
    "may or may not have been made",
  );
  await until(
    async () => await server.command("GETRANGE", "k", "32", "-1") === "after",
    "the write does not arrive",
  );
  proxy.cut();
  await swap;
  proxy.silent = false;
  await answersAgain(store);
  assertEquals(await valueOf(store), "after");
  assertEquals(await store.swap(k, before, itemOf("twice")), "exists");
});

redisTest("a script that Redis has forgotten is sent again", async () => {
  await using server = await new RedisServer().start();
  await using store = await using(openOn(server));
  await store.swap(k, "absent", itemOf("1"));
  await server.command("SCRIPT", "FLUSH");
  assertEquals(await store.swap(k, "absent", itemOf("2")), "exists");
  await server.command("SCRIPT", "FLUSH");
  const item = (await store.read(k))!;
  const swaps = await Promise.all(
    Array.from({ length: 10 }, async (_, i) => await store.swap(k, item, itemOf(`${i}`))),
  );
  assertEquals(swaps.filter((result) => typeof result === "bigint").length, 1);
});

redisTest("what waits for a stalled Redis is bounded", async () => {
  await using server = await new RedisServer().start();
  await using store = await using(openOn(server, { timeout: 20_000 }));
  await store.swap(k, "any", itemOf("v"));
  await server.kill("SIGSTOP");
  const large = itemOf(new Uint8Array(1 << 20));
  // One after another until one is refused: the bound is met by bytes, however slow the machine is.
  const waiting: Promise<string>[] = [];
  const messageOf = (swap: unknown) =>
    Promise.resolve(swap).then(() => "", (error) => error.message);
  let refused = false;
  while (!refused && waiting.length < 200) {
    const swap = messageOf(store.swap(k, "any", large));
    waiting.push(swap);
    refused = await Promise.race([swap, new Promise((resolve) => setTimeout(resolve))]) !==
      undefined;
  }
  await server.kill("SIGCONT");
  assertMatch(await waiting.at(-1)!, /too slow/);
  // 64 MiB may wait for Redis, and as much for the ledger where the machine takes its time.
  assert(waiting.length >= 63 && waiting.length <= 132, `${waiting.length} requests were taken`);
  await Promise.all(waiting);
  await answersAgain(store);
});

redisTest("close ends while Redis hangs", async () => {
  await using server = await new RedisServer().start();
  const store = await openOn(server, { timeout: 700 });
  await answered(() => store.swap(k, "any", itemOf("v")));
  await server.kill("SIGSTOP");
  const hanging = Promise.resolve(store.read(k)).catch((error) => error);
  // Redis goes on only when this has ended.
  await store.close();
  assert(await hanging instanceof StoreError);
  await server.kill("SIGCONT");
});
