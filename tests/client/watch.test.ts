import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { bytesOf } from "../../lib/bytes.ts";
import { parseAddress } from "../../lib/client/address.ts";
import { RequestError, UnreadableError } from "../../lib/client/errors.ts";
import { watchServer } from "../../lib/client/watch.ts";
import { client, runClient } from "./run_client.ts";

/** What a watcher gets of a server that answers it with a text and hangs up. */
async function watched(answer: string): Promise<string[]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answering = (async () => {
    using socket = await listener.accept();
    await socket.read(new Uint8Array(1024));
    await socket.write(bytesOf(answer));
  })();
  const lines: string[] = [];
  const address = parseAddress(`127.0.0.1:${listener.addr.port}`);
  try {
    for await (const line of watchServer(address, {}, ["fetchers"])) lines.push(line);
  } finally {
    await answering;
  }
  return lines;
}

Deno.test("what is no answer to watch is no word of a memcached", async () => {
  await assertRejects(() => watched("+OK\r\n"), UnreadableError, "does not speak memcached");
  await assertRejects(() => watched("ERROR\r\n"), RequestError, "ERROR");
  await assertRejects(
    () => watched("WATCHER_TOO_MANY log watcher limit reached\r\n"),
    RequestError,
  );
});

Deno.test("a server that cannot be reached, or does not begin, cannot be watched: 69", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${silent.addr.port}`;
  const [unknown, mute, handshake] = await Promise.all([
    runClient(`unix:/${"no-socket-has-such-a-long-path/".repeat(10)}`, ["watch"]),
    runClient(address, ["watch", "--timeout", "50ms"]),
    runClient(address, ["watch", "--timeout", "50ms", "--tls"]),
  ]);
  assertEquals([unknown.code, mute.code, handshake.code], [69, 69, 69]);
  assertMatch(unknown.stderr, /^kvs-client: cannot reach unix:\/no-socket-.*\n$/);
  for (const { stderr } of [mute, handshake]) {
    assertMatch(stderr, /^kvs-client: no reply from 127\.0\.0\.1:\d+ within 50 ms\n$/);
  }
});

Deno.test({
  name: "Ctrl-C ends a watch that is still connecting",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", client, "watch", "--tls", "--timeout", "1h"],
      env: { KVS_SERVERS: `127.0.0.1:${listener.addr.port}` },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    // It waits for the server's part of the handshake.
    using socket = await listener.accept();
    await socket.read(new Uint8Array(1024));
    child.kill("SIGINT");
    const { code, stderr } = await child.output();
    assertEquals([code, new TextDecoder().decode(stderr)], [130, "kvs-client: interrupted\n"]);
  },
});
