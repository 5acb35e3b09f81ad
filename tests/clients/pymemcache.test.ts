import { DebianPackage } from "./debian.ts";
import { ALL, assertDone, beside, testClient } from "./stores.ts";

const pymemcache = new DebianPackage(
  "python3-pymemcache",
  "/usr/lib/python3/dist-packages/pymemcache/__init__.py",
);

testClient(
  "Python's pymemcache does all that it can",
  (server) =>
    assertDone("/usr/bin/python3", ["-B", beside("pymemcache_check.py"), String(server.port)]),
  [pymemcache],
  ALL,
);
