import { assertEquals, assertThrows } from "@std/assert";
import { repeatedKey } from "../../lib/cli/json_keys.ts";
import { ExitError } from "../../lib/errors.ts";
import {
  choice,
  count,
  duration,
  flag,
  ignored,
  integer,
  list,
  size,
  text,
} from "../../lib/cli/option.ts";
import { parseOptions } from "../../lib/cli/parse.ts";

const spec = {
  config: text({ flags: "--config", value: "FILE", help: "a file of options" }),
  port: integer({ flags: "-p, --port", min: -1, max: 65535, default: 11211, help: "port" }),
  listen: list({ flags: "-l, --listen", default: ["127.0.0.1"], help: "addresses" }),
  memory: size({ flags: "-m, --memory-limit", unit: "m", default: 64 * 2 ** 20, help: "cache" }),
  item: size({ flags: "-I, --max-item-size", min: 1024, max: 2 ** 30, help: "largest item" }),
  idle: duration({ flags: "--idle-timeout", help: "close idle connections" }),
  store: choice({ flags: "--store", of: ["disk", "memory"], default: "disk", help: "store" }),
  shutdown: flag({ flags: "-A, --enable-shutdown", help: "allow shutdown" }),
  verbose: count({ flags: "-v, --verbose", help: "say more" }),
  threads: ignored(integer({ flags: "-t, --threads", min: 1, default: 4, help: "" })),
  largePages: ignored(flag({ flags: "-L, --enable-largepages", help: "" })),
};

function parse(args: string[], env: Record<string, string> = {}, config?: string) {
  return parseOptions(spec, args, new Map(Object.entries(env)), (path) => {
    if (config === undefined || path !== "kvs.json") throw new Error("No such file");
    return config;
  });
}

const defaults = {
  config: undefined,
  port: 11211,
  listen: ["127.0.0.1"],
  memory: 64 * 2 ** 20,
  item: undefined,
  idle: undefined,
  store: "disk",
  shutdown: false,
  verbose: 0,
  threads: 4,
  largePages: false,
} as const;

Deno.test("an option that is not set has its default", () => {
  assertEquals(parse([]).options, defaults);
});

const read: [line: string, options: Partial<Record<keyof typeof defaults, unknown>>][] = [
  ["-p 12", { port: 12 }],
  ["-p12", { port: 12 }],
  ["-p -1", { port: -1 }],
  ["-p-1", { port: -1 }],
  ["--port 12", { port: 12 }],
  ["--port=12", { port: 12 }],
  ["-p 1 -p 2", { port: 2 }],
  ["-v", { verbose: 1 }],
  ["-vv -v", { verbose: 3 }],
  ["--verbose=2", { verbose: 2 }],
  ["-vAp12", { verbose: 1, shutdown: true, port: 12 }],
  ["-vp 12", { verbose: 1, port: 12 }],
  ["-A", { shutdown: true }],
  ["--enable-shutdown=off", { shutdown: false }],
  ["-A --no-enable-shutdown", { shutdown: false }],
  ["-m 32", { memory: 32 * 2 ** 20 }],
  ["-m 1g", { memory: 2 ** 30 }],
  ["-m 512KiB", { memory: 2 ** 19 }],
  ["-I 2048", { item: 2048 }],
  ["-I 1M", { item: 2 ** 20 }],
  ["--idle-timeout 10", { idle: 10_000 }],
  ["--idle-timeout 500ms", { idle: 500 }],
  ["--idle-timeout 0.0001s", { idle: 1 }],
  ["--idle-timeout 0.0s", { idle: 0 }],
  ["--idle-timeout 1.5h", { idle: 5_400_000 }],
  ["--store memory", { store: "memory" }],
  ["-l a,b", { listen: ["a", "b"] }],
  ["-l a -l b,c", { listen: ["a", "b", "c"] }],
  ["-t 4 -L", { threads: 4, largePages: true }],
];
for (const [line, options] of read) {
  Deno.test(`the command line '${line}' is read as getopt reads it`, () => {
    assertEquals(parse(line.split(" ")).options, { ...defaults, ...options });
  });
}

Deno.test("arguments and options stand in any order, and all after -- are arguments", () => {
  const { options, rest } = parse(["incr", "-v", "k", "-5", "-", "--", "-p", "--store"]);
  assertEquals(rest, ["incr", "k", "-5", "-", "-p", "--store"]);
  assertEquals(options.verbose, 1);
});

Deno.test("ignored options are reported with their values", () => {
  assertEquals(parse(["-t4", "--threads", "8", "-L"]).ignored, [
    "-t/--threads 4",
    "--threads 8",
    "-L/--enable-largepages",
  ]);
});

Deno.test("what the command line itself gave is told apart from the rest", () => {
  const { given } = parse(["-p", "1"], { KVS_STORE: "memory" });
  assertEquals([...given], ["port"]);
});

Deno.test("the command line goes before the environment, that before the file", () => {
  const config = '{"port": 1, "memory-limit": "1m", "store": "memory", "listen": ["x", "y"]}';
  const env = { KVS_CONFIG: "kvs.json", KVS_PORT: "2", KVS_MEMORY_LIMIT: "2m" };
  const { options } = parse(["-p", "3"], env, config);
  assertEquals(options, {
    ...defaults,
    config: "kvs.json",
    port: 3,
    memory: 2 * 2 ** 20,
    store: "memory",
    listen: ["x", "y"],
  });
});

Deno.test("an empty environment variable is as good as none", () => {
  assertEquals(parse([], { KVS_PORT: "" }).options.port, 11211);
});

Deno.test("switches in the environment and the file are words or JSON's own", () => {
  assertEquals(parse([], { KVS_ENABLE_SHUTDOWN: "1" }).options.shutdown, true);
  assertEquals(parse([], { KVS_ENABLE_SHUTDOWN: "no" }).options.shutdown, false);
  const file = parse(["--config", "kvs.json"], {}, '{"enable-shutdown": true, "verbose": 2}');
  assertEquals(file.options.shutdown, true);
  assertEquals(file.options.verbose, 2);
});

Deno.test("a bad value that something before it replaces does no harm", () => {
  assertEquals(parse(["-p", "1"], { KVS_PORT: "abc" }).options.port, 1);
});

const refused: [args: string[], env: Record<string, string>, config: string, message: string][] = [
  [["-p", "abc"], {}, "", "-p/--port takes a whole number from -1 to 65535, received 'abc'"],
  [["-p70000"], {}, "", "-p/--port takes a whole number from -1 to 65535, received '70000'"],
  [["--port=1.5"], {}, "", "--port takes a whole number from -1 to 65535, received '1.5'"],
  [["--port"], {}, "", "--port takes a whole number from -1 to 65535, received nothing"],
  [["--prot", "1"], {}, "", "unknown option '--prot'; did you mean '--port'?"],
  [["--banana"], {}, "", "unknown option '--banana'"],
  [["-vx"], {}, "", "unknown option '-x' in '-vx'"],
  [["-x"], {}, "", "unknown option '-x'"],
  [["--no-port"], {}, "", "unknown option '--no-port'; did you mean '--port'?"],
  [["--store", "dsk"], {}, "", "--store takes disk or memory, received 'dsk'"],
  [["-A=maybe"], {}, "", "unknown option '-=' in '-A=maybe'"],
  [["--enable-shutdown=maybe"], {}, "", "--enable-shutdown takes true or false, received 'maybe'"],
  [["-l", "a,,b"], {}, "", "-l/--listen takes a list with commas between, received 'a,,b'"],
  [["-t", "0"], {}, "", "-t/--threads takes a whole number of at least 1, received '0'"],
  [
    ["-I", "12"],
    {},
    "",
    "-I/--max-item-size takes a size such as 512k, 64m or 1g (a plain number counts bytes) " +
    "from 1k to 1g, received '12'",
  ],
  [
    ["--idle-timeout", "soon"],
    {},
    "",
    "--idle-timeout takes a time such as 500ms, 10s or 1h (a plain number counts s), " +
    "received 'soon'",
  ],
  [[], { KVS_PORT: "x" }, "", "KVS_PORT takes a whole number from -1 to 65535, received 'x'"],
  [
    ["--config", "kvs.json"],
    {},
    '{"port": {}}',
    "'port' in 'kvs.json' takes a whole number from -1 to 65535, received '{}'",
  ],
  [
    ["--config", "kvs.json"],
    {},
    '{"listen": ["a", null]}',
    "'listen' in 'kvs.json' takes a list with commas between, received null",
  ],
  [
    ["--config", "kvs.json"],
    {},
    '{"prot": 1}',
    "unknown option 'prot' in 'kvs.json'; did you mean 'port'?",
  ],
  [
    ["--config", "kvs.json"],
    {},
    "[]",
    "the configuration file 'kvs.json' must hold a JSON object",
  ],
  [
    ["--config", "gone.json"],
    {},
    "",
    "cannot read the configuration file 'gone.json': No such file",
  ],
];
for (const [args, env, config, message] of refused) {
  Deno.test(`it refuses with the line: ${message}`, () => {
    const error = assertThrows(() => parse(args, env, config), ExitError);
    assertEquals(error.message, message);
    assertEquals(error.code, 64);
  });
}

Deno.test("a key that stands twice in a configuration file is found, however it is written", () => {
  assertEquals(repeatedKey('{"a": 1, "\\u0061": 2}'), "a");
  assertEquals(repeatedKey('{"a": "b\\": ", "b": [{"a": 1}], "c": {"a": 1}}'), undefined);
});
