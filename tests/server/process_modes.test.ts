import { assertEquals } from "@std/assert";
import { ServerProcess } from "./process.ts";
import { exchangeWith } from "./wire.ts";

/** The permission bits of everything in a directory and of itself, by its path from there. */
function modesIn(directory: string): Record<string, string> {
  const modes: Record<string, string> = { ".": modeOf(directory) };
  for (const { name } of Deno.readDirSync(directory)) modes[name] = modeOf(`${directory}/${name}`);
  return modes;
}

function modeOf(path: string): string {
  return (Deno.statSync(path).mode! & 0o777).toString(8);
}

/** As a process that makes everything everybody's unless it says otherwise. */
const openly = ["sh", "-c", 'umask 0; exec "$@"', "sh"];

Deno.test("the data directory, what is in it, its backups and the socket are their owner's alone", async () => {
  const parent = await Deno.makeTempDir();
  const [data, backup, socket] = [`${parent}/data`, `${parent}/backup`, `${parent}/socket`];
  const args = ["--data-dir", data, "-s", socket];
  await using server = ServerProcess.spawn(args, { through: openly });
  await server.says(/listening on/);
  const path = { transport: "unix", path: socket } as const;
  assertEquals(await exchangeWith(path, "set k 0 0 1\r\nx\r\n"), "STORED\r\n");
  await using copying = ServerProcess.spawn(["--data-dir", data, "backup", backup], {
    through: openly,
  });
  assertEquals(await copying.exit(), 0);
  assertEquals(modeOf(socket), "700");
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
  for (const directory of [data, backup]) {
    const { ".": own, ...files } = modesIn(directory);
    assertEquals(own, "700");
    assertEquals([...new Set(Object.values(files))], ["600"], JSON.stringify(files));
  }
  await Deno.remove(parent, { recursive: true });
});
