import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Report } from "../../lib/load/report.ts";
import { Client } from "../../lib/client/client.ts";
import { dialects, startKvs } from "../client/servers.ts";
import { Terminal, tmuxMissing } from "../client/run_client.ts";
import { startFakeServer } from "./fake_server.ts";

const program = new URL("../../multiclient.ts", import.meta.url).pathname;
const generator = new URL("../../generate.ts", import.meta.url).pathname;

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(script: string, args: readonly string[]): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", script, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

async function reportOf(address: string, ...args: string[]): Promise<Report> {
  const { code, out, err } = await run(program, ["--json", "--server", address, ...args]);
  assertEquals([code, err], [0, ""]);
  return JSON.parse(out);
}

for (const { name, protocol, ignore, start } of dialects) {
  Deno.test({ name: `multiclient on ${name}: every request is counted once`, ignore }, async () => {
    await using server = await start();
    const args = ["20", "--verify", "--key-count", "50", "--protocol", protocol];
    const report = await reportOf(server.address, ...args);
    const { get, set } = report.commands;
    assertEquals([report.clients, report.requests], [20, 2000]);
    assertEquals(get!.requests + set!.requests, 2000);
    assertEquals(get!.hits! + get!.misses!, get!.requests);
    assertEquals([report.errors, report.wrong], [{}, {}]);
    assert(get!.hits! > 100);
  });

  Deno.test({
    name: `multiclient on ${name}: threads, pipelines, a duration and a rate go together`,
    ignore,
  }, async () => {
    await using server = await start();
    const args = ["10", "--threads", "2", "--pipeline", "4", "--duration", "300ms"];
    args.push("--protocol", protocol);
    const report = await reportOf(server.address, ...args, "--verify", "--key-dist", "zipf");
    assertEquals([report.threads, report.errors, report.wrong], [2, {}, {}]);
    const paced = await reportOf(server.address, ...args, "--rate", "1000");
    assertEquals(paced.requests + paced.unsent, 300);
  });
}

Deno.test("multiclient takes the files of generate, and gets what they say", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await run(generator, ["50", "--out", directory, "--value-size", "1-3000"]);
    const files = ["--keys", `${directory}/keys.txt`, "--values", `${directory}/values.txt`];
    await using server = await startKvs();
    const filled = await reportOf(server.address, "4", ...files, "--get-ratio", "0");
    assertEquals(Object.keys(filled.commands), ["set"]);
    const read = await reportOf(server.address, "4", ...files, "--get-ratio", "1", "--verify");
    assertEquals(Object.keys(read.commands), ["get"]);
    assert(read.commands.get!.hits! > 300);

    await Deno.writeTextFile(`${directory}/values.txt`, "too\nfew\n");
    const { code, err } = await run(program, files);
    assertEquals(code, 64);
    assertMatch(
      err,
      /^kvs-bench: --values must have a line for each of --keys: .* has 2, .* 50\n$/,
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

for (const { name, protocol, ignore, start } of dialects) {
  Deno.test({
    name: `multiclient takes keys of any bytes where the protocol does (${name})`,
    ignore,
    fn: async () => {
      await using server = await start();
      const directory = await Deno.makeTempDir();
      try {
        const file = `${directory}/keys.txt`;
        await Deno.writeFile(file, new Uint8Array([97, 32, 98, 10, 0, 255, 13, 1, 10]));
        const args = ["2", "--verify", "--keys", file, "--protocol", protocol];
        if (protocol === "text") {
          const { code, err } = await run(program, ["--server", server.address, ...args]);
          assertEquals([code, err], [
            65,
            `kvs-bench: line 1 of '${file}' is a key that needs --protocol meta or binary\n`,
          ]);
        } else {
          const report = await reportOf(server.address, ...args);
          assertEquals([report.requests, report.errors, report.wrong], [200, {}, {}]);
          assert(report.commands.get!.hits! > 50);
        }
        await Deno.writeTextFile(file, "fine\n\n");
        const { code, err } = await run(program, ["--server", server.address, ...args]);
        assertEquals(code, 65);
        assert(err.endsWith(`line 2 of '${file}': a key has at least one byte\n`), err);
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}

Deno.test("multiclient prints a table with a row a command", async () => {
  await using server = await startKvs();
  const { code, out } = await run(program, ["3", "--server", server.address]);
  assertEquals(code, 0);
  assertMatch(out, /^3 clients, 300 requests in \d+\.\d{3} s: [\d,]+ a second\n\n/);
  assertMatch(out, /requests +per s +failed +hits +misses +p50 +p90 +p99 +p99\.9 +max ms\n/);
  const table = out.split("\n").slice(2, 5);
  assertEquals(table.map((line) => line.slice(0, 3)), ["   ", "get", "set"]);
  // As a terminal shows it: the widest numbers here are latencies of a second and more.
  assertEquals(table.filter((line) => line.length > 90), []);
  assertMatch(out, /\nget +\d+/);
  assertMatch(out, /\nset +\d+/);
  assertMatch(out, /\nno errors\nno wrong answers\nthe generator used \d+ % of what CPU it could/);
});

Deno.test("multiclient says what is wrong with its options, with 64, and what is not there, with 69", async () => {
  for (
    const [args, code, message] of [
      [["0"], 64, "N takes a whole number from 1 to 1000000, received '0'"],
      [["--get-ratio", "2"], 64, "--get-ratio takes a number from 0 to 1, received '2'"],
      [["--server", "a:b:c"], 64, "--servers: a server is "],
      [["--values", "x"], 64, "--values needs --keys"],
      [["--keys", "/none"], 64, "cannot read '/none': "],
      [["2", "--server", "127.0.0.1:1"], 69, "client 1 of 2: cannot reach 127.0.0.1:1: "],
    ] as const
  ) {
    const ended = await run(program, args);
    assertEquals([ended.code, ended.out], [code, ""], message);
    assert(ended.err.startsWith(`kvs-bench: ${message}`), ended.err);
  }
});

Deno.test("multiclient reads lines of LF or CRLF, from a file or a pipe, and refuses a mixture", async () => {
  const directory = await Deno.makeTempDir();
  await using server = await startKvs();
  const file = `${directory}/keys.txt`;
  for (const content of ["one\ntwo\n", "one\ntwo", "one\r\ntwo\r\n", "one\r\ntwo"]) {
    await Deno.writeTextFile(file, content);
    const { code, stderr } = await new Deno.Command("sh", {
      args: [
        "-c",
        'cat "$1" | "$0" run -A --no-check "$2" 2 --get-ratio 0 --keys /dev/stdin -s "$3"',
      ]
        .concat(Deno.execPath(), file, program, server.address),
    }).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""], JSON.stringify(content));
    using client = new Client({ servers: [server.address] });
    const keys = (await Array.fromAsync(client.keys())).flat().map(({ key }) => key);
    assertEquals(keys.map((key) => new TextDecoder().decode(key)).sort(), ["one", "two"]);
    await client.flushAll();
  }
  for (const [content, line, these] of [["a\r\nb\n", 2, "LF"], ["a\nb\r\n", 2, "CRLF"]] as const) {
    await Deno.writeTextFile(file, content);
    const { code, err } = await run(program, ["--keys", file, "--server", server.address]);
    assertEquals(code, 65);
    assert(err.startsWith(`kvs-bench: line ${line} of '${file}' ends in ${these}, `), err);
  }
  await Deno.remove(directory, { recursive: true });
});

Deno.test("multiclient takes counts in thousands, and writes its latencies for HdrHistogram", async () => {
  await using server = await startKvs();
  const file = await Deno.makeTempFile();
  const args = ["4", "--requests", "1k", "--key-count", "2k", "--hgrm", file];
  const report = await reportOf(server.address, ...args);
  assertEquals(report.requests, 4000);
  const lines = (await Deno.readTextFile(file)).split("\n");
  await Deno.remove(file);
  assertMatch(lines[0]!, /^ +Value +Percentile +TotalCount +1\/\(1-Percentile\)$/);
  assert(lines.some((line) => /Total count += +4000\]/.test(line)), lines.join("\n"));
  const nowhere = ["--server", server.address, "--json", "--hgrm", `${file}/nowhere`];
  const { code, out } = await run(program, nowhere);
  assertEquals([code, JSON.parse(out).errors], [73, {}]);
});

Deno.test({
  name:
    "on a terminal multiclient shows percentiles while it runs, and Ctrl-C ends it with a report",
  ignore: tmuxMissing,
  fn: async () => {
    await using server = await startKvs();
    const command = `${Deno.execPath()} run -A --no-check ${program} 2 --rate 200 --duration 1h`;
    await using terminal = await Terminal.start(command, { KVS_SERVERS: server.address });
    const line = /^([\d,]+) requests in \d+ s, 0 errors; p50 [\d.]+, p99 [\d.]+, max [\d.]+ ms\n*$/;
    const [, first] = line.exec(await terminal.shows(line))!;
    // It is one line, which changes.
    while (line.exec(await terminal.shows(line))![1] === first);
    await terminal.type("C-c");
    const screen = await terminal.shows(/ended with 130/);
    assertMatch(screen, /requests, +[\d,]+ a second|\bp99\b/);
    assert(!/errors; p50/.test(screen), screen);
  },
});

Deno.test("the clock ends a run whose rate nothing can keep, and what was not sent is counted", async () => {
  await using server = await startKvs();
  const args = ["4", "--rate", "100000000", "--duration", "300ms", "--json"];
  const { code, out } = await run(program, ["--server", server.address, ...args]);
  const report: Report = JSON.parse(out);
  assertEquals([code, report.requests + report.unsent], [0, 30_000_000]);
  assert(report.unsent > 0);
});

Deno.test("the clock ends a run whose server is silent, and what is in flight has failed", async () => {
  using server = startFakeServer({ silent: true });
  const args = ["4", "--duration", "300ms", "--timeout", "1h", "--json"];
  const { code, out } = await run(program, ["--server", server.address, ...args]);
  const report: Report = JSON.parse(out);
  assertEquals([code, report.requests], [70, 4]);
  assertEquals(report.errors, { "no reply by the end of the run": 4 });
  const failed = Object.values(report.commands).map(({ failed }) => failed);
  assertEquals(failed.reduce((sum, count) => sum + count), 4);
});

/** A run of multiclient that is interrupted when something has happened. */
async function interrupted(address: string, happened: () => Promise<unknown>): Promise<Ended> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", program, "2", "--server", address, "--json"],
      ...["--duration", "1h", "--timeout", "1h"],
    ],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await happened();
  child.kill("SIGINT");
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test("Ctrl-C ends a run in order, with its report and exit code 130", async () => {
  await using server = await startKvs();
  using client = new Client({ servers: [server.address] });
  const { code, out } = await interrupted(server.address, async () => {
    while (await client.get("sent") === undefined) {
      const [stats] = (await client.stats()).values();
      if (Number(stats!.get("cmd_set")) > 0) await client.set("sent", "");
    }
  });
  const report: Report = JSON.parse(out);
  assertEquals([code, report.requests > 0, report.errors], [130, true, {}]);
});

Deno.test("Ctrl-C ends a run whose clients still connect", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const sockets: Deno.Conn[] = [];
  const { code, out, err } = await interrupted(`127.0.0.1:${listener.addr.port}`, async () => {
    sockets.push(await listener.accept(), await listener.accept());
    for (const socket of sockets) await socket.read(new Uint8Array(100));
  });
  for (const socket of sockets) socket.close();
  assertEquals([code, out, err], [130, "", "kvs-bench: interrupted\n"]);
});
