import { assertEquals } from "@std/assert";
import type { ServerProcess } from "../server/process.ts";
import { outcomeOf, testClient } from "./stores.ts";

async function check(script: string, { port }: ServerProcess, ...flags: string[]): Promise<void> {
  const path = new URL(script, import.meta.url).pathname;
  const args = ["run", "-A", "--no-check", ...flags, path, String(port)];
  const { code, stdout, stderr } = await outcomeOf(Deno.execPath(), args);
  assertEquals({ code, stdout }, { code: 0, stdout: "done\n" }, stderr);
}

// What it is built on (jackpot) inherits by assigning to __proto__, which Deno allows on demand.
testClient("npm's memcached does all that it can", async (server) => {
  await check("npm_memcached_check.ts", server, "--unsafe-proto");
});

testClient("npm's memcache-client does all that it can", async (server) => {
  await check("memcache_client_check.ts", server);
});
