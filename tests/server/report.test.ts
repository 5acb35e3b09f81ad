import { assert, assertEquals, assertMatch } from "@std/assert";
import { runClient } from "../client/run_client.ts";
import { runServer, ServerProcess } from "./process.ts";
import { Harness } from "./harness.ts";

const HTTP = /http on 127\.0\.0\.1:(\d+)/;

/** The files of a tar, by their names without the folder that all are in. */
async function filesOf(tar: string): Promise<Map<string, string>> {
  const directory = await Deno.makeTempDir();
  try {
    const { success } = await new Deno.Command("tar", { args: ["xf", tar, "-C", directory] })
      .output();
    assert(success);
    const files = new Map<string, string>();
    const read = async (folder: string, name: string) => {
      for await (const entry of Deno.readDir(folder)) {
        const path = `${folder}/${entry.name}`;
        if (entry.isDirectory) await read(path, `${name}${entry.name}/`);
        else files.set(`${name}${entry.name}`, await Deno.readTextFile(path));
      }
    };
    for await (const { name } of Deno.readDir(directory)) await read(`${directory}/${name}`, "");
    return files;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await run(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("report: kvs-server tells of its directory, its system and the server that has it", () =>
  inDirectory(async (directory) => {
    const data = `${directory}/data`;
    await using server = await ServerProcess.start(
      ["-p", "-1", "--http", "0", "--data-dir", data],
    );
    await server.says(HTTP);
    const http = HTTP.exec(server.said)![1]!;
    const tar = `${directory}/r.tar`;
    const { code, stdout } = await runServer("report", tar, "--data-dir", data, "--http", http);
    assertEquals(code, 0);
    assertMatch(stdout, /wrote .*r\.tar; read it before you send it: tar xf /);
    assertEquals((await Deno.stat(tar)).mode! & 0o777, 0o600);
    const files = await filesOf(tar);
    assertMatch(files.get("directory.txt")!, /^a server has it$[^]*^ +\d+ {2}\S+Z {2}MANIFEST$/m);
    assertMatch(files.get("manifest.txt")!, /"hashKey": "…"/);
    assertMatch(files.get("options.txt")!, /^data-dir +".*\/data" +--data-dir$/m);
    assertMatch(files.get("version.txt")!, /^kvs \d/);
    assertMatch(files.get("system.txt")!, /^file system +\d+ of \d+ bytes free/m);
    assertEquals(files.get("readyz.txt"), "ready\n");
    assertMatch(files.get("metrics.txt")!, /^memcached_up 1$/m);
    assertMatch(files.get("events.txt")!, /Z notice listening on /);
    const manifest = await Deno.readTextFile(`${data}/MANIFEST`);
    const secret = /"hashKey":"([0-9a-f]{32})"/.exec(manifest)![1]!;
    assertEquals([...files.values()].join("").includes(secret), false);
  }));

Deno.test("report: kvs-server leaves passwords out, and writes over no file", () =>
  inDirectory(async (directory) => {
    const tar = `${directory}/r.tar`;
    const run = () =>
      runServer(
        ...["report", tar, "--store", "redis"],
        ...["--redis-url", "redis://user:hunter2@127.0.0.1:1,redis://:hunter2@127.0.0.1:2"],
        ...["--redis-sentinel-auth", "hunter2"],
      );
    assertEquals((await run()).code, 0);
    const files = await filesOf(tar);
    assertMatch(files.get("options.txt")!, /redis:\/\/user:…@127\.0\.0\.1:1/);
    assertEquals([...files.values()].join("").includes("hunter2"), false);
    const { code, stderr } = await run();
    assertEquals(code, 73);
    assertMatch(stderr, /^kvs-server: cannot write '.*r\.tar': it is there already\n$/);
  }));

Deno.test("report: kvs-client tells of each server without a key or value, and of one that is down", () =>
  inDirectory(async (directory) => {
    const data = `${directory}/data`;
    const tar = `${directory}/r.tar`;
    await using server = await ServerProcess.start(["-p", "-1", "--data-dir", data]);
    using free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const gone = `127.0.0.1:${free.addr.port}`;
    free.close();
    const here = `127.0.0.1:${server.port}`;
    assertEquals((await runClient(here, ["set", "privatekey", "privatevalue"])).code, 0);
    const { code } = await runClient(`${here},${gone}`, ["report", tar]);
    assertEquals(code, 69);
    const files = await filesOf(tar);
    const folder = here.replace(":", "_");
    assertMatch(files.get(`${folder}/stats.txt`)!, /^curr_items 1$/m);
    assertMatch(files.get(`${folder}/events.txt`)!, /^1:text listening on /m);
    assertMatch(files.get(`${folder}/disk.txt`)!, /^free_bytes \d+$/m);
    assertMatch(files.get(`${gone.replace(":", "_")}/missing.txt`)!, /127\.0\.0\.1/);
    assertEquals([...files.values()].join("").includes("private"), false);
  }));

Deno.test("stats events: shows the last lines of the log, where listings are allowed", async () => {
  const events = [{ time: 0, level: "notice" as const, text: "it is so" }];
  await using harness = new Harness({ context: { events } });
  assertEquals(
    await harness.exchange(["stats events\r\n"]),
    "STAT 1:time 1970-01-01T00:00:00.000Z\r\nSTAT 1:level notice\r\nSTAT 1:text it is so\r\nEND\r\n",
  );
  await using careful = new Harness({ context: { events, allowDump: false } });
  assertEquals(
    await careful.exchange(["stats events\r\n"]),
    "CLIENT_ERROR stats events not allowed\r\n",
  );
});
