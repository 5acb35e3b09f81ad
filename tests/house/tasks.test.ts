/** The tasks that users run ask for what docs/access.md says, and for no more. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort } from "../ports.ts";
import { exchangeWith } from "../server/wire.ts";
import { blocks, root } from "./pages.ts";

const { tasks }: { tasks: Record<string, { command: string }> } = JSON.parse(
  await Deno.readTextFile(new URL("../../deno.json", import.meta.url)),
);

/** Whether a task runs a program, in an environment of its own or not. */
function isRun(command: string): boolean {
  return /^([A-Z_]+=\S+ )*deno run /.test(command);
}

/** The permissions of a task by their names: all of it, or what it names. */
function permissionsOf(task: string): Record<string, string> {
  const flags = tasks[task]!.command.matchAll(/--allow-(\w+)(?:=([^\s']+))?/g);
  const plain = (what = "all") => /\bjsr\.io\b/.test(what) ? "registries" : what;
  return Object.fromEntries(Array.from(flags, ([, name, what]) => [name, plain(what)]));
}

Deno.test("what each task may do is what docs/access.md says", async () => {
  const page = await Deno.readTextFile(`${root}docs/access.md`);
  const [, head, body] = page.match(/^(\| task .*\|)\n\| -.*\n((?:\|.*\n)+)/m)!;
  const cells = (line: string) => line.split("|").slice(1, -1).map((cell) => cell.trim());
  const [, ...names] = cells(head!);
  const said = Object.fromEntries(
    body!.trim().split("\n").map(cells).map(([task, ...values]) => [
      task!.replaceAll("`", ""),
      Object.fromEntries(
        names.map((name, i) => [name, values[i]!.replaceAll("`", "").replaceAll(", ", ",")])
          .filter(([, value]) => value !== ""),
      ),
    ]),
  );
  const asked = Object.fromEntries(
    Object.keys(tasks).filter((task) => !/ -A /.test(tasks[task]!.command))
      .filter((task) => isRun(tasks[task]!.command))
      .map((task) => [task, permissionsOf(task)]),
  );
  assertEquals(said, asked);
});

Deno.test("every task asks nobody for more, and takes the packages that the lock names", () => {
  for (const [task, { command }] of Object.entries(tasks)) {
    if (!isRun(command)) continue;
    assertEquals(/ --frozen /.test(command), true, task);
    // What may do everything is for those who work on kvs: tests and measurements.
    if (/ -A /.test(command)) assertEquals(/ (tests|bench)\//.test(command), true, task);
    else assertEquals(/ --no-prompt /.test(command), true, task);
  }
});

Deno.test("a server has huge pages in whichever way it is started", async () => {
  const wanted = "glibc.malloc.hugetlb=1";
  const ways = [
    "deno.json",
    "infra/compile.ts",
    "infra/kvs-server.service",
    "infra/package/oci.ts",
    "bench/processes.ts",
  ];
  for (const way of ways) {
    const text = await Deno.readTextFile(`${root}${way}`);
    assertStringIncludes(text, wanted, way);
    assertStringIncludes(text, "LD_BIND_NOW", way);
  }
  assertMatch(
    tasks.start!.command,
    new RegExp(`^GLIBC_TUNABLES=${wanted} LD_BIND_NOW=1 deno run `),
  );
});

Deno.test("a server that may do what docs/access.md names for one, and nothing else, serves", async () => {
  const text = await Deno.readTextFile(`${root}docs/access.md`);
  const [block] = blocks([{ path: "docs/access.md", text }], "text")
    .filter(({ body }) => /^deno run .*server\.ts /s.test(body));
  const directory = await Deno.makeTempDir();
  const port = freePort();
  const command = block!.body.trim().replaceAll("\\\n", " ")
    .replaceAll("10.0.0.5:11211", `127.0.0.1:${port}`).replaceAll("10.0.0.5", "127.0.0.1")
    .replaceAll("/var/lib/kvs", directory);
  const server = new Deno.Command("sh", {
    args: ["-c", `exec ${command} -p ${port} -t 2`],
    cwd: root,
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const listens = Promise.withResolvers<void>();
  let said = "";
  const reading = (async () => {
    for await (const part of server.stderr.pipeThrough(new TextDecoderStream())) {
      said += part;
      if (said.includes("listening on")) listens.resolve();
    }
    // It has ended, or has said before that it listens.
    listens.reject(new Error(said));
  })();
  try {
    await listens.promise;
    assertEquals(await exchangeWith(port, "set k 0 0 1\r\nv\r\n"), "STORED\r\n");
  } finally {
    try {
      server.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
    await reading;
    assertEquals((await server.status).code, 0, said);
    await Deno.remove(directory, { recursive: true });
  }
});
