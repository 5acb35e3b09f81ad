/** Copies end to end: servers as processes, on a mounted directory and in the emulator's bucket. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Emulator } from "../storage/gcs/emulator/mod.ts";
import { runServer, ServerProcess } from "./process.ts";
import { exchangeWith } from "./wire.ts";

/** As short as may be: a server is taken over from when it has given no sign for so long. */
const FAST = ["--copy-interval", "1s", "--copy-lease", "6s", "-p", "-1"];

/** A directory for everything that a test has. */
async function scratch(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "kvs-copies-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function set(port: number, key: string, value: string): Promise<void> {
  assertEquals(
    await exchangeWith(port, `set ${key} 0 0 ${value.length}\r\n${value}\r\n`),
    "STORED\r\n",
  );
}

async function get(port: number, key: string): Promise<string | undefined> {
  const reply = await exchangeWith(port, `get ${key}\r\n`);
  return /^VALUE \S+ \d+ \d+\r\n([^]*)\r\nEND\r\n$/.exec(reply)?.[1];
}

async function stat(port: number, name: string): Promise<string> {
  return new RegExp(`^STAT ${name} (.*)\r$`, "m").exec(await exchangeWith(port, "stats\r\n"))![1]!;
}

/** Waits until all that is there is copied. */
async function copied(port: number): Promise<void> {
  while (
    await stat(port, "copy_state") !== "copying" || Number(await stat(port, "copy_lag_seconds")) > 0
  ) await new Promise((resolve) => setTimeout(resolve, 50));
}

Deno.test("copies: a disk is thrown away under load, a second server restores the bucket, and the first is fenced", async () => {
  await using emulator = await Emulator.start();
  await using dir = await scratch();
  const to = ["--copy-to", "gs://bucket/one", "--gcs-endpoint", emulator.endpoint];
  const args = [...FAST, ...to, "--restore-if-empty", "--fsync", "always"];
  let acknowledged = 0;
  {
    await using first = await ServerProcess.start([...args, "--data-dir", `${dir.path}/1`]);
    for (let i = 0; i < 200; i++) await set(first.port, `k${i}`, `${i}`.padEnd(100));
    await copied(first.port);
    acknowledged = 200;
    const load = (async () => {
      for (let i = 200;; i++) await set(first.port, `k${i}`, `${i}`.padEnd(100));
    })().catch(() => {});
    const moments = Number(await stat(first.port, "copy_moments"));
    while (Number(await stat(first.port, "copy_moments")) <= moments) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    first.kill("SIGKILL");
    await load;
  }
  {
    await using second = await ServerProcess.start([...args, "--data-dir", `${dir.path}/2`]);
    assertMatch(second.said, /restored the moment of \S+Z from gs:\/\/bucket\/one/);
    for (let i = 0; i < acknowledged; i++) {
      assertEquals(await get(second.port, `k${i}`), `${i}`.padEnd(100));
    }
    // What came with the load is a prefix of it.
    let i = acknowledged;
    while (await get(second.port, `k${i}`) !== undefined) i++;
    assertEquals(Number(await stat(second.port, "curr_items")), i);
    await set(second.port, "own", "second");
    await copied(second.port);
    // The first comes back on its disk: it ends before it listens.
    const back = await runServer(...args, "--data-dir", `${dir.path}/1`);
    assertEquals(back.code, 77);
    assertMatch(
      back.stderr,
      /^\S+ kvs-server: copies have ended: gs:\/\/bucket\/one takes no copies/,
    );
    assert(!back.stderr.includes("listening"));
    // Or it serves without copies.
    await using served = await ServerProcess.start(
      [...args, "--data-dir", `${dir.path}/1`, "--copy-fence", "serve"],
    );
    assertEquals(await get(served.port, "k7"), "7".padEnd(100));
    assertEquals(await stat(served.port, "copy_state"), "fenced");
    served.kill("SIGTERM");
    assertEquals(await served.exit(), 0);
    second.kill("SIGTERM");
    assertEquals(await second.exit(), 0);
  }
  const from = ["--from", "gs://bucket/one", "--gcs-endpoint", emulator.endpoint];
  const verified = await runServer("verify", ...from);
  assertEquals([verified.code, verified.stdout.split("\n").at(-2)], [0, "a restore would succeed"]);
});

Deno.test("copies: flush_all is copied, and a moment before it is restored and goes on in the same copies", async () => {
  await using dir = await scratch();
  const url = `file://${dir.path}/copies`;
  const args = [...FAST, "--copy-to", url, "--fsync", "always"];
  {
    await using server = await ServerProcess.start([...args, "--data-dir", `${dir.path}/1`]);
    await set(server.port, "k", "before");
    await copied(server.port);
    assertEquals(await exchangeWith(server.port, "flush_all\r\n"), "OK\r\n");
    await set(server.port, "other", "after");
    server.kill("SIGTERM");
    assertEquals(await server.exit(), 0);
    assert(!server.said.includes("the copies end"), server.said);
  }
  const list = await runServer("restore", "--from", url, "--list");
  const moments = list.stdout.trim().split("\n");
  assert(moments.length >= 2, list.stdout);
  // The newest has what was acknowledged last.
  const newest = await runServer("restore", "--from", url, "--data-dir", `${dir.path}/newest`);
  assertEquals(newest.code, 0, newest.stderr);
  assertMatch(
    (await runServer("check", "--data-dir", `${dir.path}/newest`)).stdout,
    /\(2 items, /,
  );
  // The last one that has the item.
  const at = moments.at(-2)!.split(" ")[0]!;
  const early = await runServer(
    ...["restore", "--from", url, "--data-dir", `${dir.path}/2`, "--at", at],
  );
  assertEquals(early.code, 0, early.stderr);
  const again = await runServer("restore", "--from", url, "--data-dir", `${dir.path}/2`);
  assertEquals([again.code, again.stdout], [65, ""]);
  assertMatch(again.stderr, /the directory is not empty/);
  {
    await using server = await ServerProcess.start([...args, "--data-dir", `${dir.path}/2`]);
    assertEquals([await get(server.port, "k"), await get(server.port, "other")], [
      "before",
      undefined,
    ]);
    await copied(server.port);
    assertEquals(await stat(server.port, "copy_epoch"), "2");
    server.kill("SIGTERM");
    assertEquals(await server.exit(), 0);
  }
  // The one that was restored from the same moment, and not started first, has lost.
  const twin = await runServer(...args, "--data-dir", `${dir.path}/newest`);
  assertEquals(twin.code, 77);
});

Deno.test("copies: copy --once copies a directory that a server has and one that none has, and an old cas is told apart", async () => {
  await using dir = await scratch();
  const url = `file://${dir.path}/copies`;
  const data = `${dir.path}/data`;
  const once = ["copy", "--once", "--data-dir", data, "--copy-to", url];
  let unique: string;
  {
    await using server = await ServerProcess.start([
      "-p",
      "-1",
      "--data-dir",
      data,
      "--fsync",
      "always",
    ]);
    await set(server.port, "k", "1");
    unique = (await exchangeWith(server.port, "gets k\r\n")).split(" ")[4]!.split("\r")[0]!;
    // A sync marker is written within a second: it is asked for until the item is in.
    for (;;) {
      const copied = await runServer(...once);
      assertEquals(copied.code, 0, copied.stderr);
      const target = `${dir.path}/${crypto.randomUUID()}`;
      const restored = await runServer("restore", "--from", url, "--data-dir", target);
      assertEquals(restored.code, 0, restored.stderr);
      const found = await runServer("check", "--data-dir", target);
      if (found.stdout.includes("(1 item,")) break;
    }
    await set(server.port, "k", "2");
    server.kill("SIGKILL");
    await server.exit();
  }
  const copied = await runServer(...once);
  assertEquals(copied.code, 0, copied.stderr);
  assertMatch(copied.stdout, /: moment \d+ of /);
  const idle = await runServer(...once);
  assertMatch(idle.stdout, /has all of .* already/);
  const target = `${dir.path}/last`;
  assertEquals((await runServer("restore", "--from", url, "--data-dir", target)).code, 0);
  await using server = await ServerProcess.start(["-p", "-1", "--data-dir", target]);
  assertEquals(await get(server.port, "k"), "2");
  assertEquals(
    await exchangeWith(server.port, `cas k 0 0 1 ${unique}\r\n3\r\n`),
    "EXISTS\r\n",
  );
  await set(server.port, "new", "v");
  const next = (await exchangeWith(server.port, "gets new\r\n")).split(" ")[4]!;
  assert(BigInt(next.split("\r")[0]!) > 2n ** 42n);
});

Deno.test("copies: a destination that cannot be used keeps no server from serving, but one that is to restore", async () => {
  await using dir = await scratch();
  // A file is where the copies' disk should be mounted.
  await Deno.writeTextFile(`${dir.path}/file`, "");
  const args = [...FAST, "--copy-to", `file://${dir.path}/file/copies`];
  const empty = await runServer(...args, "--data-dir", `${dir.path}/1`, "--restore-if-empty");
  assertEquals(empty.code, 69, empty.stderr);
  await using server = await ServerProcess.start([...args, "--data-dir", `${dir.path}/1`]);
  await set(server.port, "k", "v");
  assertEquals(await stat(server.port, "copy_state"), "failing");
  await Deno.remove(`${dir.path}/file`);
  await copied(server.port);
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
  assertEquals(server.said.match(/copies fail/g)?.length, 1);
});

Deno.test("copies: wrong options and destinations are refused in a line", async () => {
  for (
    const [args, code, line] of [
      [["--copy-to", "s3://bucket"], 64, /--copy-to is gs:\/\/BUCKET\/PREFIX or file:\/\/\/PATH/],
      [["--restore-if-empty"], 64, /--restore-if-empty goes with --copy-to/],
      [["--store", "memory", "--copy-to", "file:///tmp/x"], 64, /is an option of --store disk/],
      [["copy", "--copy-to", "file:///tmp/x"], 64, /copy goes with --once/],
      [["copy", "--once"], 64, /copy --once needs --copy-to URL/],
      [
        ["--from", "file:///tmp/x"],
        64,
        /--from is an option of the command restore or verify, and no/,
      ],
      [
        ["--once", "--copy-to", "file:///tmp/x"],
        64,
        /--once is an option of the command copy, and no/,
      ],
      [
        ["verify", "--list"],
        64,
        /--list is an option of the command restore, and the command is verify/,
      ],
      [["restore"], 64, /--from URL says where the copies are/],
      [["restore", "--from", "file:///tmp/x", "--at", "yesterday"], 64, /--at/],
      [["--copy-interval", "10ms"], 64, /--copy-interval/],
      [["--copy-bandwidth", "1k"], 64, /--copy-bandwidth is 0 for no limit, or at least 256k/],
    ] as const
  ) {
    const ended = await runServer(...args);
    assertEquals(ended.code, code, `${args.join(" ")}: ${ended.stderr}`);
    assertMatch(ended.stderr, line);
  }
  await using dir = await scratch();
  for (const command of ["verify", "restore"]) {
    const none = await runServer(command, "--from", `file://${dir.path}/none`);
    assertEquals([none.code, none.stdout], [65, ""]);
    assertMatch(none.stderr, /has no copies/);
  }
  // What is only read is not made.
  assertEquals(Array.from(Deno.readDirSync(dir.path)), []);
});
