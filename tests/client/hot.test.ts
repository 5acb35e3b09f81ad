import { assertEquals, assertMatch } from "@std/assert";
import { Client } from "../../lib/client/client.ts";
import { runClient } from "./run_client.ts";
import { memcachedMissing, startKvs, startMemcached } from "./servers.ts";

Deno.test("hot: prints the keys that are asked for most, whatever bytes they have, until they are forgotten", async () => {
  await using server = await startKvs("--http", "0");
  using client = new Client({ servers: [server.address] });
  for (let i = 0; i < 5; i++) await client.get("a%20b");
  await client.get("tür");
  const text = await runClient(server.address, ["hot"]);
  assertEquals([text.code, text.stderr], [0, ""]);
  assertMatch(text.stdout, /^ +5 +0 {2}a%20b\n +1 +0 {2}tür\n$/);
  for (const protocol of ["text", "binary"]) {
    const { stdout } = await runClient(server.address, ["hot", "--json", "--protocol", protocol]);
    const [first] = stdout.split("\n").map((line) => line === "" ? {} : JSON.parse(line));
    assertEquals([first.key, first.count >= 5], ["a%20b", true]);
  }
  assertEquals((await runClient(server.address, ["hot", "reset"])).stdout, "");
  assertEquals((await runClient(server.address, ["hot"])).stdout, "");
});

Deno.test({
  name: "slow and hot: a memcached notes nothing, and says so beside a kvs",
  ignore: memcachedMissing,
  fn: async () => {
    await using memcached = await startMemcached();
    await using server = await startKvs("--http", "0");
    for (const command of ["slow", "hot"]) {
      const alone = await runClient(memcached.address, [command]);
      const line = `${memcached.address} has no stats ${command}: it is no kvs\n`;
      assertEquals([alone.code, alone.stderr], [70, line]);
    }
    using client = new Client({ servers: [server.address] });
    await client.get("asked");
    const both = await runClient(`${memcached.address},${server.address}`, ["hot"]);
    assertEquals(both.code, 70);
    assertMatch(both.stdout, / asked\n$/);
  },
});

Deno.test("slow: prints what took long, and says where nobody looks", async () => {
  await using server = await startKvs("--slow-ms", "1");
  using client = new Client({ servers: [server.address] });
  // A listing of so many keys takes the server longer than a millisecond, whatever the machine.
  const items = Array.from({ length: 2000 }, (_, i) => `k${i}`);
  const isNoted = async () => {
    await Promise.all(items.map((key) => client.set(key, "x".repeat(5000))));
    await client.getMany(items);
    return (await runClient(server.address, ["slow"])).stdout !== "";
  };
  while (!await isNoted());
  const { code, stdout } = await runClient(server.address, ["slow"]);
  assertEquals(code, 0);
  assertMatch(stdout, /^\d{4}-\d\d-\d\dT\S+Z +[\d.]+ ms +\d+ {2}(store|get) k\d+/m);
  const json = await runClient(server.address, ["slow", "--json"]);
  const note = JSON.parse(json.stdout.split("\n")[0]!);
  assertEquals([note.server, typeof note.ms, typeof note.key], [
    server.address,
    "number",
    "string",
  ]);
  assertEquals((await runClient(server.address, ["slow", "now"])).code, 64);

  await using other = await startKvs();
  const off = await runClient(other.address, ["slow"]);
  assertEquals([off.code, off.stdout], [1, ""]);
  assertMatch(off.stderr, /notes nothing: it runs without --slow-ms\n$/);
});
