import { assert, assertEquals, assertMatch } from "@std/assert";
import { bytesOf } from "../../lib/bytes.ts";
import { client, type Ran, runClient } from "./run_client.ts";
import { dialects, memcachedMissing, servers, startKvs, startMemcached } from "./servers.ts";

const done = { code: 0, stdout: "", stderr: "" };

/** The shell's lines run one after another in one process; what they print comes in their order. */
async function runLines(server: string, lines: string[], ...options: string[]): Promise<Ran> {
  const { code, stdout, stderr } = await runClient(server, [...options, "shell"], {
    stdin: lines.join("\n"),
  });
  return { code, stdout, stderr };
}

for (const { name, ignore, start } of servers) {
  const test = (title: string, body: (server: string) => Promise<void>) =>
    Deno.test({
      name: `${title} (${name})`,
      ignore,
      fn: async () => {
        await using server = await start();
        await body(server.address);
      },
    });

  test("every command prints values on standard output and returns its exit code", async (server) => {
    const ran = async (...args: string[]) => {
      const { code, stdout, stderr } = await runClient(server, args);
      return { code, stdout, stderr };
    };
    await Promise.all([
      (async () => {
        assertEquals(await ran("set", "a", "hello", "--flags", "7"), done);
        assertEquals(await ran("get", "a"), { ...done, stdout: "hello\n" });
        assertEquals(await ran("get", "a", "--raw"), { ...done, stdout: "hello" });
        assertEquals(await ran("get", "none", "a"), {
          code: 1,
          stdout: "hello\n",
          stderr: "not found: none\n",
        });
        assertEquals(await ran("delete", "a"), done);
        assertEquals(await ran("delete", "a"), { code: 1, stdout: "", stderr: "not found: a\n" });
      })(),
      (async () => {
        assertEquals(await ran("add", "b", "2"), done);
        assertEquals(await ran("add", "b", "2"), {
          code: 1,
          stdout: "",
          stderr: "not stored: there is a value: b\n",
        });
        assertEquals(await ran("replace", "b", "1"), done);
        assertEquals(await ran("append", "b", "0"), done);
        assertEquals(await ran("prepend", "b", "9"), done);
        assertEquals(await ran("incr", "b", "10"), { ...done, stdout: "920\n" });
        assertEquals(await ran("decr", "b"), { ...done, stdout: "919\n" });
        assertEquals(await ran("touch", "b", "10m"), done);
      })(),
      (async () => {
        const missing = { code: 1, stdout: "", stderr: "not found: none\n" };
        assertEquals(await ran("incr", "none"), missing);
        assertEquals(await ran("touch", "none", "0"), missing);
        assertEquals((await ran("replace", "none", "v")).code, 1);
        assertEquals((await ran("cas", "none", "v", "1")).code, 1);
        assertMatch((await ran("version")).stdout, /^\d+\.\d+\.\d+.*\n$/);
        assertMatch((await ran("stats")).stdout, /^pid \d+\n(?:\w+ \S+\n)+$/);
        assertMatch((await ran("ping")).stdout, /^127\.0\.0\.1:\d+ \d+\.\d+ ms\n$/);
      })(),
    ]);
    assertEquals(await ran("keys"), { ...done, stdout: "b\n" });
    assertEquals(await ran("flush"), done);
    assertEquals(await ran("keys"), done);
  });

  test("with --json every command prints JSON", async (server) => {
    const lines = [
      'set a "h\\n" --flags 7 --ttl 1h',
      "get a none",
      "add a v",
      "incr a-number",
      "set n 18446744073709551614",
      "incr n",
      "touch n 0",
      "delete n none",
      "keys",
      "flush",
      "get a",
    ];
    const { code, stdout } = await runLines(server, lines, "--json");
    assertEquals(code, 1);
    assertEquals(
      stdout.replace(/"cas":"\d+"/, '"cas":"1"').replace(/"expires":\d+/, '"expires":1').split(
        "\n",
      ),
      [
        '{"key":"a","result":"stored"}',
        '{"key":"a","value":"h\\n","flags":7,"cas":"1"}',
        '{"key":"none","value":null}',
        '{"key":"a","result":"not stored: there is a value"}',
        '{"key":"a-number","result":"not found"}',
        '{"key":"n","result":"stored"}',
        '{"key":"n","value":18446744073709551615}',
        '{"key":"n","result":"touched"}',
        '{"key":"n","result":"deleted"}',
        '{"key":"none","result":"not found"}',
        '{"key":"a","expires":1}',
        '{"result":"flushed"}',
        '{"key":"a","value":null}',
        "",
      ],
    );
    const [stats, version, ping] = await Promise.all(
      ["stats", "version", "ping"].map((command) => runClient(server, [command, "--json"])),
    );
    assertEquals(JSON.parse(stats!.stdout)[server].curr_connections !== undefined, true);
    assertEquals(typeof JSON.parse(version!.stdout)[server], "string");
    assertEquals(typeof JSON.parse(ping!.stdout)[server], "number");
  });

  test("a value of any bytes goes in by standard input and comes out whole", async (server) => {
    const value = Uint8Array.from({ length: 300_000 }, (_, i) => i * 7);
    assertEquals((await runClient(server, ["set", "k", "-"], { stdin: value })).code, 0);
    assertEquals((await runClient(server, ["get", "k", "--raw"])).bytes, value);
  });

  test("cas stores what nobody has changed since", async (server) => {
    const { stdout } = await runLines(server, ["set k v", "gets k"]);
    const [unique, value] = stdout.trimEnd().split(" ");
    assertEquals(value, "v");
    const { code, stderr } = await runLines(server, [`cas k w ${unique}`, `cas k x ${unique}`]);
    assertEquals([code, stderr], [1, "not stored: another has changed it: k\n"]);
    assertEquals((await runClient(server, ["get", "k"])).stdout, "w\n");
  });

  test("what the server answers with an error is said, with exit code 70", async (server) => {
    const { code, stdout, stderr } = await runLines(server, ["set k text", "raw get k", "incr k"]);
    assertEquals(stdout, "VALUE k 0 4\ntext\nEND\n");
    assertEquals([code, stderr], [
      70,
      "the server answered: CLIENT_ERROR cannot increment or decrement non-numeric value\n",
    ]);
    const large = await runClient(server, ["set", "k", "-"], { stdin: new Uint8Array(2 ** 21) });
    assertEquals([large.code, large.stderr], [
      70,
      "kvs-client: the server answered: SERVER_ERROR object too large for cache\n",
    ]);
  });

  test("a dump restored is the same, keys and values of any bytes, flags and times", async (server) => {
    const expires = Math.floor(Date.now() / 1000) + 5000;
    const lines = [
      JSON.stringify({ key: "text", value: "é\r\n", flags: 5 }),
      JSON.stringify({ key: "é", value: "", flags: 0 }),
      JSON.stringify({ key: "soon", value: "v", flags: 4294967295, expires }),
      JSON.stringify({ key: "binary", valueBase64: "/wA=", flags: 0 }),
    ].sort();
    const gone = [
      JSON.stringify({ key: "late", value: "v", expires: 1_600_000_000 }),
      JSON.stringify({ key: "x".repeat(251), value: "v" }),
    ];
    const restored = await runClient(server, ["restore"], {
      stdin: [...lines, ...gone].join("\n"),
    });
    assertEquals([restored.code, restored.stderr], [
      70,
      "restore: line 6: a key has at most 250 bytes, this one has 251\n" +
      "restored 4 items, 1 had expired, 1 were refused\n",
    ]);
    const dumped = await runClient(server, ["dump"]);
    assertEquals(dumped.stdout.trimEnd().split("\n").sort(), lines);
    assertEquals(dumped.stderr, "dumped 4 items\n");
    const again = await runClient(server, ["restore", "--keep", "--json"], {
      stdin: dumped.stdout,
    });
    assertEquals(again, {
      code: 0,
      stdout: '{"restored":0,"expired":0,"kept":4,"refused":0}\n',
      stderr: "",
      bytes: again.bytes,
    });
  });

  test("the shell goes on after what goes wrong, and its exit code is the last line's", async (server) => {
    const lines = [
      "set a 1",
      "",
      "# nothing",
      "gett a",
      'get "a',
      "shell",
      "get a --timeout 1s",
      "--bigkeys --json",
      "get a",
      "exit",
      "get b",
    ];
    const { code, stdout, stderr } = await runLines(server, lines);
    assertEquals({ code, stdout: stdout.replace(/.*"largest":"a".*\n/, "bigkeys "), stderr }, {
      code: 0,
      stdout: "bigkeys 1\n",
      stderr: "unknown command 'gett'; did you mean 'get'?\n" +
        "a double quote is not closed\n" +
        "this is the shell\n" +
        "the shell stays with its timeout\n",
    });
  });
}

for (const { name, protocol, ignore, longestKey, start } of dialects) {
  const options = ["--protocol", protocol];

  Deno.test({
    name: `every command goes over the protocol that is asked for (${name})`,
    ignore,
    fn: async () => {
      await using server = await start();
      const lines = [
        "set n 5 --flags 7 --ttl 1h",
        "get n none --json",
        "add n 5",
        "append n 0",
        "incr n 7",
        "decr n",
        "touch n 0",
        "replace n 9",
        "delete n",
        "delete n",
        "set é v",
        "raw get é",
        "stats settings --json",
        "--protocol text get n",
      ];
      const { code, stdout, stderr } = await runLines(server.address, lines, ...options);
      const printed = stdout.split("\n");
      assertEquals(
        printed[0]!.replace(/"cas":"\d+"/, '"cas":"1"'),
        [
          '{"key":"n","value":"5","flags":7,"cas":"1"}',
        ].join(),
      );
      assertEquals(printed.slice(1, 4), ['{"key":"none","value":null}', "57", "56"]);
      assertEquals(printed.slice(4, 7), ["VALUE é 0 1", "v", "END"]);
      assertEquals(Number(JSON.parse(printed[7]!)[server.address].maxconns) > 0, true);
      assertEquals([code, stderr.split("\n")], [64, [
        "not stored: there is a value: n",
        "not found: n",
        "the shell stays with its protocol",
        "",
      ]]);
    },
  });

  Deno.test({
    name: `keys of any bytes are listed, dumped and restored (${name})`,
    ignore,
    fn: async () => {
      await using server = await start();
      const every = Uint8Array.from({ length: longestKey }, (_, i) => i);
      const keys = ["plain", "a b", "é", "\r\n", "\0"].map(bytesOf);
      keys.push(new Uint8Array([0xff, 0x80, 0x20]), every, every.map((byte) => 255 - byte));
      const ran = (...args: string[]) => runClient(server.address, [...options, ...args]);
      const encoded = keys.map((key) => key.toBase64());
      const sets = encoded.map((key, i) => `set --base64 ${key} v${i} --flags ${i} --ttl 1h`);
      await runLines(server.address, sets, ...options);

      const plain = await ran("keys");
      assertEquals(plain.stdout.trimEnd().split("\n").sort(), ["a b", "plain", "é"]);
      assertEquals(
        plain.stderr,
        "keys: 5 more are no line of text: --base64 or --json shows them\n",
      );
      const listed = (await ran("keys", "--base64")).stdout.trimEnd().split("\n");
      assertEquals(listed.toSorted(), encoded.toSorted());
      const got = await ran("get", "--base64", ...encoded);
      assertEquals([got.code, got.stdout], [0, keys.map((_, i) => `v${i}\n`).join("")]);
      assertEquals((await ran("get", "a b")).stdout, "v1\n");

      const dumped = await ran("dump");
      assertEquals([dumped.code, dumped.stderr], [0, "dumped 8 items\n"]);
      const lines = dumped.stdout.trimEnd().split("\n").sort();
      const line = lines.find((line) => line.includes("v5"))!;
      assertMatch(line, /^\{"keyBase64":"\/4Ag","value":"v5","flags":5,"expires":\d+\}$/);
      assertEquals((await ran("flush")).code, 0);
      assertEquals((await ran("dump")).stdout, "");
      const restored = await runClient(server.address, [...options, "restore"], {
        stdin: dumped.stdout,
      });
      assertEquals([restored.code, restored.stderr], [0, "restored 8 items\n"]);
      assertEquals((await ran("dump")).stdout.trimEnd().split("\n").sort(), lines);
      const kept = await runClient(server.address, [...options, "restore", "--keep"], {
        stdin: dumped.stdout,
      });
      assertEquals(kept.stderr, "restored 0 items, 8 were there already\n");
    },
  });
}

Deno.test("wrong usage is one line on standard error and exit code 64", async () => {
  const cases: [args: string[], message: string][] = [
    [["gett", "k"], "unknown command 'gett'; did you mean 'get'?"],
    [["gte", "k"], "unknown command 'gte'; did you mean 'get'?"],
    [["foo", "k"], "unknown command 'foo'"],
    [["get"], "get takes KEY…, received nothing"],
    [["set", "k"], "set takes KEY VALUE, received 'k'"],
    [["get", "k", "--ttl", "5"], "get does not take --ttl"],
    [
      ["touch", "k", "soon"],
      "touch: TTL takes a time such as 500ms, 10s or 1h (a plain number " +
      "counts s), received 'soon'",
    ],
    [["incr", "k", "x"], "incr: N takes a whole number of 64 bits, received 'x'"],
    [["get", ""], "a key has at least one byte"],
    [["stats", "x\r\nflush_all"], "a line may hold no line end"],
    [
      ["raw", "set", "k", "0", "0", "5"],
      "raw sends a line, and a value must follow 'set': kvs-client set sends both",
    ],
    [["raw", "delete", "k", "noreply"], "raw prints the reply, and noreply asks for none"],
    [["--protocol", "binary", "ttl", "k"], "ttl needs --protocol text or meta"],
    [["get", "--base64", "a b"], "--base64 takes keys in base64, received 'a b'"],
    [["stats", "--base64"], "stats does not take --base64"],
    [
      ["--protocol", "udp", "get", "k"],
      "--protocol takes one of text, meta, binary, received 'udp'",
    ],
    [
      ["--servers", "a:b", "get", "k"],
      "--servers: a server is host:port, host:port:weight or " +
      "unix:/path, received 'a:b'",
    ],
    [
      ["--timeout", "0", "get", "k"],
      "--timeout takes a time such as 500ms, 10s or 1h (a plain " +
      "number counts s) from 1ms to 24d, received '0'",
    ],
    [
      ["--timeout", "25d", "get", "k"],
      "--timeout takes a time such as 500ms, 10s or 1h (a plain " +
      "number counts s) from 1ms to 24d, received '25d'",
    ],
    [
      ["--user", "ann", "version"],
      "--user needs a password: set KVS_PASSWORD, or give --password-file FILE",
    ],
  ];
  await Promise.all(cases.map(async ([args, message]) => {
    const { code, stdout, stderr } = await runClient("127.0.0.1:1", args);
    assertEquals({ code, stdout, stderr }, {
      code: 64,
      stdout: "",
      stderr: `kvs-client: ${message}\n`,
    });
  }));
});

Deno.test("a server that cannot be reached, or does not answer, is exit code 69", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [refused, timeout, line] = await Promise.all([
    runClient("127.0.0.1:1", ["get", "k"]),
    runClient(`127.0.0.1:${silent.addr.port}`, ["ping", "--timeout", "50ms"]),
    runClient("127.0.0.1:1", ["restore"], { stdin: '{"key":"k","value":"v"}' }),
  ]);
  assertEquals(refused.code, 69);
  assertMatch(refused.stderr, /^kvs-client: cannot reach 127\.0\.0\.1:1: Connection refused.*\n$/);
  assertEquals(timeout.code, 69);
  assertMatch(timeout.stderr, /^kvs-client: no reply from 127\.0\.0\.1:\d+ within 50 ms\n$/);
  assertEquals(line.code, 69);
});

Deno.test("restore says which line it cannot read, with exit code 65", async () => {
  const cases: [line: string, message: RegExp][] = [
    ["nonsense", /line 1: .*JSON/],
    ['{"key":"k"}', /line 1: neither "value" nor "valueBase64" is a text/],
    [
      '{"key":"k","value":"v","flags":-1}',
      /line 1: "flags" takes a number of 32 bits, received -1/,
    ],
    ['{"key":"k","value":"v","ttl":"x"}', /line 1: "ttl" takes seconds, received "x"/],
  ];
  await Promise.all(cases.map(async ([line, message]) => {
    const { code, stderr } = await runClient("127.0.0.1:1", ["restore"], { stdin: line });
    assertEquals(code, 65);
    assertMatch(stderr, message);
  }));
});

Deno.test({
  name: "an argument that is not UTF-8 is refused, as its bytes are lost",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const { code, stderr } = await new Deno.Command("sh", {
      args: [
        ...["-c", `"$0" run -A --no-check "$1" set k "$(printf 'a\\377')"`],
        ...[Deno.execPath(), client],
      ],
    }).output();
    assertEquals(code, 64);
    assertMatch(new TextDecoder().decode(stderr), /^kvs-client: an argument is not UTF-8: /);
  },
});

Deno.test("help, version and completion need no server, and no password", async () => {
  const env = { KVS_USER: "ann" };
  const [help, topic, version, completion] = await Promise.all(
    [["--help"], ["help", "get"], ["-V"], ["completion", "bash"]].map((args) =>
      runClient("", args, { env })
    ),
  );
  assertEquals([help!.code, topic!.code, version!.code, completion!.code], [0, 0, 0, 0]);
  assertMatch(help!.stdout, /^Usage: kvs-client/);
  assertMatch(topic!.stdout, /^Usage: kvs-client get/);
  assertMatch(version!.stdout, /^kvs-client \d+\.\d+\.\d+\n$/);
  assertMatch(completion!.stdout, /^# bash completion/);
});

Deno.test("what is wrong with a command line is said before a password is asked for", async () => {
  const { code, stderr } = await runClient("", ["get"], { env: { KVS_USER: "ann" } });
  assertEquals([code, stderr], [64, "kvs-client: get takes KEY…, received nothing\n"]);
});

Deno.test({
  name: "a running memcached moves into kvs by one pipe, spread over several servers or not",
  ignore: memcachedMissing,
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    const [one, two, kvs] = await Promise.all([
      startMemcached(),
      startMemcached(),
      servers[1]!.start(),
    ]).then((started) => started.map((server) => stack.use(server)));
    const both = `${one!.address},${two!.address}`;
    const items = Array.from({ length: 500 }, (_, i) => `{"key":"key${i}","value":"${i}"}`);
    assertEquals((await runClient(both, ["restore"], { stdin: items.join("\n") })).code, 0);
    const dump = await runClient(both, ["dump"]);
    assertEquals(dump.stderr, "dumped 500 items\n");
    const moved = await runClient(kvs!.address, ["restore"], { stdin: dump.stdout });
    assertEquals(moved.stderr, "restored 500 items\n");
    const { stdout } = await runClient(kvs!.address, ["get", "key0", "key499"]);
    assertEquals(stdout, "0\n499\n");
    const shares = await Promise.all(
      [one!, two!].map(({ address }) => runClient(address, ["keys"])),
    );
    assert(shares.every(({ stdout }) => stdout.split("\n").length > 100));
  },
});

Deno.test({
  name: "a password comes from KVS_PASSWORD, and a wrong one is exit code 70",
  ignore: memcachedMissing,
  fn: async () => {
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, "ann:secret\n");
    await Deno.chmod(file, 0o644);
    await using server = await startMemcached("-Y", file);
    await Deno.remove(file);
    const [right, wrong, none] = await Promise.all([
      ...["secret", "wrong"].map((password) =>
        runClient(server.address, ["--user", "ann", "set", "k", "v"], {
          env: { KVS_PASSWORD: password },
        })
      ),
      runClient(server.address, ["get", "k"]),
    ]);
    assertEquals(right!.code, 0);
    assertEquals(wrong!.code, 70);
    assertMatch(wrong!.stderr, /^kvs-client: 127.0.0.1:\d+ refuses user 'ann': CLIENT_ERROR /);
    assertEquals(
      none!.stderr,
      "kvs-client: the server answered: CLIENT_ERROR unauthenticated; --user NAME logs in\n",
    );
  },
});

Deno.test({
  name: "where nobody reads its output any more, it ends without a word",
  ignore: memcachedMissing || Deno.build.os === "windows",
  fn: async () => {
    await using server = await startMemcached();
    const items = Array.from({ length: 20_000 }, (_, i) => `{"key":"key${i}","value":"v"}`);
    await runClient(server.address, ["restore"], { stdin: items.join("\n") });
    const { stdout, stderr } = await new Deno.Command("sh", {
      args: ["-c", '"$0" run -A --no-check "$1" keys | head -1', Deno.execPath(), client],
      env: { KVS_SERVERS: server.address },
    }).output();
    assertMatch(new TextDecoder().decode(stdout), /^key\d+\n$/);
    assertEquals(new TextDecoder().decode(stderr), "");
  },
});

const scriptMissing = await new Deno.Command("script", { args: ["--version"] })
  .output().then(({ success }) => !success, () => true);

Deno.test({
  name: "on a terminal the shell has a prompt, arrow keys and a history that stays",
  ignore: scriptMissing || Deno.build.os !== "linux",
  fn: async () => {
    await using server = await startKvs();
    const state = await Deno.makeTempDir();
    const session = async (keys: string[]): Promise<string> => {
      const child = new Deno.Command("script", {
        args: ["-qec", `"${Deno.execPath()}" run -A --no-check "${client}" shell`, "/dev/null"],
        env: { KVS_SERVERS: server.address, XDG_STATE_HOME: state, NO_COLOR: "1" },
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      const decoder = new TextDecoder();
      let shown = "";
      let prompts = 0;
      // Each line is typed when the prompt for it is there.
      for await (const bytes of child.stdout) {
        shown += decoder.decode(bytes, { stream: true });
        while (shown.split("> \x1b[").length - 1 > prompts && keys.length > 0) {
          prompts++;
          await writer.write(bytesOf(keys.shift()!));
        }
      }
      await writer.close();
      await child.status;
      return shown;
    };
    assertMatch(await session(["set a 41\r", "incr a\r", "exit\r"]), /stored\r\n[^]*42\r\n/);
    // Up three times: exit, incr a, set a 41; down once: incr a.
    const up = "\x1b[A";
    assertMatch(await session([`${up}${up}${up}\x1b[B\r`, "exit\r"]), /43\r\n/);
    assertMatch(await Deno.readTextFile(`${state}/kvs/history`), /^exit\nincr a\n/);
    await Deno.remove(state, { recursive: true });
  },
});
