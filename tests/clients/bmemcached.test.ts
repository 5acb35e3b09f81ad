import { DebianPackage } from "./debian.ts";
import { assertDone, beside, testClient } from "./stores.ts";

testClient(
  "Python's binary memcached does all that it can",
  ({ port }) => assertDone("/usr/bin/python3", ["-B", beside("bmemcached_check.py"), String(port)]),
  [
    new DebianPackage(
      "python3-binary-memcached",
      "/usr/lib/python3/dist-packages/bmemcached/__init__.py",
    ),
  ],
);
