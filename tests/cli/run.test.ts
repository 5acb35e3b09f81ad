import { assertEquals, assertStringIncludes } from "@std/assert";

/** Runs a program whose `main` has the given body, and returns its exit code and standard error. */
async function runMain(body: string): Promise<{ code: number; stderr: string }> {
  const run = new URL("../../lib/cli/run.ts", import.meta.url).href;
  const errors = new URL("../../lib/errors.ts", import.meta.url).href;
  const program = `import { run } from "${run}"; import { ExitError } from "${errors}";
    await run("kvs-server", async () => { ${body} });`;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", program],
    env: { NO_COLOR: "1" },
  }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

Deno.test("what main throws becomes a line on standard error and an exit code", async () => {
  const [done, no, usage, pipe, forbidden, bug] = await Promise.all([
    runMain(""),
    runMain("return 1;"),
    runMain("throw new ExitError(\"-p takes a port, received 'x'\", 64);"),
    runMain("throw new Deno.errors.BrokenPipe();"),
    runMain("throw new Deno.errors.NotCapable('Requires write access to \"d\"');"),
    runMain('throw new TypeError("oh");'),
  ]);
  assertEquals(done, { code: 0, stderr: "" });
  assertEquals(no, { code: 1, stderr: "" });
  assertEquals(usage, { code: 64, stderr: "kvs-server: -p takes a port, received 'x'\n" });
  assertEquals(pipe, { code: 141, stderr: "" });
  assertEquals(forbidden, { code: 64, stderr: 'kvs-server: Requires write access to "d"\n' });
  assertEquals(bug!.code, 70);
  assertStringIncludes(bug!.stderr, "TypeError: oh");
});
