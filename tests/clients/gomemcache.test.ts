import { DebianPackage, type Need } from "./debian.ts";
import { assertDone, beside, outcomeOf, testClient } from "./stores.ts";
import { assertEquals } from "@std/assert";

const needs: Need[] = [
  new DebianPackage("golang-go", "/usr/bin/go"),
  new DebianPackage(
    "golang-github-bradfitz-gomemcache-dev",
    "/usr/share/gocode/src/github.com/bradfitz/gomemcache/memcache/memcache.go",
  ),
];

/** Removed at the end, with the built check in it. */
let directory = "";

Deno.test.beforeAll(async () => {
  directory = await Deno.makeTempDir();
  if (needs.some((need) => need.missing)) return;
  const args = ["build", "-o", `${directory}/check`, beside("gomemcache_check.go")];
  const env = {
    GOPATH: "/usr/share/gocode",
    GO111MODULE: "off",
    GOCACHE: `${directory}/cache`,
    GOFLAGS: "",
    HOME: directory,
  };
  const { code, stderr } = await outcomeOf("/usr/bin/go", args, { env });
  assertEquals(code, 0, stderr);
});

Deno.test.afterAll(() => Deno.remove(directory, { recursive: true }));

testClient(
  "Go's gomemcache does all that it can",
  ({ port }) => assertDone(`${directory}/check`, [String(port)]),
  needs,
);
