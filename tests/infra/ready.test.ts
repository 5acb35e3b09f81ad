import { assertEquals } from "@std/assert";
import { startKvs } from "../client/servers.ts";

const script = new URL("../../infra/kvs-ready", import.meta.url).pathname;

/** The exit code of kvs-ready. */
async function asked(env: Record<string, string>): Promise<number> {
  const { code } = await new Deno.Command("bash", {
    args: [script],
    env,
    stderr: "null",
  }).output();
  return code;
}

Deno.test("kvs-ready asks the first address of a listener that answers everybody in text", async () => {
  await using server = await startKvs();
  const port = server.address.split(":")[1]!;
  const reached: Record<string, string>[] = [
    { KVS_LISTEN: "0.0.0.0", KVS_PORT: port },
    { KVS_LISTEN: "unix:/run/kvs.sock, 127.0.0.1", KVS_PORT: port },
    { KVS_LISTEN: `127.0.0.1:${port}`, KVS_PORT: "1" },
    {
      KVS_LISTEN: `mtls:127.0.0.1:1,proto[binary]:127.0.0.1:2,notls:proto[ascii]:127.0.0.1:${port}`,
    },
    { KVS_LISTEN: `notls:127.0.0.1:${port}`, KVS_ENABLE_SSL: "true" },
  ];
  const codes = await Promise.all(
    reached.map((env) => asked({ KVS_READY_TIMEOUT: "60", ...env })),
  );
  assertEquals(codes, reached.map(() => 0));
  // It asks once.
  assertEquals(await asked({ KVS_LISTEN: "127.0.0.1:1", KVS_PORT: port }), 1);
});
