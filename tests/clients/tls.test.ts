/**
 * Clients not written here speak TLS. Of the others whose logins are tested, libmemcached (and with it PHP's
 * Memcached and pylibmc) and npm's memjs have no TLS.
 */

import { assertEquals } from "@std/assert";
import { makeCertificate, signCertificate } from "../certificates.ts";
import { ServerProcess } from "../server/process.ts";
import { DebianPackage, named, type Need } from "./debian.ts";
import { assertDone, beside } from "./stores.ts";

const user = "ann";
const password = "se:cret";

/** Registers a test with a kvs that speaks TLS, and a directory of certificates and users for it. */
function testTls(
  name: string,
  more: (directory: string) => readonly string[],
  body: (port: string, directory: string) => Promise<void>,
  needs: readonly Need[],
): void {
  Deno.test({
    name: named(name, needs),
    ignore: needs.some((need) => need.skipped),
    fn: async () => {
      for (const need of needs) need.require();
      const directory = await Deno.makeTempDir();
      try {
        await makeCertificate(directory, "subjectAltName=DNS:localhost");
        await signCertificate(directory, "ca", "app", "subjectAltName=DNS:app.example");
        await Deno.writeTextFile(`${directory}/users`, `${user}:${password}\n`, { mode: 0o600 });
        await using server = await ServerProcess.start([
          ...["--store", "memory", "-p", "-1", "-Z", "--ssl-chain-cert", `${directory}/server.crt`],
          ...["--ssl-key", `${directory}/server.key`, ...more(directory)],
        ]);
        await body(String(server.port), directory);
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}

const wantsCertificates = (directory: string) =>
  ["--ssl-verify-mode", "2", "--ssl-ca-cert", `${directory}/ca.crt`] as const;
const wantsLogins = (directory: string) => ["-S", "-Y", `${directory}/users`] as const;

testTls(
  "Python's pymemcache speaks TLS and shows its certificate",
  wantsCertificates,
  (port, directory) => {
    const files = ["ca.crt", "app.crt", "app.key"].map((name) => `${directory}/${name}`);
    return assertDone("/usr/bin/python3", [
      ...["-B", beside("pymemcache_tls_check.py"), port, ...files],
    ]);
  },
  [
    new DebianPackage(
      "python3-pymemcache",
      "/usr/lib/python3/dist-packages/pymemcache/__init__.py",
    ),
  ],
);

testTls(
  "Ruby's Dalli logs in over TLS, to a server of its authority alone",
  wantsLogins,
  (port, directory) =>
    assertDone("/usr/bin/ruby", [
      ...[beside("dalli_tls_check.rb"), port, `${directory}/ca.crt`, user, password],
    ]),
  [
    new DebianPackage("ruby", "/usr/bin/ruby"),
    new DebianPackage("ruby-dalli", "/usr/share/doc/ruby-dalli"),
  ],
);

testTls(
  "python-binary-memcached logs in over TLS",
  wantsLogins,
  (port, directory) =>
    assertDone("/usr/bin/python3", [
      ...["-B", beside("bmemcached_tls_check.py"), port, `${directory}/ca.crt`, user, password],
    ]),
  [
    new DebianPackage(
      "python3-binary-memcached",
      "/usr/lib/python3/dist-packages/bmemcached/__init__.py",
    ),
  ],
);

const openssl = new DebianPackage("openssl", "/usr/bin/openssl");

/** What `openssl s_client` is told by the server, with what it says of the connection. */
async function sClient(port: string, args: readonly string[], input: string): Promise<string> {
  const child = new Deno.Command("/usr/bin/openssl", {
    args: ["s_client", "-connect", `localhost:${port}`, "-ign_eof", ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { stdout, stderr } = await child.output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

testTls(
  "openssl s_client logs in over TLS 1.2 and 1.3, and the certificate is good to it",
  wantsLogins,
  async (port, directory) => {
    const pair = `${user} ${password}`;
    const sent = `set x 0 0 ${pair.length}\r\n${pair}\r\nset k 0 0 5\r\nhello\r\nget k\r\nquit\r\n`;
    const trust = ["-CAfile", `${directory}/ca.crt`, "-verify_hostname", "localhost"];
    for (const version of ["-tls1_2", "-tls1_3"]) {
      const said = await sClient(port, [...trust, version], sent);
      assertEquals(/Verification: OK|Verify return code: 0/.test(said), true, said);
      const told = said.slice(said.indexOf("STORED")).replaceAll("\r", "").split("\n");
      assertEquals(told.filter((line) => /^(STORED|VALUE .*|hello|END)$/.test(line)), [
        ...["STORED", "STORED", "VALUE k 0 5", "hello", "END"],
      ]);
    }
    for (const version of ["-tls1", "-tls1_1"]) {
      const said = await sClient(port, [...trust, version], sent);
      assertEquals(said.includes("STORED"), false, said);
    }
  },
  [openssl],
);

testTls(
  "openssl s_client is served with the certificate of a client, and without one it is not",
  wantsCertificates,
  async (port, directory) => {
    const sent = "set k 0 0 5\r\nhello\r\nget k\r\nquit\r\n";
    const shown = ["-cert", `${directory}/app.crt`, "-key", `${directory}/app.key`];
    const served = await sClient(port, ["-quiet", ...shown], sent);
    assertEquals(served.replaceAll("\r", "").match(/^(STORED|hello|END)$/gm), [
      ...["STORED", "hello", "END"],
    ]);
    assertEquals((await sClient(port, ["-quiet"], sent)).includes("STORED"), false);
  },
  [openssl],
);
