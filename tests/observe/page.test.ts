import { assertEquals } from "@std/assert";
import { figureTables } from "../../lib/observe/figures/page.ts";

/** Tables without the spaces that the formatter puts into them. */
function compact(text: string): string {
  return text.split("\n").map((line) =>
    line.replace(/^\|[\s|:-]+\|$/, "|---|").replaceAll(/ *\| */g, "|").trim()
  ).join("\n").replaceAll(/\s+/g, " ").trim();
}

Deno.test("docs/metrics.md has the table of figures as it is", async () => {
  const page = await Deno.readTextFile("docs/metrics.md");
  for (const [heading, text] of figureTables()) {
    const part = page.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
    assertEquals(compact(part), compact(text));
  }
});
