/** Django's own tests of its cache, which its source has, for the back ends that speak to a memcached. */

import { assertEquals, assertMatch } from "@std/assert";
import { ArchivePackage, DebianPackage } from "./debian.ts";
import { DJANGO } from "./fetch.ts";
import { beside, outcomeOf, testClient } from "./stores.ts";

const source = new ArchivePackage(DJANGO);
const python = "/usr/lib/python3/dist-packages";
const needs = [
  source,
  new DebianPackage("python3-django", `${python}/django/__init__.py`),
  new DebianPackage("python3-pymemcache", `${python}/pymemcache/__init__.py`),
  new DebianPackage("python3-pylibmc", `${python}/pylibmc/__init__.py`),
];

for (const backend of ["PyMemcacheCache", "PyLibMCCache"]) {
  testClient(
    `Django's own tests of its ${backend} pass`,
    async ({ port }) => {
      const options = ["--settings=django_settings", "--parallel=1", `cache.tests.${backend}Tests`];
      const { code, stderr } = await outcomeOf("/usr/bin/python3", [
        "-B",
        "runtests.py",
        ...options,
      ], {
        cwd: `${source.file}/tests`,
        env: {
          PYTHONPATH: beside("."),
          KVS_PORT: String(port),
          KVS_DJANGO_BACKEND: backend,
        },
      });
      assertEquals(code, 0, stderr);
      // What is left out are the tests of culling, which no memcached leaves to its client.
      assertMatch(stderr, /^Ran 5\d tests in .*\n\nOK \(skipped=3\)$/m);
    },
    needs,
    ["disk"],
  );
}
