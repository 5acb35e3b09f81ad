import { assertEquals, assertStringIncludes } from "@std/assert";

/** A proxy that nobody serves: what a network without jsr.io looks like to `fetch`. */
const NO_NETWORK = { HTTPS_PROXY: "http://127.0.0.1:1", NO_PROXY: "" };
const MODULE = "vendor/jsr.io/@std/assert/1.0.19/mod.ts";

/** A copy of what deps reads, in a directory of its own. */
class Checkout implements AsyncDisposable {
  readonly root = Deno.makeTempDirSync();

  constructor() {
    Deno.mkdirSync(`${this.root}/offline/std`, { recursive: true });
    const sources = ["offline", "offline/std"].flatMap((directory) =>
      Array.from(Deno.readDirSync(directory))
        .filter((entry) => entry.isFile)
        .map((entry) => `${directory}/${entry.name}`)
    );
    for (const path of ["deno.lock", ...sources]) Deno.copyFileSync(path, `${this.root}/${path}`);
  }

  async deps(...flags: string[]): Promise<{ code: number; stderr: string }> {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-read", "--allow-write", ...flags, "offline/deps.ts"],
      cwd: this.root,
      env: { ...NO_NETWORK, NO_COLOR: "1" },
      stdout: "null",
      stderr: "piped",
    }).output();
    return { code, stderr: new TextDecoder().decode(stderr) };
  }

  read(path: string): string {
    return Deno.readTextFileSync(`${this.root}/${path}`);
  }

  list(path: string): string[] {
    return Array.from(Deno.readDirSync(`${this.root}/${path}`), (entry) => entry.name).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.root, { recursive: true });
  }
}

Deno.test("where jsr.io cannot be reached the stand-ins take its place, and are announced", async () => {
  await using checkout = new Checkout();
  const { code, stderr } = await checkout.deps("--allow-net");
  assertEquals(code, 0);
  assertStringIncludes(stderr, "using the stand-ins");
  assertEquals(checkout.read(MODULE), checkout.read("offline/std/assert.ts"));
});

Deno.test("a registry already in vendor/ is left alone without a word", async () => {
  await using checkout = new Checkout();
  Deno.mkdirSync(`${checkout.root}/vendor/jsr.io`, { recursive: true });
  assertEquals(await checkout.deps(), { code: 0, stderr: "" });
  assertEquals(checkout.list("vendor/jsr.io"), []);
});

Deno.test("stand-ins follow their sources, and are said at every start", async () => {
  await using checkout = new Checkout();
  await checkout.deps("--allow-net");
  Deno.writeTextFileSync(`${checkout.root}/offline/std/assert.ts`, "export {};\n");
  const { code, stderr } = await checkout.deps();
  assertEquals([code, stderr.trim().split("\n").length], [0, 1]);
  assertStringIncludes(stderr, "Using the stand-ins of offline/");
  assertEquals(checkout.read(MODULE), "export {};\n");
});

Deno.test("an error that is not the network's stays an error and brings nothing in", async () => {
  await using checkout = new Checkout();
  const { code, stderr } = await checkout.deps();
  assertEquals(code, 1);
  assertStringIncludes(stderr, "NotCapable");
  assertEquals(checkout.list("."), ["deno.lock", "offline"]);
});

Deno.test("tasks that start together agree on one vendor directory", async () => {
  await using checkout = new Checkout();
  const runs = await Promise.all(Array.from({ length: 6 }, () => checkout.deps("--allow-net")));
  assertEquals(runs.map((run) => run.code), [0, 0, 0, 0, 0, 0]);
  assertEquals(checkout.list("vendor"), ["jsr.io"]);
  assertEquals(checkout.list("vendor/jsr.io"), ["@std", "stand-ins"]);
});
