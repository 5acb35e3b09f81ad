import { DebianPackage } from "./debian.ts";
import { assertDone, beside, testClient } from "./stores.ts";

testClient(
  "Perl's Cache::Memcached does all that it can",
  ({ port }) => assertDone("/usr/bin/perl", [beside("cache_memcached_check.pl"), String(port)]),
  [new DebianPackage("libcache-memcached-perl", "/usr/share/perl5/Cache/Memcached.pm")],
);

testClient(
  "Perl's Cache::Memcached::Fast does all that it can",
  ({ port }) =>
    assertDone("/usr/bin/perl", [beside("cache_memcached_fast_check.pl"), String(port)]),
  [
    new DebianPackage(
      "libcache-memcached-fast-perl",
      "/usr/share/doc/libcache-memcached-fast-perl",
    ),
  ],
);
