import { assertEquals, assertMatch } from "@std/assert";
import { Health } from "../../lib/observe/health.ts";
import { Tls } from "../../lib/net/tls/mod.ts";
import { HttpServer } from "../../lib/server/http/http.ts";
import { makeCertificate } from "../certificates.ts";

const root = new URL("../../", import.meta.url).pathname;

async function ask(
  address: string,
  ...options: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", `${root}client.ts`, "health", address, ...options],
    cwd: root,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("health: the exit code says whether a server takes writes", async () => {
  const health = new Health();
  const server = await HttpServer.open({ host: "127.0.0.1", port: 0 }, {
    health,
    metrics: () => undefined,
    users: undefined,
    pages: new Map(),
  });
  const address = `127.0.0.1:${server.port}`;
  try {
    const starting = await ask(address);
    assertEquals([starting.code, starting.stderr], [1, ""]);
    assertMatch(starting.stdout, /^not ready: starting: /);
    health.serve(() => [["state", "ok"]], "");
    assertEquals(await ask(address), { code: 0, stdout: "ready\n", stderr: "" });
  } finally {
    await server.close();
  }
  const gone = await ask(address);
  assertEquals([gone.code, gone.stdout], [69, ""]);
  assertMatch(
    gone.stderr,
    /^kvs-client: (127\.0\.0\.1:\d+) does not answer: Connection refused [^:;]+; .* --http \1\n$/,
  );
});

Deno.test("health: over HTTPS the authorities of --ca are trusted, and nobody has to log in", async () => {
  const directory = await Deno.makeTempDir();
  await makeCertificate(directory, "subjectAltName=DNS:localhost,IP:127.0.0.1");
  const [chain, key] = [`${directory}/server.crt`, `${directory}/server.key`];
  const tls = new Tls({ chain, key, ca: undefined, onlyTls13: false }, () => {});
  const health = new Health();
  health.serve(() => [["state", "ok"]], "");
  const shown = { health, metrics: () => undefined, users: undefined, pages: new Map() };
  const server = await HttpServer.open({ host: "127.0.0.1", port: 0 }, shown, { tls });
  try {
    const address = `https://127.0.0.1:${server.port}`;
    const options = ["--tls", "--ca", `${directory}/ca.crt`, "--user", "ann"];
    assertEquals(await ask(address, ...options), { code: 0, stdout: "ready\n", stderr: "" });
    const unknown = await ask(address);
    assertEquals(unknown.code, 69);
    assertMatch(unknown.stderr, /does not answer: invalid peer certificate: UnknownIssuer;/);
  } finally {
    await server.close();
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("health: what is no address is wrong usage", async () => {
  const { code, stderr } = await ask("a/b");
  assertEquals(code, 64);
  assertMatch(stderr, /health takes HOST:PORT, received 'a\/b'/);
});
