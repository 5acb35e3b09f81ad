/** How npm's memjs and npm's memcache log in. The arguments are the server's port, the user and the password. */

import { assertEquals } from "../../../offline/std/assert.ts";
import { createNode } from "memcache";
import memjs from "memjs";

const [port, username, password] = Deno.args;

/** What becomes of memjs's set and get with a user's password. */
async function outcome(user: string, secret: string): Promise<string> {
  const client = memjs.Client.create(`127.0.0.1:${port}`, {
    ...{ username: user, password: secret },
    ...{ retries: 1, timeout: 10, conntimeout: 10, logger: { log() {} } },
  });
  try {
    await client.set("key", "value", {});
    return (await client.get("key")).value!.toString();
  } catch (error) {
    // It fails with a string.
    return String(error);
  } finally {
    client.close();
  }
}

/** The same of memcache's. */
async function outcomeOfNode(user: string, secret: string): Promise<string | undefined> {
  const node = createNode("127.0.0.1", Number(port), {
    ...{ timeout: 10_000, sasl: { username: user, password: secret } },
  });
  node.on("error", () => {});
  try {
    await node.connect();
    await node.binarySet("key", "value");
    return await node.binaryGet("key");
  } catch (error) {
    return (error as Error).message;
  } finally {
    await node.disconnect();
  }
}

assertEquals(await outcome(username, password), "value");
assertEquals(await outcome(username, "guess"), "Memcached server authentication failed!");
assertEquals(await outcome("eve", password), "Memcached server authentication failed!");
assertEquals(await outcomeOfNode(username, password), "value");
for (const [user, secret] of [[username, "guess"], ["eve", password]]) {
  const failed = await outcomeOfNode(user, secret);
  assertEquals(failed, "SASL authentication failed: Auth failure.");
}
console.log("done");
