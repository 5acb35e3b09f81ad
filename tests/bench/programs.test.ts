import { assert, assertEquals } from "@std/assert";
import type { Comparison } from "../../bench/comparison.ts";
import { versionOf } from "../../bench/machine.ts";
import { outline } from "./xml.ts";

const linuxOnly = { ignore: Deno.build.os !== "linux" };

async function run(script: string, ...args: string[]) {
  const path = new URL(`../../bench/${script}`, import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", path, ...args],
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test({
  name: "bench measures every server under every workload, and its own ceiling",
  ...linuxOnly,
  async fn() {
    const { code, out, err } = await run(
      "throughput.ts",
      ...["--stores", "memory", "--connections", "2", "--pipelines", "3", "--keys", "100"],
      ...["--seconds", "100ms", "--rounds", "1", "--json"],
    );
    assertEquals(code, 0, err);
    const { rows } = JSON.parse(out);
    for (const operation of ["get", "set"]) {
      for (const server of ["echo", "kvs memory"]) {
        const row = rows.find((row: { operation: string; server: string }) =>
          row.operation === operation && row.server === server
        );
        assert(row.operationsPerSecond > 0, `${operation} ${server}`);
        // The kernel counts in ticks, of which so short a run may have none on a loaded machine.
        assert(row.cpuMicroseconds >= 0, `${operation} ${server}`);
      }
    }
  },
});

Deno.test({
  name: "a profile divides a server's CPU time among its parts",
  ...linuxOnly,
  async fn() {
    const args = ["--connections", "2", "--keys", "100", "--seconds", "300ms", "--json"];
    const { code, out, err } = await run("profile.ts", ...args);
    assertEquals(code, 0, err);
    const parts = JSON.parse(out).rows.map(({ part }: { part: string }) => part);
    assertEquals(new Set(parts).size, parts.length);
    // Which of them so short a run meets is chance.
    assert(parts.length > 1, out);
  },
});

Deno.test({
  name: "bench-fsync sets kvs beside Redis under each policy",
  ignore: linuxOnly.ignore || await versionOf(["redis-server", "--version"]) === undefined,
  async fn() {
    const args = ["--connections", "3", "--keys", "100", "--seconds", "100ms", "--rounds", "1"];
    const { code, out, err } = await run("fsync.ts", ...args, "--json");
    assertEquals(code, 0, err);
    const { rows } = JSON.parse(out);
    assertEquals(
      rows.map(({ fsync, server }: Record<string, string>) => `${fsync} ${server}`),
      ["always", "everysec", "no"].flatMap((fsync) => [`${fsync} kvs`, `${fsync} redis`]),
    );
    for (const { setsPerSecond } of rows) assert(setsPerSecond > 0);
  },
});

Deno.test({
  name: "bench-large sets large values beside memcached's, and the wait of others",
  ignore: linuxOnly.ignore || await versionOf(["memcached", "--version"]) === undefined,
  async fn() {
    const args = ["--stores", "memory", "--sizes", "1000", "--connections", "3"];
    const { code, out, err } = await run(
      "large.ts",
      ...args,
      ...["--seconds", "100ms", "--rounds", "1", "--json"],
    );
    assertEquals(code, 0, err);
    const { rows } = JSON.parse(out);
    assertEquals(
      rows.map(({ what, store }: Record<string, string>) => `${what} ${store}`),
      ["get memory", "set memory", "others memory"],
    );
  },
});

Deno.test({
  name: "bench-tls sets kvs beside memcached without TLS, with it and with clients' certificates",
  ignore: linuxOnly.ignore || !/^-Z,/m.test(await helpOf("memcached")),
  async fn() {
    const args = ["--keys", "100", "--seconds", "300ms", "--rounds", "1", "--json"];
    const { code, out, err } = await run("tls.ts", ...args);
    assertEquals(code, 0, err);
    const { rows } = JSON.parse(out);
    assertEquals(
      rows.map(({ server, way, pipeline }: Record<string, string>) =>
        `${server} ${way} ${pipeline}`
      ),
      [1, 16].flatMap((pipeline) =>
        ["plain", "TLS", "mutual TLS"].flatMap((way) =>
          ["kvs", "memcached"].map((server) => `${server} ${way} ${pipeline}`)
        )
      ),
    );
  },
});

Deno.test({
  name: "bench-logins logs clients in without users, by passwords and by hashes",
  ...linuxOnly,
  async fn() {
    const { code, out, err } = await run(
      "logins.ts",
      "--seconds",
      "300ms",
      "--rounds",
      "1",
      "--json",
    );
    assertEquals(code, 0, err);
    const { rows } = JSON.parse(out);
    assertEquals(rows.map(({ users }: Record<string, string>) => users), ["none", "-Y", "--users"]);
  },
});

Deno.test({
  name: "bench-copies copies, restores, and reads and writes the same bytes",
  ...linuxOnly,
  async fn() {
    const { code, out, err } = await run(
      "copies.ts",
      ...["--bytes", "1m", "--value-sizes", "1000", "--rounds", "1", "--json"],
    );
    assertEquals(code, 0, err);
    const { rows } = JSON.parse(out);
    assertEquals(
      rows.map((row: Record<string, string>) => `${row.in}: ${row.what}`),
      ["bucket", "file"].flatMap((place) =>
        ["copy", "verify", "restore", "read and write"].map((what) => `${place}: ${what}`)
      ),
    );
    for (const { megabytes } of rows) assert(megabytes >= 1 && megabytes < 2);
  },
});

/** What a program says of its options; nothing where it is not installed. */
async function helpOf(program: string): Promise<string> {
  try {
    const { stdout } = await new Deno.Command(program, { args: ["-h"] }).output();
    return new TextDecoder().decode(stdout);
  } catch {
    return "";
  }
}

Deno.test({
  name: "compare measures the stores it can reach and writes page, charts and figures",
  ...linuxOnly,
  async fn() {
    const directory = await Deno.makeTempDir();
    try {
      const { code, out, err } = await run(
        "compare.ts",
        ...["--stores", "memcached,memory,always,gcs", "--calls", "20", "--clients", "1,3"],
        ...["--parts", "calls,clients", "--seconds", "100ms", "--out", directory],
      );
      assertEquals(code, 0, err);
      assert(out.includes("kvs disk, fsync always"));
      const comparison: Comparison = JSON.parse(
        await Deno.readTextFile(`${directory}/comparison.json`),
      );
      const here = comparison.contestants.map(({ id }) => id);
      assertEquals(here.filter((id) => id !== "memcached"), ["memory", "always", "gcs"]);
      assertEquals(comparison.calls.length, here.length * 3);
      assertEquals(comparison.clients.length, here.length * 2);
      assertEquals(comparison.ceiling.length, 2);
      for (const { answered, refused } of comparison.calls) {
        assertEquals([answered, refused], [20, 0]);
      }
      for (const { failed } of comparison.clients) assertEquals(failed, 0);
      const files = [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
      const svgs = ["get.svg", "latency.svg", "set-one-key.svg", "set.svg", "throughput.svg"];
      assertEquals(
        files,
        [...svgs, "comparison.csv", "comparison.json", "index.html"].sort(),
      );
      for (const name of svgs) outline(await Deno.readTextFile(`${directory}/${name}`));
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

/** What `compare` finds with these options. */
async function compared(...args: string[]): Promise<Comparison> {
  const directory = await Deno.makeTempDir();
  try {
    const { code, err } = await run("compare.ts", ...args, "--out", directory);
    assertEquals(code, 0, err);
    return JSON.parse(await Deno.readTextFile(`${directory}/comparison.json`));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test({
  name: "compare measures aims as ratios of servers that take turns",
  ...linuxOnly,
  async fn() {
    const { aims, leftOut } = await compared("--parts", "aims", "--quick", "--aims", "memory");
    assert(leftOut.every(({ label }) => label.startsWith("memcached")), JSON.stringify(leftOut));
    assertEquals(new Set(aims.map(({ subject }) => subject.server)), new Set(["memory"]));
    const floor = aims.filter(({ baseline }) => baseline.server === "floor");
    assertEquals(floor.map(({ connections }) => connections), [50, 1000]);
    for (const { subject, baseline, rateRatio } of aims) {
      assert(subject.operationsPerSecond > 0 && baseline.operationsPerSecond > 0);
      assert(rateRatio > 0);
    }
  },
});

Deno.test({
  name: "compare measures kvs on Redis among the stores and among the aims of one run",
  ignore: linuxOnly.ignore || await versionOf(["redis-server", "--version"]) === undefined,
  async fn() {
    const { contestants, aims, leftOut } = await compared(
      ...["--parts", "calls,aims", "--stores", "redis", "--calls", "5"],
      ...["--aims", "kvs redis", "--quick"],
    );
    assertEquals(leftOut, []);
    assertEquals(contestants.map(({ id }) => id), ["redis"]);
    assertEquals(new Set(aims.map(({ subject }) => subject.server)), new Set(["kvs redis"]));
  },
});

Deno.test({
  name: "compare measures latencies while there is compaction, beside memcached's",
  ...linuxOnly,
  async fn() {
    const { latencies, leftOut } = await compared("--parts", "latencies", "--quick");
    if (leftOut.length > 0) {
      assertEquals(leftOut.map(({ label }) => label), ["memcached"]);
      return;
    }
    assertEquals(latencies.map(({ subject }) => subject.server), ["everysec"]);
    for (const { rate, subject, baseline } of latencies) {
      assert(rate > 0);
      for (const { p50, p99, p999 } of [subject, baseline]) {
        assert(0 < p50 && p50 <= p99 && p99 <= p999);
      }
    }
  },
});

Deno.test({
  name: "compare measures upkeep on this checkout and on another one",
  ...linuxOnly,
  async fn() {
    const here = new URL("../..", import.meta.url).pathname;
    const { upkeep } = await compared(
      ...["--parts", "upkeep", "--upkeep-keys", "1000", "--upkeep-seconds", "300ms"],
      ...["--before", here],
    );
    assertEquals(
      upkeep.map(({ name }) => name.split(/[, ]/)[0]),
      ["fill", "start", "dump", "restore", "a"],
    );
    for (const { now, before } of upkeep) assert(now.seconds > 0 && before!.seconds > 0);
  },
});

Deno.test({
  name: "bench-disk measures starts, and latency with and without compaction",
  ...linuxOnly,
  async fn() {
    const { code, out, err } = await run(
      "disk.ts",
      ...["--parts", "starts,compaction", "--keys", "1000", "--compacted-keys", "2000"],
      ...["--max-disk", "20m", "--rate", "500", "--seconds", "100ms"],
    );
    assertEquals(code, 0, err);
    assertEquals(out.match(/^start with 1000 keys +\d+\.\d\d s$/gm)?.length, 3, out);
    const loads = out.match(/^.*no compaction .*$|^.*, compaction .*$/gm)!;
    assertEquals(loads.length, 4, out);
    for (const load of loads) assertEquals(load.split(/ +/).at(-1), "0", "errors in: " + load);
    assert(/divided by p99 without: \d+\.\d\d at the rate/.test(out), out);
  },
});

Deno.test({
  name: "soak checks what it reads, and says so",
  ...linuxOnly,
  async fn() {
    const { code, out, err } = await run(
      "soak.ts",
      ...["--duration", "300ms", "--values", "100k", "--memory", "1m"],
    );
    assertEquals(code, 0, err);
    assertEquals(out.trimEnd().split("\n").at(-1), "every value read was the one stored last");
  },
});

Deno.test({
  name: "watched measures a server with and without what watches it",
  ...linuxOnly,
  async fn() {
    const { code, out, err } = await run("watched.ts", "--rounds", "1", "--batches", "200");
    assertEquals(code, 0, err);
    assertEquals(
      out.match(/^(not watched|--http|--http --slow-ms 100) +(1|16) +\d/gm)?.length,
      6,
      out,
    );
  },
});

Deno.test({
  name: "pages opens live pages that end in every way, and says whether all were dropped",
  ...linuxOnly,
  async fn() {
    const { code, out, err } = await run("pages.ts", "--duration", "3s", "--pages", "10");
    assertEquals(code, 0, out + err);
    assert(
      out.trimEnd().endsWith("was dropped within 100 s, and none that read"),
      out,
    );
  },
});

Deno.test("bench and compare say what is wrong with their options, with 64", async () => {
  for (
    const [script, args, message] of [
      [
        "throughput.ts",
        ["--stores", "floppy"],
        "bench: --stores takes memory, everysec, always, no, ",
      ],
      ["throughput.ts", ["--connections", "0"], "bench: --connections takes whole numbers "],
      ["disk.ts", ["--parts", "floppy"], "bench-disk: --parts takes calls, starts, "],
      ["soak.ts", ["--fsync", "sometimes"], "soak: --fsync takes "],
      ["compare.ts", ["--stores", "floppy"], "compare: --stores takes memcached, memory, "],
      ["compare.ts", ["--parts", "floppy"], "compare: --parts takes calls, clients, "],
      ["compare.ts", ["--before", "/dev"], "compare: --before takes a checkout of kvs, "],
      ["compare.ts", ["--calls", "x"], "compare: --calls takes whole numbers of at least 1, "],
    ] as const
  ) {
    const { code, err } = await run(script, ...args);
    assertEquals(code, 64, err);
    assert(err.startsWith(message), err);
  }
});
