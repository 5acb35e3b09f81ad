import { assertEquals } from "@std/assert";
import { DebianPackage } from "./debian.ts";
import { outcomeOf, testClient } from "./stores.ts";

const cacheMemcached = new DebianPackage(
  "libcache-memcached-perl",
  "/usr/share/perl5/Cache/Memcached.pm",
);
const script = new URL("cache_memcached_check.pl", import.meta.url).pathname;

testClient("Perl's Cache::Memcached does all that it can", async (server) => {
  assertEquals(await outcomeOf("/usr/bin/perl", [script, String(server.port)]), {
    code: 0,
    stdout: "done\n",
    stderr: "",
  });
}, cacheMemcached);
