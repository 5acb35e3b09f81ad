/** kvs-client and kvs-bench over TLS, with certificates, names and passwords. */

import { assertEquals, assertMatch } from "@std/assert";
import { Client } from "../../lib/client/client.ts";
import { UnreachableError } from "../../lib/client/errors.ts";
import { makeCertificate, signCertificate } from "../certificates.ts";
import { ServerProcess } from "../server/process.ts";
import { startKvs } from "./servers.ts";
import { makeNpmPackage } from "../../infra/package/npm.ts";
import { missing, runClient } from "./run_client.ts";

const bench = new URL("../../multiclient.ts", import.meta.url).pathname;

/** A server that wants TLS and a login, and one that wants a certificate as well. */
async function withServers(
  body: (directory: string, tls: string, mutual: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await makeCertificate(directory, "subjectAltName=DNS:localhost,DNS:cache.example");
    await signCertificate(directory, "ca", "app", "subjectAltName=DNS:app.example");
    const file = `${directory}/users`;
    await Deno.writeTextFile(file, "ann:secret\n");
    await Deno.writeTextFile(`${directory}/password`, "secret\n");
    await Deno.chmod(file, 0o600);
    await using server = await ServerProcess.start([
      ...["--store", "memory", "-p", "-1", "-Y", file, "-S", "-Z"],
      ...["-l", "127.0.0.1,mtls:127.0.0.1"],
      ...["--ssl-chain-cert", `${directory}/server.crt`, "--ssl-key", `${directory}/server.key`],
      ...["--ssl-ca-cert", `${directory}/ca.crt`],
    ]);
    const [tls, mutual] = [...server.address.matchAll(/:(\d+)/g)].map(([, port]) => port);
    await body(directory, `localhost:${tls}`, `localhost:${mutual}`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("kvs-client speaks TLS, shows a certificate, and logs in by environment or file", async () => {
  await withServers(async (directory, tls, mutual) => {
    const ca = ["--tls", "--ca", `${directory}/ca.crt`];
    const env = { KVS_PASSWORD: "secret" };
    const set = await runClient(tls, ["set", "k", "v", ...ca, "--user", "ann"], { env });
    assertEquals([set.code, set.stderr], [0, ""]);
    const own = ["--cert", `${directory}/app.crt`, "--key", `${directory}/app.key`];
    const file = ["--user", "ann", "--password-file", `${directory}/password`];
    for (const protocol of ["text", "meta", "binary"]) {
      const args = ["get", "k", "--protocol", protocol, ...ca, ...own, ...file];
      const { code, stdout, stderr } = await runClient(mutual, args);
      assertEquals([code, stdout, stderr], [0, "v\n", ""]);
    }
    // By an address that the certificate has not, under a name that it has.
    for (const shown of [[], own]) {
      const named = [...ca, ...shown, ...file, "--tls-server-name", "cache.example"];
      const server = (shown.length > 0 ? mutual : tls).replace("localhost", "127.0.0.1");
      const { stdout, stderr } = await runClient(server, ["get", "k", ...named]);
      assertEquals([stdout, stderr], ["v\n", ""]);
      const wrong = [...ca, ...shown, ...file, "--tls-server-name", "other.example"];
      assertEquals((await runClient(server, ["get", "k", ...wrong])).code, 69);
    }
    const guess = await runClient(tls, ["get", "k", ...ca, "--user", "ann"], {
      env: { KVS_PASSWORD: "guess" },
    });
    assertMatch(guess.stderr, /refuses user 'ann'/);
    assertEquals(guess.stderr.includes("guess"), false);
    for (const args of [ca.slice(0, 1), []]) {
      const { code } = await runClient(tls, ["get", "k", "--timeout", "2s", ...args, ...file]);
      assertEquals(code, 69);
    }
  });
});

Deno.test({
  name: "the npm package speaks TLS from Node, shows a certificate and logs in",
  ignore: await missing("node"),
  fn: async () => {
    await withServers(async (directory, tls, mutual) => {
      const path = await makeNpmPackage(directory);
      const program = `import { Client, UnreachableError } from ${
        JSON.stringify(`${path}/kvs.mjs`)
      };
import { readFileSync } from "node:fs";
const read = (name) => readFileSync(${JSON.stringify(directory)} + "/" + name, "utf8");
const credentials = { user: "ann", password: "secret" };
const [tls, mutual] = process.argv.slice(2);
const known = { ca: read("ca.crt") };
const own = { ...known, cert: read("app.crt"), key: read("app.key") };
const named = { ...known, serverName: "cache.example" };
for (const [server, tls_] of [[tls, known], [tls, named], [mutual, own]]) {
  const client = new Client({ servers: [server], tls: tls_, credentials });
  await client.set("k", "v".repeat(100_000));
  console.log((await client.get("k")).text.length);
  client.close();
}
const client = new Client({ servers: [tls], tls: {}, credentials });
console.log(await client.get("k").catch((error) => error instanceof UnreachableError));
`;
      await Deno.writeTextFile(`${directory}/main.mjs`, program);
      const { stdout, stderr } = await new Deno.Command("node", {
        args: [`${directory}/main.mjs`, tls, mutual],
      }).output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      assertEquals([text(stdout), text(stderr)], ["100000\n".repeat(3) + "true\n", ""]);
    });
  },
});

Deno.test("a client without the certificate that a server wants is told so, in plain words", async () => {
  await withServers(async (directory, _tls, mutual) => {
    const { code, stderr } = await runClient(mutual, [
      ...["get", "k", "--tls", "--ca", `${directory}/ca.crt`],
    ]);
    assertEquals(code, 69);
    // What it sent before it knew may make the end a reset.
    assertMatch(stderr, /^kvs-client: .*localhost:\d+.*; it may want a certificate\n$/);
    assertEquals(stderr.includes("docs.rs"), false);
  });
});

Deno.test("kvs-bench loads a server over TLS from several threads, logged in", async () => {
  await withServers(async (directory, tls) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", bench, "8", "--requests", "50", "--threads", "2"].concat(
        ["--servers", tls, "--tls", "--ca", `${directory}/ca.crt`, "--user", "ann", "--json"],
      ),
      env: { KVS_PASSWORD: "secret" },
    }).output();
    const text = new TextDecoder().decode(stderr);
    assertEquals(code, 0, text);
    assertEquals(JSON.parse(new TextDecoder().decode(stdout)).requests, 400, text);
  });
});

Deno.test("a password is not stored as an item by a server where nobody logs in", async () => {
  await using server = await startKvs();
  for (const protocol of ["text", "meta"] as const) {
    using client = new Client({
      servers: [server.address],
      protocol,
      credentials: { user: "ann", password: "secret" },
    });
    assertEquals(await client.get("auth"), undefined);
    const stats = (await client.stats()).get(server.address);
    assertEquals([stats?.get("cmd_set"), stats?.get("curr_items")], ["0", "0"]);
  }
});

Deno.test("options of TLS without --tls, halves of pairs, and files without what they are for are refused", async () => {
  const here = new URL(import.meta.url).pathname;
  for (
    const args of [
      ["--ca", "x"],
      ["--tls", "--cert", "x"],
      ["--password-file", "x"],
      [
        ...["--tls", "--ca", "/nonexistent"],
      ],
      ["--tls", "--ca", here],
      ["--tls", "--cert", here, "--key", here],
    ]
  ) {
    assertEquals((await runClient("127.0.0.1:1", ["ping", ...args])).code, 64);
  }
});

Deno.test("the client library takes TLS as texts", async () => {
  await withServers(async (directory, tls) => {
    const ca = await Deno.readTextFile(`${directory}/ca.crt`);
    const credentials = { user: "ann", password: "secret" };
    using client = new Client({ servers: [tls], tls: { ca }, credentials });
    await client.set("k", "v".repeat(100_000));
    assertEquals((await client.get("k"))?.text.length, 100_000);
    using untrusting = new Client({ servers: [tls], tls: {}, credentials });
    const error = await untrusting.get("k").then(() => undefined, (error) => error);
    assertEquals(error instanceof UnreachableError, true, String(error));
  });
});
