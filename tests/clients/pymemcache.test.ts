import { assertEquals } from "@std/assert";
import { DebianPackage } from "./debian.ts";
import { outcomeOf, testClient } from "./stores.ts";

const pymemcache = new DebianPackage(
  "python3-pymemcache",
  "/usr/lib/python3/dist-packages/pymemcache/__init__.py",
);
const script = new URL("pymemcache_check.py", import.meta.url).pathname;

testClient("Python's pymemcache does all that it can", async (server) => {
  assertEquals(await outcomeOf("/usr/bin/python3", ["-B", script, String(server.port)]), {
    code: 0,
    stdout: "done\n",
    stderr: "",
  });
}, pymemcache);
