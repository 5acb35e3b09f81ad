/** These hold for `jsr:@std/fs` and for its stand-in alike. */
import { assertEquals, assertRejects } from "@std/assert";
import { ensureDir, exists, walk } from "@std/fs";

async function withTree(test: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${root}/a/b`, { recursive: true });
    for (const path of ["top.ts", "a/one.ts", "a/b/two.md"]) {
      await Deno.writeTextFile(`${root}/${path}`, path);
    }
    await test(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("walk returns what is below, and goes as deep and as wide as it is told", () =>
  withTree(async (root) => {
    const paths = async (options: Parameters<typeof walk>[1]) =>
      (await Array.fromAsync(walk(root, options), (entry) => entry.path.slice(root.length))).sort();
    assertEquals(await paths({}), ["", "/a", "/a/b", "/a/b/two.md", "/a/one.ts", "/top.ts"]);
    assertEquals(await paths({ includeDirs: false, exts: [".ts"] }), ["/a/one.ts", "/top.ts"]);
    assertEquals(await paths({ maxDepth: 1, includeDirs: false }), ["/top.ts"]);
    assertEquals(await paths({ skip: [/\/b$/], includeDirs: false }), ["/a/one.ts", "/top.ts"]);
  }));

Deno.test("exists tells files from directories", () =>
  withTree(async (root) => {
    assertEquals(await exists(`${root}/a`), true);
    assertEquals(await exists(`${root}/a`, { isFile: true }), false);
    assertEquals(await exists(`${root}/none`), false);
  }));

Deno.test("ensureDir makes what is missing and refuses a file", () =>
  withTree(async (root) => {
    await ensureDir(`${root}/x/y`);
    await ensureDir(`${root}/x/y`);
    assertEquals(await exists(`${root}/x/y`, { isDirectory: true }), true);
    await assertRejects(() => ensureDir(`${root}/top.ts`));
  }));
