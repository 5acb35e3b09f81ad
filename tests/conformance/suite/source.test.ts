import { assertEquals } from "@std/assert";
import { archivesAmong, cacheDirectory, tarballIn } from "./source.ts";

Deno.test("Debian's archives are found among what apt knows, each once", () => {
  assertEquals(
    archivesAmong([
      "Packages|main|Debian|http://mirror.example/debian/",
      "Packages|main|Debian|http://mirror.example/debian/",
      "Packages|main|Debian-Security|http://mirror.example/debian-security/",
      "Packages|contrib|Debian|http://other.example/debian/",
      "Translations|main|Debian|http://third.example/debian/",
      "Packages|main|Nodesource|http://vendor.example/node/",
      "",
    ]),
    ["http://mirror.example/debian/"],
  );
});

Deno.test("an archive that apt has not asked yet may be Debian's", () => {
  assertEquals(
    archivesAmong(["Packages|main|$(LABEL)|http://mirror.example/debian/"]),
    ["http://mirror.example/debian/"],
  );
});

Deno.test("a tarball tells its version, and is found by it", async () => {
  const directory = await Deno.makeTempDir();
  try {
    assertEquals(tarballIn(directory), undefined);
    await Deno.writeTextFile(`${directory}/memcached_1.6.45-1.debian.tar.xz`, "");
    assertEquals(tarballIn(directory), undefined);
    const path = `${directory}/memcached_1.6.45.orig.tar.xz`;
    await Deno.writeTextFile(path, "");
    assertEquals(tarballIn(directory), { path, version: "1.6.45" });
    assertEquals(tarballIn(directory, "1.6.38"), undefined);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("tarballs are kept in the user's cache", () => {
  const of = (variables: Record<string, string>) =>
    cacheDirectory(new Map(Object.entries(variables)));
  assertEquals(of({ XDG_CACHE_HOME: "/c", HOME: "/h" }), "/c/kvs/conformance");
  assertEquals(of({ HOME: "/h" }), "/h/.cache/kvs/conformance");
});
