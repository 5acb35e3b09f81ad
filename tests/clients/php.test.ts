import { DebianPackage } from "./debian.ts";
import { assertDone, beside, testClient } from "./stores.ts";

const cli = new DebianPackage("php-cli", "/usr/bin/php");
const memcached = new DebianPackage("php-memcached", "/usr/share/doc/php-memcached");
const memcache = new DebianPackage("php-memcache", "/usr/share/doc/php-memcache");

for (const protocol of ["text", "binary"]) {
  testClient(
    `PHP's Memcached does all that it can, in ${protocol}`,
    ({ port }) => assertDone("php", [beside("php_memcached_check.php"), String(port), protocol]),
    [cli, memcached],
  );

  testClient(
    `PHP's Memcache does all that it can, in ${protocol}`,
    ({ port }) => assertDone("php", [beside("php_memcache_check.php"), String(port), protocol]),
    [cli, memcache],
  );

  testClient(
    `PHP keeps its sessions through Memcached, locked while they are open, in ${protocol}`,
    ({ port }) => {
      const args = ["memcached", `127.0.0.1:${port}`, protocol];
      return assertDone("php", [beside("php_session_check.php"), ...args]);
    },
    [cli, memcached],
  );

  testClient(
    `PHP keeps its sessions through Memcache, locked while they are open, in ${protocol}`,
    ({ port }) => {
      const args = ["memcache", `tcp://127.0.0.1:${port}`, protocol];
      return assertDone("php", [beside("php_session_check.php"), ...args]);
    },
    [cli, memcache],
  );
}
