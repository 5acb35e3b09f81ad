import { Buffer } from "node:buffer";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Receiver } from "../observe/otlp.ts";
import { Emulator } from "../storage/gcs/emulator/mod.ts";
import { obstacle, Sandbox, systemdObstacle } from "../infra/sandbox.ts";
import { freePort } from "../ports.ts";
import { RedisServer } from "../storage/redis/servers.ts";
import { blocks, pages } from "./pages.ts";
import { playSession } from "./session.ts";

/** The user that owns nothing. */
const NOBODY = { uid: 65534, gid: 65534 };
/** Only root can become another user or change its root. */
const ROOT_ONLY = { ignore: Deno.uid() !== 0 };

/** What one run of a program came to. */
interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Removed at the end, with the programs and every cache that a test let them have. */
let scratch = "";
/** The directory of the built programs. */
let bin = "";
/** A cache directory in which they are unpacked already. */
let warm = "";

Deno.test.beforeAll(async () => {
  scratch = await Deno.makeTempDir();
  // Others must be able to look in, to run what is there.
  await Deno.chmod(scratch, 0o755);
  bin = `${scratch}/bin`;
  warm = `${scratch}/warm`;
  const built = await compile(["--out", bin]);
  assertEquals(built.code, 0, built.stderr);
  // As whoever installs them makes them: this umask may have made them for this user alone.
  for (const path of [bin, `${bin}/kvs-server`, `${bin}/kvs-client`, `${bin}/kvs-bench`]) {
    await Deno.chmod(path, 0o755);
  }
});

Deno.test.afterAll(() => Deno.remove(scratch, { recursive: true }));

const PIPED = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;

async function finish(process: Deno.ChildProcess, input = ""): Promise<Outcome> {
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await process.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Runs `deno task compile` with these options, where jsr.io cannot be reached too. */
function compile(options: string[], env: Record<string, string> = {}): Promise<Outcome> {
  const args = ["task", "--quiet", "compile", "--stand-ins", ...options];
  return finish(new Deno.Command("deno", { args, env, ...PIPED }).spawn());
}

/** Starts a program with no environment but a path and a cache directory, unless `options` say so. */
function start(command: string, args: string[], options: Deno.CommandOptions = {}) {
  const env = { PATH: "/usr/bin:/bin", XDG_CACHE_HOME: warm };
  return new Deno.Command(command, { args, clearEnv: true, env, ...PIPED, ...options }).spawn();
}

function runClient(args: string[], options: Deno.CommandOptions = {}): Promise<Outcome> {
  return finish(start(`${bin}/kvs-client`, args, options));
}

/** A running `kvs-server`. */
class Server implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #stderr: ReadableStreamDefaultReader<string>;
  address = "";

  private constructor(args: string[], env: Record<string, string>, options: Deno.CommandOptions) {
    this.#process = start(`${bin}/kvs-server`, ["--port", "-1", ...args], {
      env: { PATH: "/usr/bin:/bin", XDG_CACHE_HOME: warm, ...env },
      ...options,
    });
    this.#stderr = this.#process.stderr.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async start(
    args: string[],
    env: Record<string, string> = {},
    options: Deno.CommandOptions = {},
  ): Promise<Server> {
    const server = new Server(args, env, options);
    let said = "";
    while (server.address === "") {
      const { value, done } = await server.#stderr.read();
      if (done) throw new Error(`kvs-server ended: ${said}`);
      said += value;
      server.address = /listening on ([\d.:]+)/.exec(said)?.[1] ?? "";
    }
    return server;
  }

  /** Asks it to end and returns its exit code. */
  async terminate(): Promise<number> {
    this.#process.kill("SIGTERM");
    return (await this.#process.status).code;
  }

  client(args: string[], input = ""): Promise<Outcome> {
    return finish(start(`${bin}/kvs-client`, ["--servers", this.address, ...args]), input);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#process.status;
    await this.#stderr.cancel();
    await this.#process.stdout.cancel();
    await this.#process.stdin.close();
  }
}

Deno.test("stand-ins of packages are not built in unless that is asked for", async () => {
  const checkout = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${checkout}/vendor/jsr.io`, { recursive: true });
    await Deno.writeTextFile(`${checkout}/vendor/jsr.io/stand-ins`, "");
    const root = new URL("../../", import.meta.url).pathname;
    const script = ["run", "-A", "--config", `${root}deno.json`, `${root}infra/compile.ts`];
    const { code, stderr } = await finish(
      new Deno.Command("deno", {
        args: script,
        cwd: checkout,
        // Nothing answers there.
        env: { HTTPS_PROXY: "http://127.0.0.1:1" },
        ...PIPED,
      }).spawn(),
    );
    assertEquals(code, 65, stderr);
    assertMatch(
      stderr,
      /stand-ins of offline\/.* jsr\.io cannot be reached .*'--stand-ins' builds/,
    );
    assertEquals(Array.from(Deno.readDirSync(checkout), ({ name }) => name), ["vendor"]);
  } finally {
    await Deno.remove(checkout, { recursive: true });
  }
});

Deno.test("kvs-server -t serves from any directory, where nothing can be written and without HOME", async () => {
  const empty = await Deno.makeTempDir();
  try {
    await Deno.chmod(empty, 0o555);
    for (const place of [["--store", "memory"], ["--data-dir", `${scratch}/threads`]]) {
      await using server = await Server.start(["-t", "3", ...place], {}, { cwd: empty });
      for (let i = 0; i < 6; i++) {
        assertEquals((await server.client(["set", `k${i}`, "v"])).code, 0);
        assertEquals((await server.client(["get", "k0"])).stdout, "v\n");
      }
      assertMatch((await server.client(["stats"])).stdout, /threads\s+3\n/);
      assertEquals(await server.terminate(), 0);
    }
  } finally {
    await Deno.remove(empty, { recursive: true });
  }
});

Deno.test("a thread of a server on disk or in memory loads no package of the other stores", async () => {
  // The first start unpacks them.
  await using server = await Server.start(["--store", "memory"]);
  assertEquals(await server.terminate(), 0);
  const [unpacked] = Array.from(Deno.readDirSync(`${warm}/kvs`), ({ name }) => name)
    .filter((name) => name.startsWith("kvs-server-"));
  for (const thread of ["worker.ts", "copies_worker.ts", "reader_worker.ts"]) {
    const loaded = new Set([thread]);
    for (const name of loaded) {
      const code = await Deno.readTextFile(`${warm}/kvs/${unpacked}/${name}`);
      for (const [, other] of code.matchAll(/(?:from|^import) "\.\/([^"]+)"/gm)) loaded.add(other!);
      assertEquals(/googleapis\.com|ioredis/.exec(code)?.[0], undefined, `${thread}: ${name}`);
    }
    assert(loaded.size > 1, "it has files in common with the program");
  }
});

Deno.test("kvs-server copies its data with a thread of its own, and restores it", async () => {
  const to = ["--copy-to", `file://${scratch}/copies`, "--copy-interval", "1s"];
  {
    await using server = await Server.start(["--data-dir", `${scratch}/copied`, ...to]);
    assertEquals((await server.client(["set", "k", "v"])).code, 0);
    // The stop copies what was acknowledged last.
    assertEquals(await server.terminate(), 0);
  }
  const args = ["--data-dir", `${scratch}/restored`, ...to, "--restore-if-empty"];
  await using server = await Server.start(args);
  assertEquals((await server.client(["get", "k"])).stdout, "v\n");
  assertEquals(await server.terminate(), 0);
});

Deno.test("kvs-bench loads a server from several threads, and writes its latencies", async () => {
  await using server = await Server.start(["--store", "memory"]);
  const file = `${scratch}/latencies.hgrm`;
  const args = ["10", "--threads", "2", "--requests", "1k", "--json", "--hgrm", file];
  const { code, stdout, stderr } = await finish(
    start(`${bin}/kvs-bench`, ["--servers", server.address, ...args]),
  );
  assertEquals([code, stderr], [0, ""]);
  const { requests, threads } = JSON.parse(stdout);
  assertEquals([requests, threads], [10_000, 2]);
  assertMatch(
    await Deno.readTextFile(file),
    /^ +Value +Percentile +TotalCount[^]*Total count += +10000/,
  );
});

Deno.test("the programs say their version and how they are used", async () => {
  for (const name of ["kvs-server", "kvs-client", "kvs-bench"]) {
    const version = await finish(start(`${bin}/${name}`, ["--version"]));
    assertEquals([version.code, version.stderr], [0, ""]);
    assertMatch(version.stdout, /\d+\.\d+\.\d+/);
    const help = await finish(start(`${bin}/${name}`, ["--help"]));
    assertEquals([help.code, help.stderr], [0, ""]);
    assertStringIncludes(help.stdout, name);
  }
});

Deno.test("their checksums are right", async () => {
  const { code, stdout } = await finish(start("sha256sum", ["-c", "SHA256SUMS"], { cwd: bin }));
  assertEquals([code, stdout], [0, "kvs-server: OK\nkvs-client: OK\nkvs-bench: OK\n"]);
});

Deno.test("the README's session goes as it stands there: kill -9 loses nothing", async () => {
  const session = blocks(await pages(), "console").find(({ body }) => body.includes("kill -9"))!;
  const env = { KVS_PORT: "-1", KVS_DATA_DIR: `${scratch}/session`, XDG_CACHE_HOME: warm };
  await playSession(session.body, { cwd: scratch, env });
});

Deno.test("what one program stores the other keeps over a restart, and SIGTERM ends it well", async () => {
  const disk = ["--store", "disk", "--data-dir", `${scratch}/data`];
  {
    await using server = await Server.start(disk);
    assertEquals((await server.client(["set", "key", "value"])).code, 0);
    assertEquals((await server.client(["set", "text", "-"], "a\0b")).code, 0);
    assertEquals(await server.terminate(), 0);
  }
  await using server = await Server.start(disk);
  assertEquals((await server.client(["get", "key"])).stdout, "value\n");
  assertEquals((await server.client(["--raw", "get", "text"])).stdout, "a\0b");
  assertEquals((await server.client(["get", "missing"])).code, 1);
  assertEquals(await server.terminate(), 0);
});

Deno.test("the Redis store is in it, packages and all", async () => {
  await using redis = await new RedisServer().start();
  await using server = await Server.start(["--store", "redis", "--redis-url", redis.url]);
  assertEquals((await server.client(["set", "key", "value"])).code, 0);
  assertEquals((await server.client(["get", "key"])).stdout, "value\n");
});

Deno.test("the Cloud Storage store is in it, and gets its tokens as on a virtual machine", async () => {
  const account = "vm@project.iam.gserviceaccount.com";
  const permissions = ["storage.objects.get", "storage.objects.create", "storage.objects.list"];
  await using emulator = await Emulator.start({
    auth: { lifetime: 3600, accounts: { [account]: permissions } },
  });
  await using metadata = metadataServer(emulator.endpoint, account);
  await using server = await Server.start(
    ["--store", "gcs", "--bucket", "bucket", "--gcs-endpoint", emulator.endpoint],
    {
      GCE_METADATA_HOST: `127.0.0.1:${metadata.addr.port}`,
      // There, but naming no file: credentials are wanted, and the machine is asked for them.
      GOOGLE_APPLICATION_CREDENTIALS: "",
    },
  );
  assertEquals((await server.client(["set", "key", "value"])).code, 0);
  assertEquals((await server.client(["get", "key"])).stdout, "value\n");
});

/** What every virtual machine can ask who it is: `account`, by a token of the emulator. */
function metadataServer(endpoint: string, account: string): Deno.HttpServer<Deno.NetAddr> {
  const headers = { "metadata-flavor": "Google" };
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    if (!new URL(request.url).pathname.endsWith("/token")) return new Response("", { headers });
    const body = new URLSearchParams({ subject_token: account });
    const answer = await fetch(`${endpoint}/token`, { method: "POST", body });
    const { "content-type": type } = Object.fromEntries(answer.headers);
    return new Response(await answer.text(), { headers: { ...headers, "content-type": type! } });
  });
}

Deno.test("OpenTelemetry, the live page and the support bundle are in it", async () => {
  await using receiver = new Receiver();
  const http = String(freePort());
  await using server = await Server.start(
    ["--store", "memory", "--http", http],
    receiver.environment,
  );
  assertEquals((await server.client(["set", "k", "v"])).code, 0);
  await receiver.until(() => receiver.value("memcached_current_items") === 1);
  const page = await (await fetch(`http://127.0.0.1:${http}/`)).text();
  assertStringIncludes(page, "Biggest talkers");
  const tar = `${scratch}/report.tar`;
  const report = await server.client(["report", tar]);
  assertEquals(report.code, 0, report.stderr);
  assertStringIncludes(report.stdout, "events.txt");
  assert((await Deno.stat(tar)).size > 0);
});

Deno.test("exit codes and complaints come through", async () => {
  const unreachable = await runClient(["--servers", "127.0.0.1:1", "get", "key"]);
  assertEquals([unreachable.code, unreachable.stderr.startsWith("kvs-client: ")], [69, true]);
  assertEquals((await runClient(["--no-such-option"])).code, 64);
  assertEquals((await finish(start(`${bin}/kvs-server`, ["--store", "tape"]))).code, 64);
});

Deno.test("deno compile, where it has its runtime, is told the target and the permissions of the tasks", async () => {
  const out = `${scratch}/compiled`;
  // A runtime that is here is not fetched. With this one the results are the right files, but no programs.
  const env = { DENORT_BIN: Deno.execPath() };
  const built = await compile(["--out", out, "--target", "aarch64-unknown-linux-gnu"], env);
  assertEquals(built.code, 0, built.stderr);
  // Where there are stand-ins it says that it takes them.
  const said = built.stderr.split("\n").filter((line) => !/the stand-ins/.test(line));
  assertEquals(said, [""]);
  const allowed: Record<string, string[]> = {
    "kvs-server": ["env", "net", "read", "sys", "write"],
    "kvs-client": ["env", "net", "read", "write"],
  };
  for (const [name, permissions] of Object.entries(allowed)) {
    const file = latin1(await Deno.readFile(`${out}/${name}`));
    const told = JSON.parse(file.match(/"permissions":(\{[^}]*\})/)![1]);
    const kinds = ["env", "ffi", "net", "read", "run", "sys", "write"];
    assertEquals(kinds.filter((kind) => told[`allow_${kind}`] !== null), permissions, name);
    assertEquals(told.prompt, false);
    // What it starts as threads is no part of the graph of its modules.
    assertEquals(file.includes("new Serving("), name === "kvs-server");
  }
  const { code } = await finish(start("sha256sum", ["-c", "SHA256SUMS"], { cwd: out }));
  assertEquals(code, 0);
});

Deno.test("a target that cannot be built for is refused, with the reason", async () => {
  const wrong = await compile(["--out", `${scratch}/none`, "--target", "sparc-sun-solaris"]);
  assertEquals(wrong.code, 64);
  assertStringIncludes(wrong.stderr, "it is one of x86_64-unknown-linux-gnu, aarch64");
});

Deno.test("a program runs from any directory, by its path or by PATH", async () => {
  assertEquals((await runClient(["--version"], { cwd: "/" })).code, 0);
  const env = { PATH: `${bin}:/usr/bin:/bin`, XDG_CACHE_HOME: warm };
  for (const command of ["./kvs-client", "kvs-client"]) {
    const args = ["-c", `${command} --version`];
    const { code, stderr } = await finish(start("sh", args, { cwd: bin, env }));
    assertEquals([code, stderr], [0, ""], command);
  }
});

Deno.test("twelve first starts together all succeed, and leave one copy behind", async () => {
  const env = { PATH: "/usr/bin:/bin", XDG_CACHE_HOME: `${scratch}/cold` };
  const starts = Array.from({ length: 12 }, () => runClient(["--version"], { env }));
  const outcomes = await Promise.all(starts);
  assertEquals(outcomes.map(({ code, stderr }) => [code, stderr]), Array(12).fill([0, ""]));
  for (const [prefix, copies] of await unpacked(`${scratch}/cold/kvs`)) {
    assertEquals(copies, 1, prefix);
  }
});

Deno.test("a new version takes the place of the old one in the cache", async () => {
  const cache = `${scratch}/upgrade`;
  await Deno.mkdir(`${cache}/kvs`, { recursive: true });
  await Deno.writeTextFile(`${cache}/kvs/kvs-client-0123456789abcdef`, "");
  await Deno.writeTextFile(`${cache}/kvs/deno-0123456789abcdef`, "");
  const env = { PATH: "/usr/bin:/bin", XDG_CACHE_HOME: cache };
  assertEquals((await runClient(["--version"], { env })).code, 0);
  if (await selfExtracting()) {
    assertEquals([...(await unpacked(`${cache}/kvs`)).values()], [1, 1]);
  }
});

Deno.test("a server goes on when a new version has cleared it away", async () => {
  if (!await selfExtracting()) return;
  await using redis = await new RedisServer().start();
  await using emulator = await Emulator.start();
  const stores = {
    disk: ["--data-dir", `${scratch}/cleared`],
    redis: ["--redis-url", redis.url],
    gcs: ["--bucket", "bucket", "--gcs-endpoint", emulator.endpoint],
  };
  for (const [store, options] of Object.entries(stores)) {
    const cache = `${scratch}/cleared-${store}`;
    await using server = await Server.start(["-t", "2", "--store", store, ...options], {
      XDG_CACHE_HOME: cache,
    });
    await Deno.remove(`${cache}/kvs`, { recursive: true });
    assertEquals((await server.client(["set", "key", "value"])).code, 0);
    assertEquals((await server.client(["get", "key"])).stdout, "value\n", store);
    assertEquals((await server.client(["keys"])).stdout, "key\n", store);
    assertEquals(await server.terminate(), 0);
  }
});

Deno.test("a cache directory that others can write to is not trusted", async () => {
  if (!await selfExtracting()) return;
  const shared = `${scratch}/shared`;
  await Deno.mkdir(`${shared}/kvs`, { recursive: true });
  await Deno.chmod(`${shared}/kvs`, 0o777);
  const env = { PATH: "/usr/bin:/bin", XDG_CACHE_HOME: shared, TMPDIR: "/dev/null" };
  const refused = await runClient(["--version"], { env });
  assertEquals(refused.code, 71);
  assertStringIncludes(refused.stderr, "XDG_CACHE_HOME");
  assertEquals(Array.from(Deno.readDirSync(`${shared}/kvs`)), []);
});

Deno.test("a user without a home runs it from a read-only directory", ROOT_ONLY, async () => {
  const temporary = `${scratch}/tmp`;
  await Deno.mkdir(temporary);
  await Deno.chmod(temporary, 0o1777);
  await Deno.chmod(bin, 0o555);
  for (const home of [undefined, "/nonexistent"]) {
    const env = { PATH: "/usr/bin:/bin", TMPDIR: temporary, ...(home && { HOME: home }) };
    const { code, stderr } = await runClient(["--version"], { env, cwd: bin, ...NOBODY });
    assertEquals([code, stderr], [0, ""]);
    // A server starts its threads from files that were unpacked beside its own.
    const server = ["-t", "2", "--store", "memory"];
    await using serving = await Server.start(server, { XDG_CACHE_HOME: "", ...env }, {
      cwd: bin,
      ...NOBODY,
    });
    assertEquals((await serving.client(["set", "key", "value"])).code, 0);
    assertEquals(await serving.terminate(), 0);
  }
  await Deno.chmod(bin, 0o755);
});

/** Copies the programs into a root file system and runs them there. */
const TRY_IN_ROOT = `
  mknod -m 666 $root/dev/null c 1 3
  # All that the runtime asks of /proc; a container may not mount one.
  mkdir -p $root/proc/self
  ln -s /bin/kvs-server $root/proc/self/exe
  cp $bin/kvs-client $bin/kvs-server $root/bin/
  chroot=$(command -v chroot)
  inside() { PATH=/bin:/usr/bin "$chroot" $root "$@"; }
  for program in deno node npm; do
    ! inside /bin/sh -c "command -v $program" || exit 1
  done
  inside /bin/kvs-client --version
  (PATH=/bin:/usr/bin exec "$chroot" $root /bin/kvs-server --port $port --data-dir /tmp/data) >$root.log 2>&1 &
  server=$!
  trap 'kill $server 2>/dev/null' EXIT
  for try in 1 2 3 4 5 6 7 8 9 10; do
    ! inside /bin/kvs-client --servers 127.0.0.1:$port set key value 2>$root.error || break
    sleep 1
  done
  inside /bin/kvs-client --servers 127.0.0.1:$port get key
  kill $server
  wait $server
  trap - EXIT
`;

/** Runs a script that makes a bare `$root`, then the programs in that. */
async function tryInRoot(name: string, make: string): Promise<void> {
  const port = String(freePort());
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", root: `${scratch}/${name}`, bin, port };
  const script = `set -e\n${make}\n${TRY_IN_ROOT}`;
  const { code, stdout, stderr } = await finish(start("sh", ["-c", script], { env }));
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^kvs-client \d\S*\nvalue\n$/);
}

Deno.test("a root with a C library and a shell's basic tools is enough", ROOT_ONLY, async () => {
  const tools = ["sh", "chmod", "gzip", "head", "id", "ls", "mkdir", "mv", "rm", "tail"];
  await tryInRoot(
    "bare",
    `mkdir -p $root/bin $root/dev $root/tmp
    for tool in ${tools.join(" ")}; do
      path=$(command -v $tool)
      cp -L "$path" $root/bin/$tool
      ldd "$path" ${Deno.execPath()}
    done | grep -o '/[^ :]*\\.so[^ :]*' | sort -u | while read -r library; do
      mkdir -p "$root$(dirname "$library")"
      cp -L "$library" "$root$library"
    done`,
  );
});

const noMachine = obstacle();
if (noMachine) {
  console.error(`the programs are not tried on a machine of their own: that ${noMachine}`);
}

Deno.test({
  name: "infra/startup.sh makes a machine that serves with them",
  ignore: noMachine !== undefined,
}, async () => {
  await using machine = await Sandbox.start(await systemdObstacle() ? undefined : "systemd");
  const source = `${machine.shared}/source`;
  const port = freePort();
  await Deno.mkdir(source);
  for (const name of ["kvs-server", "kvs-client", "kvs-bench", "SHA256SUMS"]) {
    await Deno.copyFile(`${bin}/${name}`, `${source}/${name}`);
  }
  for (const name of ["kvs-ready", "kvs-server.service", "startup.sh"]) {
    await Deno.copyFile(new URL(`../../infra/${name}`, import.meta.url), `${source}/${name}`);
  }
  const options = ["KVS_STORE=disk", "KVS_DATA_DIR=/var/lib/kvs/data", `KVS_PORT=${port}`];
  await Deno.writeTextFile(`${source}/kvs-options`, options.join("\n"));
  const { code, text } = await machine.run(`bash ${source}/startup.sh`, { KVS_SOURCE: source });
  assertEquals(code, 0, text);
  const used = await machine.run(
    `export KVS_SERVERS=127.0.0.1:${port}; kvs-client set key value; systemctl restart kvs-server.service; ` +
      "kvs-client get key; systemctl stop kvs-server.service",
  );
  assertEquals(used.text, "value\n");
});

const withDebootstrap = Deno.env.get("KVS_TEST_DEBOOTSTRAP") === "1";
if (!withDebootstrap) {
  console.error("the programs are not tried in a fresh Debian: that takes KVS_TEST_DEBOOTSTRAP=1");
}

Deno.test({
  name: "so is what debootstrap calls a minimal Debian",
  ignore: ROOT_ONLY.ignore || !withDebootstrap,
}, () =>
  tryInRoot(
    "debian",
    `debootstrap --variant=minbase bookworm $root >$root.log 2>&1 || { cat $root.log >&2; exit 1; }
    rm -f $root/dev/null`,
  ));

async function selfExtracting(): Promise<boolean> {
  using file = await Deno.open(`${bin}/kvs-client`);
  const start = new Uint8Array(2);
  await file.read(start);
  return latin1(start) === "#!";
}

/** Each byte as a character. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** How many copies of each thing lie unpacked in a directory: none where nothing must be unpacked. */
async function unpacked(directory: string): Promise<Map<string, number>> {
  const copies = new Map<string, number>();
  if (!await selfExtracting()) return copies;
  for await (const { name } of Deno.readDir(directory)) {
    const prefix = name.slice(0, name.lastIndexOf("-"));
    if (name.includes("-")) copies.set(prefix, (copies.get(prefix) ?? 0) + 1);
  }
  assert(copies.size > 0);
  return copies;
}
