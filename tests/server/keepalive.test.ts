import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

/** Whether `ss` is here, which shows a socket's timers. */
const hasSs = (() => {
  try {
    return new Deno.Command("ss", { args: ["-V"] }).outputSync().success;
  } catch {
    return false;
  }
})();

Deno.test({
  name: `accepted connections have keep-alive, as memcached's${hasSs ? "" : " (skipped: no ss)"}`,
  ignore: !hasSs,
  async fn() {
    const main = fileURLToPath(new URL("../../server.ts", import.meta.url));
    const server = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", main, "-p", "-1", "--store", "memory"],
      stderr: "piped",
      stdout: "null",
    }).spawn();
    const reader = server.stderr.pipeThrough(new TextDecoderStream()).getReader();
    let said = "";
    let port: string | undefined;
    while ((port = /listening on 127\.0\.0\.1:(\d+)/.exec(said)?.[1]) === undefined) {
      const { value, done } = await reader.read();
      assert(!done, said);
      said += value;
    }
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
    await conn.write(new TextEncoder().encode("version\r\n"));
    await conn.read(new Uint8Array(100));
    const { stdout } = await new Deno.Command("ss", {
      args: ["-Htno", "state", "established", "sport", "=", `:${port}`],
    }).output();
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    assertEquals(lines.length, 1);
    assert(lines[0].includes("timer:(keepalive,"), lines[0]);
    conn.close();
    server.kill("SIGTERM");
    while (!(await reader.read()).done);
    await server.status;
  },
});
