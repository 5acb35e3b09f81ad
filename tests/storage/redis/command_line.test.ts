import { assert, assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";
import { exchangeWith } from "../../server/wire.ts";
import { noSentinel, Watched } from "./sentinel.ts";
import { RedisServer, redisTest, until } from "./servers.ts";

const main = fileURLToPath(new URL("../../../server.ts", import.meta.url));

/** Runs a server with these options on a free port, until it has ended or is asked to. */
class Running implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  said = "";

  constructor(args: readonly string[]) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", main, "-p", "-1", "--store", "redis", ...args],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#reading = this.#listen(this.#process.stderr);
  }

  async #listen(stderr: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const part of stderr.pipeThrough(new TextDecoderStream())) this.said += part;
  }

  async port(): Promise<number> {
    let port: string | undefined;
    await until(() => port = /listening on 127\.0\.0\.1:(\d+)/.exec(this.said)?.[1], this.said);
    return Number(port);
  }

  async code(): Promise<number> {
    const { code } = await this.#process.status;
    await this.#reading;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await this.code();
  }
}

redisTest(
  "the command line reaches Redis by a Unix socket, and by Sentinel with --redis-wait",
  async () => {
    const set = "set k 0 0 1\r\nx\r\n";
    const directory = await Deno.makeTempDir();
    try {
      await using redis = await new RedisServer(["--unixsocket", `${directory}/s`]).start();
      await using server = new Running(["--redis-url", `unix://${directory}/s?db=1`]);
      assertEquals(await exchangeWith(await server.port(), set), "STORED\r\n");
      assertMatch(String(await redis.command("INFO", "keyspace")), /^db1:/m);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
    if (noSentinel !== undefined) return;
    await using watched = await new Watched().start();
    await using server = new Running(["--redis-url", watched.urls.join(), "--redis-wait", "1"]);
    const port = await server.port();
    await until(async () => await exchangeWith(port, set) === "STORED\r\n", "it is not stored");
    assertEquals(await watched.servers[1].command("GETRANGE", "k", "32", "-1"), "x");
  },
);

redisTest("options that do not go together end the start in one line", async () => {
  const wrong: [args: string[], code: number, said: RegExp][] = [
    [["--redis-cert", "c.pem"], 64, /--redis-cert and --redis-key go together/],
    [["--redis-nat", "a=b"], 64, /--redis-nat/],
    [["--redis-sentinel-auth", "p"], 64, /needs a redis-sentinel:\/\/ URL/],
    [["--redis-url", "redis://:secret@h,redis://h"], 64, /several addresses need/],
  ];
  for (const [args, code, said] of wrong) {
    await using server = new Running(args);
    assertEquals(await server.code(), code, args.join(" "));
    assertMatch(server.said, said);
    assertEquals(server.said.trim().split("\n").length, 1, server.said);
    assert(!server.said.includes("secret"), server.said);
  }
});

redisTest(
  "the password of Redis comes by a file, a new one at the next login, and no line shows it",
  async () => {
    const passwords = ["p@ss/w%rd:#1?&", "n@w/p%ss\\word"];
    const directory = await Deno.makeTempDir();
    try {
      const file = `${directory}/password`;
      const write = (password: string) =>
        Deno.writeTextFile(file, `${password}\n`, { mode: 0o600 });
      await using redis = await new RedisServer(["--requirepass", passwords[0]!]).start();
      redis.login = encodeURIComponent(passwords[0]!);
      const options = ["--redis-url", redis.url, "--redis-password-file", file];
      await write("guess/secret@1");
      let said = "";
      {
        await using stranger = new Running(options);
        await until(
          () => /does not accept the user name or pass/.test(stranger.said),
          "no word of it",
        );
        said += stranger.said;
      }
      await write(passwords[0]!);
      await using server = new Running(options);
      const port = await server.port();
      const set = "set k 0 0 1\r\nx\r\n";
      assertEquals(await exchangeWith(port, set), "STORED\r\n");
      await write(passwords[1]!);
      await redis.command("CONFIG", "SET", "requirepass", passwords[1]!);
      redis.login = encodeURIComponent(passwords[1]!);
      await redis.command("CLIENT", "KILL", "TYPE", "normal");
      await until(async () => await exchangeWith(port, set) === "STORED\r\n", "it does not log in");
      said += server.said + await exchangeWith(port, "stats settings\r\nstats\r\n");
      for (const password of [...passwords, "guess"]) {
        assertEquals(said.includes(password), false, said);
        for (const part of password.split(/[@/%:]/)) {
          assertEquals(part.length > 3 && said.includes(part), false, said);
        }
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
);

redisTest(
  "a password file that cannot be used, or one too many passwords, is said in a line",
  async () => {
    const directory = await Deno.makeTempDir();
    try {
      const file = `${directory}/password`;
      const refused = async (url: string) => {
        await using server = new Running(["--redis-url", url, "--redis-password-file", file]);
        assertEquals(await server.code(), 64, server.said);
        assertEquals(server.said.trim().split("\n").length, 1, server.said);
        return server.said;
      };
      assertMatch(
        await refused("redis://127.0.0.1:1"),
        /cannot read the file of --redis-password-file/,
      );
      await Deno.writeTextFile(file, "\nsecond line\n");
      assertMatch(await refused("redis://127.0.0.1:1"), /there is no password in '.*\/password'/);
      await Deno.writeTextFile(file, "secret\n");
      const both = await refused("redis://:s%40cr%2Fet@127.0.0.1:1");
      assertMatch(both, /takes the place of a password in --redis-url/);
      // As people write them, and as they are meant.
      for (const said of [both, await refused("redis://:s@cr/et%@127.0.0.1:1")]) {
        assertEquals(/cr|et@|s@|s%40/.test(said), false, said);
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
);
