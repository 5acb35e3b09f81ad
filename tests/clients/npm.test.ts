import type { ServerProcess } from "../server/process.ts";
import { ALL, assertDone, beside, testClient } from "./stores.ts";

function check(script: string, { port }: ServerProcess, ...flags: string[]): Promise<void> {
  const options = ["-A", "--frozen", "--no-check", "--quiet", ...flags];
  return assertDone(Deno.execPath(), ["run", ...options, beside(`npm/${script}`), String(port)]);
}

// What it is built on (jackpot) inherits by assigning to __proto__, which Deno allows on demand.
testClient("npm's memcached does all that it can", async (server) => {
  await check("memcached_check.ts", server, "--unsafe-proto");
});

testClient("npm's memcache-client does all that it can", async (server) => {
  await check("memcache_client_check.ts", server);
});

testClient("npm's memcache-plus does all that it can", async (server) => {
  await check("memcache_plus_check.ts", server);
});

testClient("npm's memcache does all that it can, in text and in binary", async (server) => {
  await check("memcache_check.ts", server);
});

testClient(
  "npm's memjs does all that it can, in binary",
  async (server) => {
    await check("memjs_check.ts", server);
  },
  [],
  ALL,
);

testClient("npm's @keyv/memcache does all that Keyv asks of it", async (server) => {
  await check("keyv_check.ts", server);
});
