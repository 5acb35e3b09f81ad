import { assert, assertEquals } from "@std/assert";
import { parseAddress } from "../../lib/client/address.ts";
import { Client } from "../../lib/client/client.ts";
import { Ring } from "../../lib/client/ring.ts";
import { vectors } from "./ketama_vectors.ts";
import { memcachedMissing, startMemcached } from "./servers.ts";

/** The Python that Debian's python3-pylibmc belongs to, libmemcached's own client for Python. */
const python = "/usr/bin/python3";
const pylibmcMissing = await new Deno.Command(python, { args: ["-c", "import pylibmc"] })
  .output().then(({ success }) => !success, () => true);

Deno.test("keys belong to the servers that libmemcached's tests say", () => {
  const weights = [600, 300, 200, 350, 1000, 800, 950, 100];
  const ring = new Ring(
    weights.map((weight, i) => parseAddress(`10.0.1.${i + 1}:11211:${weight}`)),
  );
  for (const [key, server] of vectors) assertEquals([key, ring.serverOf(key) + 1], [key, server]);
});

Deno.test("one server more takes keys over and moves no others", () => {
  const three = new Ring(["a", "b", "c"].map(parseAddress));
  const four = new Ring(["a", "b", "c", "d"].map(parseAddress));
  const keys = Array.from({ length: 2000 }, (_, i) => `key${i}`);
  const moved = keys.filter((key) => three.serverOf(key) !== four.serverOf(key));
  assert(moved.every((key) => four.serverOf(key) === 3));
  assert(moved.length > 300 && moved.length < 700, `${moved.length} of 2000 moved`);
});

for (const weights of [[1, 1], [1, 1, 1], [1, 1, 1, 1, 1], [3, 1, 2]]) {
  Deno.test({
    name: `what libmemcached stores on servers of weights ${weights} is found there`,
    ignore: memcachedMissing || pylibmcMissing,
    fn: async () => {
      await using stack = new AsyncDisposableStack();
      const servers = await Promise.all(weights.map(async (weight) => {
        const server = stack.use(await startMemcached());
        return weight === 1 ? server.address : `${server.address}:${weight}`;
      }));
      const program = `
import pylibmc
client = pylibmc.Client(${JSON.stringify(servers)}, behaviors={"ketama_weighted": True})
for i in range(400): client.set("key%d" % i, b"value%d" % i)`;
      const { success, stderr } = await new Deno.Command(python, { args: ["-c", program] })
        .output();
      assert(success, new TextDecoder().decode(stderr));

      using client = new Client({ servers });
      const keys = Array.from({ length: 400 }, (_, i) => `key${i}`);
      const found = await client.getMany(keys);
      assertEquals(
        keys.map((key) => found.get(key)?.text),
        keys.map((_, i) => `value${i}`),
      );
    },
  });
}
