/** The way of the password and the certificate: from Secret Manager to the server and to the client's machine. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { makeCertificate, signCertificate } from "../certificates.ts";
import { freePort } from "../ports.ts";
import { Machine } from "./machine.ts";
import { firstOrders, releaseFiles, sha256 } from "./release.ts";
import { obstacle, Sandbox, SANDBOX_DENO } from "./sandbox.ts";
import { ROOT } from "./scripts.ts";

const why = obstacle();

/** One of kvs's programs, as a file that Deno runs. */
async function programOf(entry: string): Promise<string> {
  const file = await Deno.makeTempFile();
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--frozen", "-o", file, entry],
    cwd: ROOT,
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const code = await Deno.readTextFile(file);
  await Deno.remove(file);
  const flags = "-A --no-prompt --unstable-net --no-lock --no-config --ext=js";
  return `#!/usr/bin/env -S DENO_DIR=/tmp/deno ${SANDBOX_DENO} run ${flags}\n${code}`;
}

/** A connection that says one thing after another, and waits for a line of answer to each. */
class Talk implements Disposable {
  readonly #conn: Deno.TlsConn;

  private constructor(conn: Deno.TlsConn) {
    this.#conn = conn;
  }

  static async open(port: number, ca: string): Promise<Talk> {
    return new Talk(await Deno.connectTls({ hostname: "127.0.0.1", port, caCerts: [ca] }));
  }

  /** The answer; nothing where the server has hung up. */
  async say(words: string): Promise<string> {
    const buffer = new Uint8Array(1024);
    await this.#conn.write(new TextEncoder().encode(words));
    const count = await this.#conn.read(buffer);
    return new TextDecoder().decode(buffer.subarray(0, count ?? 0)).trim();
  }

  logIn(password: string): Promise<string> {
    const pair = `app ${password}`;
    return this.say(`set x 0 0 ${pair.length}\r\n${pair}\r\n`);
  }

  /** Waits until the server hangs up. */
  async ended(): Promise<void> {
    const buffer = new Uint8Array(1024);
    try {
      while (await this.#conn.read(buffer) !== null);
    } catch {
      // It may do so without a farewell.
    }
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

/** Logs in, again until the server has read the users that know this password. */
async function logInOnceKnown(port: number, ca: string, password: string): Promise<void> {
  for (;;) {
    using talk = await Talk.open(port, ca);
    if (await talk.logIn(password) === "STORED") return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

Deno.test({
  name:
    "a server has its users and its certificate from Secret Manager, takes new ones without a restart, and the client's machine has the password",
  ignore: why !== undefined,
}, async () => {
  const directory = await Deno.makeTempDir();
  await makeCertificate(directory, "subjectAltName=IP:127.0.0.1");
  await signCertificate(directory, "ca", "renewed", "subjectAltName=IP:127.0.0.1");
  const read = (name: string) => Deno.readTextFile(`${directory}/${name}`);
  const ca = await read("ca.crt");
  const certificate = await read("server.key") + await read("server.crt");
  const renewed = await read("renewed.key") + await read("renewed.crt");
  await Deno.remove(directory, { recursive: true });

  const files = await releaseFiles(await programOf("server.ts"));
  const stub = await sha256(files["kvs-client"]);
  files["kvs-client"] = await programOf("client.ts");
  files.SHA256SUMS = files.SHA256SUMS.replace(stub, await sha256(files["kvs-client"]));
  const release = { name: (await sha256(files.SHA256SUMS)).slice(0, 16), files };
  const port = freePort();
  const users = "projects/demo/secrets/kvs-users/versions";
  const tls = "projects/demo/secrets/kvs-tls/versions";
  const secrets = {
    [`${users}/1`]: "app:sesame-one\n",
    [`${users}/2`]: "app:sesame-two\napp:sesame-one\n",
    [`${users}/3`]: "app:sesame-two\n",
    [`${tls}/1`]: certificate,
    [`${tls}/2`]: renewed,
  };
  const script = await Deno.readTextFile(`${ROOT}infra/startup.sh`);
  const options = [
    ...["KVS_STORE=memory", "KVS_THREADS=1", "KVS_LISTEN=0.0.0.0", `KVS_PORT=${port}`],
    ...["KVS_AUTH_FILE=/etc/kvs/users", "KVS_ENABLE_SASL=true", "KVS_ENABLE_SSL=true"],
    ...["KVS_SSL_CHAIN_CERT=/etc/kvs/tls.pem", "KVS_SSL_KEY=/etc/kvs/tls.pem"],
  ];

  await using sandbox = await Sandbox.start();
  await using google = await Machine.start(sandbox, {
    attributes: {
      ...firstOrders(release.name),
      "kvs-options": options.join("\n"),
      "kvs-users-secret": `${users}/1`,
      "kvs-tls-secret": `${tls}/1`,
      "startup-script": script,
    },
    release,
    secrets,
  });
  const { code, text } = await google.startup();
  const log = await sandbox.run("cat /run/kvs-server.service.log");
  assertEquals(code, 0, text + log.text);
  assertEquals(google.state, "d1 ready");
  assertEquals(/read and change everything|everybody/.test(log.text), false, log.text);

  const { text: facts } = await sandbox.run(
    "stat -c '%a %U %G' /etc/kvs/users /etc/kvs/tls.pem; cat /run/kvs-server.service.pid",
  );
  const [modes, pid] = [facts.split("\n").slice(0, 2), facts.split("\n")[2]];
  assertEquals(modes, ["640 root kvs", "640 root kvs"]);
  const { text: commands } = await sandbox.run("cat /run/curl.log /run/systemctl.log");
  for (const secret of ["sesame", "PRIVATE KEY"]) {
    assert(!(text + commands + log.text).includes(secret), "a secret is in a log");
  }

  using talk = await Talk.open(port, ca);
  assertEquals(await talk.say("version\r\n"), "CLIENT_ERROR unauthenticated");
  assertEquals(await talk.logIn("sesame-one"), "STORED");
  assertEquals(await talk.say("set k 0 0 5\r\nhello\r\n"), "STORED");

  // The client's machine, on its own.
  await using desk = await Sandbox.start();
  await using orders = await Machine.start(desk, {
    attributes: {
      ...firstOrders(release.name),
      "kvs-role": "client",
      "kvs-servers": `127.0.0.1:${port}`,
      "kvs-users-secret": `${users}/1`,
      "kvs-ca": ca,
      "startup-script": script,
    },
    release,
    secrets,
  });
  const made = await orders.startup();
  assertEquals(made.code, 0, made.text);
  const got = await desk.run(". /etc/profile.d/kvs.sh; kvs-client get k");
  assertEquals(got.text, "hello\n");

  google.change({
    "kvs-deployment": "d2",
    "kvs-users-secret": `${users}/2`,
    "kvs-tls-secret": `${tls}/2`,
  });
  await google.reaches("d2 ready");
  await logInOnceKnown(port, ca, "sesame-two");
  assertStringIncludes(await talk.say("get k\r\n"), "hello");
  assertStringIncludes((await desk.run(". /etc/profile.d/kvs.sh; kvs-client get k")).text, "hello");
  assertEquals((await sandbox.run("cat /etc/kvs/tls.pem")).text, renewed);

  orders.change({ "kvs-deployment": "d2", "kvs-users-secret": `${users}/2` });
  await orders.reaches("d2 ready");
  google.change({ "kvs-deployment": "d3", "kvs-users-secret": `${users}/3` });
  const last = await google.startup();
  assertStringIncludes(last.text, "reads its users and certificates again");
  assertEquals(google.state, "d3 ready");
  await talk.ended();
  assertStringIncludes((await desk.run(". /etc/profile.d/kvs.sh; kvs-client get k")).text, "hello");
  assertEquals((await sandbox.run("cat /run/kvs-server.service.pid")).text.trim(), pid);
});
