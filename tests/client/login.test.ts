/** How a client logs in, over each dialect. */

import { assertEquals, assertRejects } from "@std/assert";
import { Client } from "../../lib/client/client.ts";
import { RequestError } from "../../lib/client/errors.ts";
import type { Protocol } from "../../lib/protocol/client_dialect.ts";
import { DebianPackage } from "../clients/debian.ts";
import {
  memcachedMissing,
  type RunningServer,
  startKvs,
  startMemcached,
  startMemcachedIn,
} from "./servers.ts";

const saslTools = new DebianPackage("sasl2-bin", "/usr/sbin/saslpasswd2");

const ann = { user: "ann", password: "secret" };

const machines = [
  { machine: "memcached", ignore: memcachedMissing, start: startMemcached },
  { machine: "kvs", ignore: false, start: startKvs },
];

/** What is the same for all ways to log in. */
async function checkLogin(
  server: RunningServer,
  protocol: Protocol,
  refusal: string,
): Promise<void> {
  const servers = [server.address];
  using client = new Client({ servers, protocol, credentials: ann });
  await client.set("k", "v");
  assertEquals((await client.get("k"))?.text, "v");
  for (const credentials of [{ ...ann, user: "eve" }, { ...ann, password: "guess" }]) {
    using eve = new Client({ servers, protocol, credentials });
    await assertRejects(
      () => eve.get("k"),
      RequestError,
      `${server.address} refuses user '${credentials.user}': ${refusal}`,
    );
    // What was asked before the login was refused fails with it.
    const [set, get] = await Promise.allSettled([eve.set("k", "w"), eve.get("k")]);
    assertEquals([set.status, get.status], ["rejected", "rejected"]);
  }
  using nobody = new Client({ servers, protocol });
  await assertRejects(() => nobody.get("k"), RequestError, "auth");
  assertEquals((await client.get("k"))?.text, "v");
}

/** A file of users that a server under any name may read. */
async function usersFile(): Promise<string> {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, "ann:secret\n");
  await Deno.chmod(file, 0o644);
  return file;
}

for (const { machine, ignore, start } of machines) {
  for (const protocol of ["text", "meta"] as const) {
    Deno.test({
      name: `a server with an auth file takes the right password alone (${protocol}, ${machine})`,
      ignore,
      fn: async () => {
        const file = await usersFile();
        await using server = await start("-Y", file);
        await Deno.remove(file);
        await checkLogin(server, protocol, "CLIENT_ERROR authentication failure");
      },
    });
  }
}

Deno.test("a server with SASL takes the right password alone (binary, kvs)", async () => {
  const file = await usersFile();
  await using server = await startKvs("-S", "-B", "binary", "-Y", file);
  await Deno.remove(file);
  await checkLogin(server, "binary", "CLIENT_ERROR authentication failure");
});

Deno.test({
  name: saslTools.named("a server with SASL takes the right password alone (binary, memcached)"),
  ignore: memcachedMissing || saslTools.skipped,
  fn: async () => {
    saslTools.require();
    const directory = await Deno.makeTempDir();
    try {
      await Deno.chmod(directory, 0o755);
      const users = `${directory}/users`;
      await Deno.writeTextFile(
        `${directory}/memcached.conf`,
        "mech_list: plain\npwcheck_method: auxprop\nauxprop_plugin: sasldb\n" +
          `sasldb_path: ${users}\n`,
      );
      await addUser(users, ann);
      await Deno.chmod(users, 0o644);
      await using server = await startMemcachedIn(
        { SASL_CONF_PATH: directory },
        ...["-S", "-B", "binary"],
      );
      await checkLogin(server, "binary", "CLIENT_ERROR authentication failure");
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

for (const { machine, ignore, start } of machines) {
  Deno.test({
    name: `a user of binary is served, and no password sent, where nobody logs in (${machine})`,
    ignore,
    fn: async () => {
      await using server = await start();
      const servers = [server.address];
      using client = new Client({ servers, protocol: "binary", credentials: ann });
      assertEquals(await client.get("k"), undefined);
      using anyone = new Client({ servers });
      const stats = (await anyone.stats()).get(server.address);
      assertEquals([stats?.get("cmd_set"), stats?.get("auth_cmds")], ["0", "0"]);
    },
  });
}

async function addUser(file: string, { user, password }: typeof ann): Promise<void> {
  const realm = Deno.hostname();
  const child = new Deno.Command(saslTools.file, {
    args: ["-p", "-c", "-f", file, "-a", "memcached", "-u", realm, user],
    stdin: "piped",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(password));
  await writer.close();
  assertEquals((await child.status).success, true);
}
