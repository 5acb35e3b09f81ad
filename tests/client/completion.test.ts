import { assertEquals, assertMatch } from "@std/assert";
import { completer } from "../../lib/client/commands/complete.ts";
import { completionFor } from "../../lib/client/commands/completion.ts";
import { Client } from "../../lib/client/client.ts";
import { commands } from "../../lib/client/commands/table.ts";
import { missing, runClient } from "./run_client.ts";
import { startKvs } from "./servers.ts";

/** What bash offers for a command line that ends where the cursor is. */
async function offered(...line: string[]): Promise<string[]> {
  const script = `${completionFor("bash", commands)}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _kvs_client; printf '%s\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await new Deno.Command("bash", { args: ["-c", script, "x", ...line] })
    .output();
  assertEquals(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout).trimEnd().split("\n");
}

Deno.test({
  name: "bash completes commands, and the options that a command takes",
  ignore: await missing("bash"),
  fn: async () => {
    assertEquals(await offered("kvs-client", "de"), ["decr", "delete"]);
    assertEquals(await offered("kvs-client", "help", "resto"), ["restore"]);
    assertEquals(await offered("kvs-client", "--json", "restore", "--kee"), ["--keep"]);
    assertEquals(await offered("kvs-client", "completion", "f"), ["fish"]);
    assertEquals((await offered("kvs-client", "get", "--")).includes("--ttl"), false);
  },
});

for (const shell of ["zsh", "fish"] as const) {
  Deno.test({
    name: `${shell} takes its script`,
    ignore: await missing(shell),
    fn: async () => {
      const file = await Deno.makeTempFile();
      await Deno.writeTextFile(file, completionFor(shell, commands));
      const { success, stderr } = await new Deno.Command(shell, { args: ["-n", file] }).output();
      await Deno.remove(file);
      assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
    },
  });
}

Deno.test("each script has every command, and another shell is refused", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const script = completionFor(shell, commands);
    for (const name of Object.keys(commands)) assertMatch(script, new RegExp(`\\b${name}\\b`));
  }
  const { code, stderr } = await runClient("", ["completion", "csh"]);
  assertEquals([code, stderr], [
    64,
    "kvs-client: completion takes bash, zsh or fish, received 'csh'\n",
  ]);
});

Deno.test("the shell's Tab offers commands, options and the servers' keys", async () => {
  await using server = await startKvs();
  using client = new Client({ servers: [server.address] });
  await client.set("user:anna", "1");
  await client.set("user:bob", "2");
  const complete = completer(() => client, commands);
  assertEquals(await complete("ver"), [["version"], "ver"]);
  assertEquals(await complete("help sh"), [["shell"], "sh"]);
  assertEquals(await complete("set k v --f"), [["--flags"], "--f"]);
  assertEquals(await complete("get user:anna user:"), [["user:anna", "user:bob"], "user:"]);
  assertEquals(await complete("touch user:anna u"), [[], "u"]);
});

Deno.test("every command's help shows its usage and the options that it takes", async () => {
  for (const [name, { takes, options }] of Object.entries(commands)) {
    const { code, stdout } = await runClient("", [name, "--help"]);
    assertEquals(code, 0);
    assertEquals(stdout.split("\n")[0], `Usage: kvs-client ${name} ${takes}`.trimEnd());
    assertEquals(stdout.includes("--ttl"), options.includes("ttl"), name);
  }
  const { code, stderr } = await runClient("", ["help", "gett"]);
  assertEquals([code, stderr], [64, "kvs-client: unknown command 'gett'; did you mean 'get'?\n"]);
});
