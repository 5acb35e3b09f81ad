import { assert, assertEquals, assertMatch } from "@std/assert";
import { ServerProcess } from "../server/process.ts";
import { Emulator } from "../storage/gcs/emulator/mod.ts";
import { RedisServer, redisTest } from "../storage/redis/servers.ts";
import { readExposition } from "./exposition.ts";
import { attributeOf, parentOf, Receiver } from "./otlp.ts";

const HTTP = /http on 127\.0\.0\.1:(\d+)/;
const MEMORY = ["-p", "-1", "--store", "memory"];

/** Asks a server, and reads until the reply ends so. */
async function ask(server: ServerProcess, request: string, end: string): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await conn.write(new TextEncoder().encode(request));
  const bytes = new Uint8Array(4096);
  for (let got = ""; !got.endsWith(end);) {
    const count = await conn.read(bytes);
    assert(count !== null, `the server ended the connection after ${JSON.stringify(got)}`);
    got += new TextDecoder().decode(bytes.subarray(0, count));
  }
}

Deno.test("OpenTelemetry: the figures of the table are exported under their names and units", async () => {
  await using receiver = new Receiver();
  await using server = await ServerProcess.start(
    [...MEMORY, "--http", "0"],
    receiver.environment,
  );
  await server.says(HTTP);
  const port = HTTP.exec(server.said)![1];
  await ask(server, "set a 0 0 1\r\nx\r\nget a none\r\n", "END\r\n");
  await receiver.until(() => receiver.value("memcached_current_items") === 1);
  const { types } = readExposition(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
  const missing = [...types.keys()]
    .filter((name) => !receiver.metrics.has(name.replace(/_total$/, "")));
  assertEquals(missing, []);
  const hits = { command: "get", status: "hit" };
  // What the threads of a server have counted is asked of them once a second.
  await receiver.until(() => receiver.value("memcached_commands", hits) === 1);
  assertEquals(receiver.metrics.get("memcached_commands")!.sum!.isMonotonic, true);
  assertEquals(receiver.metrics.get("kvs_resident_memory_bytes")!.unit, "By");
  assertEquals(receiver.metrics.get("memcached_uptime_seconds")!.unit, "s");
  await receiver.until(() =>
    receiver.value("kvs_request_duration_seconds", { command: "get" }) === 2
  );
});

Deno.test("OpenTelemetry: a batch that is timed is a span, which has no key and no value", async () => {
  await using receiver = new Receiver();
  await using server = await ServerProcess.start(MEMORY, receiver.environment);
  await ask(server, "set privatekey 0 0 12\r\nprivatevalue\r\nget privatekey\r\n", "END\r\n");
  await receiver.until(() => receiver.spans.length > 0);
  const [span] = receiver.spans;
  assertEquals(span!.name, "batch store");
  assertEquals(attributeOf(span!, "db.operation.batch.size"), 2);
  assert(Number(span!.endTimeUnixNano) >= Number(span!.startTimeUnixNano));
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
  assertEquals(/private/.test(receiver.raw), false);
});

Deno.test("OpenTelemetry: where the sampler takes none there are figures and no spans", async () => {
  await using receiver = new Receiver();
  const environment = { ...receiver.environment, OTEL_TRACES_SAMPLER: "always_off" };
  await using server = await ServerProcess.start(MEMORY, environment);
  await ask(server, "get a\r\n", "END\r\n");
  const misses = { command: "get", status: "miss" };
  await receiver.until(() => receiver.value("memcached_commands", misses) === 1);
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
  assertEquals(receiver.spans, []);
});

for (const threads of ["1", "2"]) {
  redisTest(
    `OpenTelemetry: what a batch asks of Redis is a child of its span, with ${threads} threads`,
    async () => {
      await using redis = new RedisServer();
      await redis.start();
      await using receiver = new Receiver();
      await using server = await ServerProcess.start(
        ["-p", "-1", "-t", threads, "--store", "redis", "--redis-url", redis.url],
        receiver.environment,
      );
      await ask(server, "set a 0 0 1\r\nx\r\n", "STORED\r\n");
      const childOf = (name: string) =>
        receiver.spans.find((span) => parentOf(span, receiver.spans)?.name === name);
      await receiver.until(() => childOf("batch store") !== undefined);
      const child = childOf("batch store")!;
      assertEquals(child.name, "redis pipeline");
      const parent = parentOf(child, receiver.spans)!;
      assert(Number(parent.startTimeUnixNano) <= Number(child.startTimeUnixNano));
      assert(Number(child.endTimeUnixNano) <= Number(parent.endTimeUnixNano));
      const requests = { command: "store" };
      await receiver.until(() => receiver.value("kvs_request_duration_seconds", requests) === 1);
    },
  );
}

redisTest(
  "OpenTelemetry: one write to Redis for several clients is linked to all of them",
  async () => {
    await using redis = new RedisServer();
    await redis.start();
    await using receiver = new Receiver();
    await using server = await ServerProcess.start(
      ["-p", "-1", "--store", "redis", "--redis-url", redis.url],
      receiver.environment,
    );
    // Whether requests of several clients come within one turn is the system's: it is tried until they do.
    for (let isLinked = false; !isLinked;) {
      await Promise.all(Array.from({ length: 8 }, () => ask(server, "get a\r\n", "END\r\n")));
      const seen = receiver.spans.length;
      await receiver.until(() => receiver.spans.length > seen);
      isLinked = receiver.spans.some(({ name, links = [] }) =>
        name === "redis pipeline" && links.length > 0
      );
    }
  },
);

redisTest("OpenTelemetry: what is asked of Redis is spans, with what came of it", async () => {
  await using redis = new RedisServer();
  await redis.start();
  await using receiver = new Receiver();
  await using server = await ServerProcess.start(
    ["-p", "-1", "--store", "redis", "--redis-url", redis.url],
    receiver.environment,
  );
  await ask(server, "set a 0 0 1\r\nx\r\n", "STORED\r\n");
  await receiver.until(() => receiver.spans.some(({ name }) => name === "redis pipeline"));
  const span = receiver.spans.find(({ name }) => name === "redis pipeline")!;
  assertEquals(attributeOf(span, "db.system.name"), "redis");
  assertEquals(attributeOf(span, "kvs.result"), "ok");
  await receiver.until(() => (receiver.value("kvs_redis_results", { result: "ok" }) ?? 0) > 0);
});

Deno.test("OpenTelemetry: what is asked of a bucket is spans, without the names of its objects", async () => {
  await using emulator = await Emulator.start();
  await using receiver = new Receiver();
  await using server = await ServerProcess.start(
    ["-p", "-1", "--store", "gcs", "--bucket", "bucket", "--gcs-endpoint", emulator.endpoint],
    receiver.environment,
  );
  await ask(server, "set privatekey 0 0 1\r\nx\r\nget privatekey\r\n", "END\r\n");
  for (const name of ["gcs write", "gcs read"]) {
    // What the store reads for itself at its start is nobody's child.
    const child = () =>
      receiver.spans.find((span) =>
        span.name === name && parentOf(span, receiver.spans)?.name === "batch store"
      );
    await receiver.until(() => child() !== undefined);
    assertEquals(attributeOf(child()!, "kvs.result"), "ok");
  }
  await receiver.until(() =>
    (receiver.value("kvs_store_request_duration_seconds", { operation: "write" }) ?? 0) > 0
  );
  assertEquals(/private/.test(receiver.raw), false);
});

Deno.test("OpenTelemetry: batches of several threads, and what they ask of a bucket, are spans at their times", async () => {
  await using emulator = await Emulator.start();
  await using receiver = new Receiver();
  const bucket = ["--store", "gcs", "--bucket", "bucket", "--gcs-endpoint", emulator.endpoint];
  await using server = await ServerProcess.start(
    ["-p", "-1", "-t", "2", "--http", "0", ...bucket],
    receiver.environment,
  );
  await server.says(HTTP);
  const began = Date.now();
  await ask(server, "set a 0 0 1\r\nx\r\nget a\r\n", "END\r\n");
  for (const name of ["gcs write", "gcs read", "batch store"]) {
    // A clock that counts on may differ from the one of the day by a little.
    await receiver.until(() =>
      receiver.spans.some((span) =>
        span.name === name && Number(span.startTimeUnixNano) / 1e6 > began - 100
      )
    );
  }
  await receiver.until(() =>
    (receiver.value("kvs_store_request_duration_seconds", { operation: "write" }) ?? 0) > 0
  );
  const port = HTTP.exec(server.said)![1];
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  assertMatch(
    metrics,
    /kvs_store_request_duration_seconds_count\{operation="write"\} [1-9]/,
  );
});

Deno.test("OpenTelemetry: nothing is sent where Deno does not export", async () => {
  await using receiver = new Receiver();
  const environment = { ...receiver.environment, OTEL_DENO: "false" };
  await using server = await ServerProcess.start(MEMORY, environment);
  await ask(server, "get a\r\n", "END\r\n");
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
  assertEquals(receiver.raw, "");
});

Deno.test("OpenTelemetry: a collector that never answers holds up no client, and the end for a while only", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = silent.accept();
  await using server = await ServerProcess.start(MEMORY, {
    OTEL_DENO: "true",
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${silent.addr.port}`,
    OTEL_METRIC_EXPORT_INTERVAL: "100",
    OTEL_EXPORTER_OTLP_TIMEOUT: "300",
  });
  using _collector = await accepted;
  await ask(server, "get a\r\n", "END\r\n");
  server.kill("SIGTERM");
  // Deno itself waits for the collector when kvs has ended: until the timeout of what it exports.
  await server.says(/stopped: 0 items/);
  assertEquals(await server.exit(), 0);
});
