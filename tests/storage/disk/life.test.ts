/** Locks, kills, directories that cannot be used, and copies. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { binaryString, bytesOf } from "../../../lib/bytes.ts";
import { systemClock } from "../../../lib/clock.ts";
import { ExitError } from "../../../lib/errors.ts";
import {
  backupDirectory,
  checkDirectory,
  type DiskOptions,
  openDiskStore,
} from "../../../lib/storage/disk/mod.ts";
import { itemOf } from "../contract.ts";
import { FaultyFiles, Random } from "./faulty_files.ts";
import { type Caller, callerOf } from "../caller.ts";

function open(directory: string, more: Partial<DiskOptions> = {}): Promise<Caller> {
  return callerOf(openDiskStore({
    directory,
    clock: systemClock,
    fsync: "no",
    memoryLimit: 1 << 20,
    segmentBytes: 1 << 14,
    log: () => {},
    ...more,
  }));
}

async function place(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "kvs-life-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function valueOf(store: Caller, key: string): Promise<string | undefined> {
  const item = await store.read(bytesOf(key));
  return item && binaryString(item.value);
}

async function waitUntil(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function own(store: Caller, name: string): number {
  return Number(new Map(store.info().own).get(name));
}

Deno.test("a second server on a directory is refused, naming the process that has it", async () => {
  await using dir = await place();
  const store = await open(dir.path);
  const error = await assertRejects(() => open(dir.path), ExitError);
  assertEquals(
    error.message,
    `Cannot open data directory '${dir.path}': it is locked by process ${Deno.pid}`,
  );
  assertEquals(error.code, 73);
  await store.close();
  await (await open(dir.path)).close();
});

Deno.test("a directory that cannot be made is refused in one line", async () => {
  await using dir = await place();
  await Deno.writeTextFile(`${dir.path}/file`, "");
  const error = await assertRejects(() => open(`${dir.path}/file/data`), ExitError);
  assertMatch(error.message, /^Cannot open data directory '.*\/file\/data': [^\n]+$/);
  assertEquals(error.code, 73);
});

Deno.test("a directory that Deno's permissions leave out is refused in one line", async () => {
  const main = new URL("../../../server.ts", import.meta.url).pathname;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--frozen", "--quiet", "--no-prompt", "--unstable-net", "--allow-net"],
      ...["--allow-env", "--allow-read", "--allow-sys", "--allow-write=/nowhere"],
      ...[main, "-p", "-1", "--data-dir", "data"],
    ],
  }).output();
  assertEquals(code, 73);
  assertMatch(
    new TextDecoder().decode(stderr),
    /^[^\n]*Cannot open data directory 'data': Requires write access to [^\n]*\n$/,
  );
});

Deno.test("what a killed process acknowledged is there, whole, and not older than that", async () => {
  await using dir = await place();
  const script = new URL("./writer.ts", import.meta.url).pathname;
  const acknowledged = new Map<string, number>();
  for (let round = 0; round < 3; round++) {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", script, dir.path, String(round)],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    let text = "";
    let lines = 0;
    for await (const chunk of child.stdout) {
      text += new TextDecoder().decode(chunk);
      lines += chunk.filter((byte) => byte === 10).length;
      if (lines >= 3000) break;
    }
    child.kill("SIGKILL");
    await child.status;
    for (const line of text.split("\n").slice(0, -1)) {
      const [key, n] = line.split(" ");
      acknowledged.set(key, Number(n));
    }
    const store = await open(dir.path);
    for (const [key, n] of acknowledged) {
      const value = await valueOf(store, key);
      assert(value !== undefined, `${key} is gone`);
      const [is, rest] = value.split(" ");
      assert(Number(is) >= n, `${key} went back from ${n} to ${is}`);
      assertEquals(rest, "x".repeat(Number(is) % 300), "a value is whole");
    }
    await store.close();
    assertEquals((await checkDirectory({ directory: dir.path })).damaged, []);
  }
  assert(acknowledged.size > 100);
});

Deno.test("a copy made under load starts, with what was there when it was made", async () => {
  await using dir = await place();
  await using target = await place();
  const store = await open(dir.path);
  for (let i = 0; i < 500; i++) {
    store.swap(bytesOf(`steady${i}`), "any", itemOf(`v${i}`.padEnd(100)));
  }
  await store.commit();
  let stop = false;
  let written = 0;
  const load = (async () => {
    while (!stop) {
      for (let i = 0; i < 20; i++) {
        store.swap(bytesOf(`hot${written++ % 50}`), "any", itemOf(`${written}`.padEnd(200)));
      }
      await store.commit();
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  })();
  for (let n = 0; n < 3; n++) {
    const before = written;
    const copy = `${target.path}/${n}`;
    const report = await backupDirectory({ directory: dir.path, target: copy });
    assert(report.segments > 1 && report.bytes > 50_000);
    const restored = await open(copy);
    for (let i = 0; i < 500; i++) {
      assertEquals(await valueOf(restored, `steady${i}`), `v${i}`.padEnd(100));
    }
    assert(restored.info().items <= 550);
    let newest = 0;
    for (let i = 0; i < 50 && before > 50; i++) {
      newest = Math.max(newest, Number(await valueOf(restored, `hot${i}`)));
    }
    assert(before <= 50 || newest >= before, `${newest} of ${before}`);
    await restored.close();
    const { damaged, torn, problems } = await checkDirectory({ directory: copy });
    assertEquals([damaged, torn, problems], [[], [], []]);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  stop = true;
  await load;
  assert((await checkDirectory({ directory: dir.path })).inUse);
  await store.close();
  await assertRejects(
    () => backupDirectory({ directory: dir.path, target: `${target.path}/0` }),
    ExitError,
    "the target is not empty",
  );
  const stopped = await backupDirectory({ directory: dir.path, target: `${target.path}/stopped` });
  assertEquals(stopped.linkedBytes, stopped.bytes, "sealed segments are linked");
});

Deno.test("many restarts with a write each do not leave many files", async () => {
  await using dir = await place();
  for (let i = 0; i < 40; i++) {
    const store = await open(dir.path);
    await store.swap(bytesOf(`k${i}`), "any", itemOf(`${i}`));
    await store.commit();
    if (i > 20) await waitUntil(() => own(store, "segments") < 14);
    await store.close();
  }
  const store = await open(dir.path);
  for (let i = 0; i < 40; i++) assertEquals(await valueOf(store, `k${i}`), `${i}`);
  await store.close();
});

Deno.test("a copy does not give out the uniques of an original that goes on after a kill", async () => {
  const files = new FaultyFiles(new Random(9));
  const k = bytesOf("k");
  let store = await open("d", { files: files.mount() });
  await store.swap(k, "any", itemOf("v"));
  await store.commit();
  await backupDirectory({ directory: "d", target: "copy", files });
  files.powerCut(true);
  await store.close().catch(() => {});
  store = await open("d", { files: files.mount() });
  const copy = await open("copy", {
    files: new Proxy(files, {
      // There is one lock, and both stores are open at the same time.
      get: (target, name) =>
        name === "lock" ? () => ({ close() {} }) : Reflect.get(target, name).bind?.(target),
    }),
  });
  const uniques = new Set<unknown>();
  for (let i = 0; i < 50; i++) {
    uniques.add(await store.swap(k, "any", itemOf("original")));
    uniques.add(await copy.swap(k, "any", itemOf("copy")));
  }
  assertEquals(uniques.size, 100);
  await store.close();
  await copy.close();
});
