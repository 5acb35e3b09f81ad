/** Clients not written here log in by SASL. */

import { assertEquals } from "@std/assert";
import { ServerProcess } from "../server/process.ts";
import { DebianPackage, named, type Need } from "./debian.ts";
import { assertDone, beside, outcomeOf } from "./stores.ts";

const user = "ann";
const password = "se:cret";

/** Registers a test with a kvs that lets nobody in without a password. */
function testLogin(
  name: string,
  body: (port: string) => Promise<void>,
  needs: readonly Need[] = [],
): void {
  Deno.test({
    name: named(name, needs),
    ignore: needs.some((need) => need.skipped),
    fn: async () => {
      for (const need of needs) need.require();
      const directory = await Deno.makeTempDir();
      try {
        await Deno.writeTextFile(`${directory}/users`, `${user}:${password}\n`, { mode: 0o600 });
        const options = ["-p", "-1", "--data-dir", `${directory}/data`];
        const login = ["--enable-sasl", "--auth-file", `${directory}/users`];
        await using server = await ServerProcess.start([...options, ...login]);
        await body(String(server.port));
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}

testLogin(
  "npm's memjs and npm's memcache log in with the right password and no other",
  (port) => {
    const options = ["run", "-A", "--frozen", "--no-check", "--quiet"];
    const args = [beside("npm/login_check.ts"), port, user, password];
    return assertDone(Deno.execPath(), [...options, ...args]);
  },
);

const pylibmc = "/usr/lib/python3/dist-packages/pylibmc/__init__.py";
testLogin(
  "Python's pylibmc logs in with the right password and no other",
  (port) => {
    const args = ["-B", beside("pylibmc_login_check.py"), port, user, password];
    return assertDone("/usr/bin/python3", args);
  },
  [new DebianPackage("python3-pylibmc", pylibmc)],
);

testLogin(
  "PHP's Memcached logs in with the right password and no other",
  (port) => assertDone("/usr/bin/php", [beside("php_login_check.php"), port, user, password]),
  [
    new DebianPackage("php-cli", "/usr/bin/php"),
    new DebianPackage("php-memcached", "/usr/share/doc/php-memcached"),
  ],
);

testLogin(
  "Ruby's Dalli logs in with the right password and no other",
  (port) => assertDone("/usr/bin/ruby", [beside("dalli_login_check.rb"), port, user, password]),
  [
    new DebianPackage("ruby", "/usr/bin/ruby"),
    new DebianPackage("ruby-dalli", "/usr/share/doc/ruby-dalli"),
  ],
);

testLogin(
  "memcflush logs in with the right password and no other",
  async (port) => {
    const options = [`--servers=127.0.0.1:${port}`, "--binary", `--username=${user}`];
    for (const [secret, expected] of [[password, 0], ["guess", 1]] as const) {
      const flushed = await outcomeOf("memcflush", [...options, `--password=${secret}`]);
      assertEquals(flushed.code, expected, secret);
    }
  },
  [new DebianPackage("libmemcached-tools", "/usr/bin/memcflush")],
);
