import { assert, assertEquals, assertMatch } from "@std/assert";
import { runClient } from "./run_client.ts";
import { startKvs } from "./servers.ts";

const DOWN = "127.0.0.1:1";

Deno.test("of several servers, one down, each has its row and the exit code is 69", async () => {
  await using server = await startKvs();
  const both = `${DOWN},${server.address}`;
  const row = `${DOWN} error: cannot reach ${DOWN}: `;
  for (const command of ["ping", "version", "stats"]) {
    const { code, stdout } = await runClient(both, [command]);
    assertEquals(code, 69, command);
    assert(stdout.startsWith(row), stdout);
    assert(stdout.split("\n")[1]!.startsWith(server.address), stdout);
  }
  const { code, stdout } = await runClient(both, ["ping", "--json"]);
  const rows = JSON.parse(stdout);
  assertEquals([code, typeof rows[server.address]], [69, "number"]);
  assertMatch(rows[DOWN].error, /^cannot reach /);
});

Deno.test("of several servers, one down, the living are listed, dumped and flushed", async () => {
  await using server = await startKvs();
  await runClient(server.address, ["set", "k", "v"]);
  const both = `${DOWN},${server.address}`;
  const keys = await runClient(both, ["keys"]);
  assertEquals([keys.code, keys.stdout], [69, "k\n"]);
  assert(keys.stderr.startsWith(`keys: cannot reach ${DOWN}: `), keys.stderr);
  const dump = await runClient(both, ["dump"]);
  assertEquals([dump.code, dump.stdout], [69, '{"key":"k","value":"v","flags":0}\n']);
  assert(dump.stderr.endsWith("\ndumped 1 item\n"), dump.stderr);
  const flush = await runClient(both, ["flush"]);
  assertEquals(flush.code, 69);
  assert(flush.stderr.startsWith(`not flushed: cannot reach ${DOWN}: `), flush.stderr);
  assertEquals((await runClient(server.address, ["keys"])).stdout, "");
});
