import { assertEquals } from "@std/assert";

const root = new URL("../../", import.meta.url);

/** What a process with a client's permissions may still do once it has dropped what it does not need. */
async function kept(servers: readonly string[], writes: boolean): Promise<string> {
  const script = `
    const { dropPermissions } = await import("${root}lib/client/commands/drop.ts");
    dropPermissions(${JSON.stringify(servers)}, ${writes});
    const names = ["net", "env", "read", "write"];
    const states = names.map((name) => Deno.permissions.querySync({ name }).state);
    const variable = Deno.permissions.querySync({ name: "env", variable: "KVS_PASSWORD" }).state;
    console.log(names.filter((_, i) => states[i] === "granted").join(" "), variable);`;
  const flags = ["--allow-net", "--allow-env=KVS_*", "--allow-read", "--allow-write"];
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, script);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "--no-prompt", ...flags, file],
      cwd: root,
    }).output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(file);
  }
}

const cases: [name: string, servers: string[], writes: boolean, left: string][] = [
  ["servers over TCP", ["localhost:11211", "[::1]"], false, "net read"],
  ["a server on a Unix socket", ["localhost", "unix:/run/kvs.sock"], false, "net read write"],
  ["a report to write", ["localhost"], true, "net read write"],
];
for (const [name, servers, writes, left] of cases) {
  Deno.test(`a client with ${name} keeps: ${left}`, async () => {
    assertEquals(await kept(servers, writes), `${left} prompt\n`);
  });
}
