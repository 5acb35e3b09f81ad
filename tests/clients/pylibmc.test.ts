import { DebianPackage } from "./debian.ts";
import { assertDone, beside, testClient } from "./stores.ts";

const pylibmc = new DebianPackage(
  "python3-pylibmc",
  "/usr/lib/python3/dist-packages/pylibmc/__init__.py",
);

for (const protocol of ["text", "binary"]) {
  testClient(
    `Python's pylibmc does all that it can, in ${protocol}`,
    ({ port }) =>
      assertDone("/usr/bin/python3", ["-B", beside("pylibmc_check.py"), String(port), protocol]),
    [pylibmc],
  );
}
