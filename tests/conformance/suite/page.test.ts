import { assertEquals, assertThrows } from "@std/assert";
import { differencesOf, parsePage } from "./page.ts";

const page = `# memcached's own tests

Whatever.

## Passes

- \`cas.t\`
- \`restart.t\` on disk: the memory store
  forgets.

## Not applicable

### LRU

- \`lru.t\`: it counts
  evictions.

## Differs by choice

kvs has no UDP.

### \`udp.t\`

It sends
by UDP.
`;

Deno.test("page: each file has its class, the stores that it passes on, and why", () => {
  assertEquals([...parsePage(page).values()], [
    { file: "cas.t", class: "passes", stores: ["disk", "memory"], why: "" },
    { file: "restart.t", class: "passes", stores: ["disk"], why: "the memory store forgets." },
    { file: "lru.t", class: "not applicable", stores: [], why: "it counts evictions." },
    { file: "udp.t", class: "differs by choice", stores: [], why: "It sends by UDP." },
  ]);
});

Deno.test("page: a file that stands twice is refused", () => {
  assertThrows(
    () => parsePage("## Passes\n- `a.t`\n## Not applicable\n- `a.t`: why\n"),
    Error,
    "memcached.md:4: `a.t` stands on the page twice",
  );
});

Deno.test("page: a file outside the classes is refused", () => {
  assertThrows(() => parsePage("- `a.t`: why\n"), Error, "`a.t` stands in none of the classes");
  assertThrows(() => parsePage("## Later\n- `a.t`: why\n"), Error, "none of the classes");
});

Deno.test("page: a file that does not pass everywhere must say why", () => {
  assertThrows(() => parsePage("## Not applicable\n- `a.t`\n"), Error, "`a.t` must say why");
  assertThrows(() => parsePage("## Passes\n- `a.t` on disk\n"), Error, "`a.t` must say why");
  assertThrows(() => parsePage("## Differs by choice\n### `a.t`\n"), Error, "`a.t` must say why");
});

Deno.test("page: a store that there is not is refused", () => {
  assertThrows(() => parsePage("## Passes\n- `a.t` on tape: why\n"), Error, "called 'tape'");
});

Deno.test("page: an item that cannot be read is refused", () => {
  assertThrows(() => parsePage("## Passes\n- `a.t`, b\n"), Error, "memcached.md:2: cannot read");
});

Deno.test("page: more than three choices are refused", () => {
  const files = ["a", "b", "c", "d"].map((name) => `### \`${name}.t\`\nwhy\n`).join("");
  assertThrows(() => parsePage(`## Differs by choice\n${files}`), Error, "there are 4 choices");
});

Deno.test("page: files that it does not list and files that are not there are found", () => {
  assertEquals(differencesOf(parsePage(page), ["cas.t", "lru.t", "new.t", "restart.t"]), {
    unlisted: ["new.t"],
    missing: ["udp.t"],
  });
});

Deno.test("the page that the runner reads lists each of memcached's 114 test files", async () => {
  const text = await Deno.readTextFile(new URL("../memcached.md", import.meta.url));
  assertEquals(parsePage(text).size, 114);
});

Deno.test("page: one choice may concern several files", () => {
  const page = parsePage("## Differs by choice\n### `a.t`, `b.t`\n\nIt is so.\n");
  assertEquals([...page.values()].map(({ file, why }) => [file, why]), [
    ["a.t", "It is so."],
    ["b.t", "It is so."],
  ]);
});
