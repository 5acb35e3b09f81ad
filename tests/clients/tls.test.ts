/** A client not written here speaks TLS. */

import { makeCertificate, signCertificate } from "../certificates.ts";
import { ServerProcess } from "../server/process.ts";
import { DebianPackage, named } from "./debian.ts";
import { assertDone, beside } from "./stores.ts";

const pymemcache = new DebianPackage(
  "python3-pymemcache",
  "/usr/lib/python3/dist-packages/pymemcache/__init__.py",
);

Deno.test({
  name: named("Python's pymemcache speaks TLS and shows its certificate", [pymemcache]),
  ignore: pymemcache.skipped,
  fn: async () => {
    pymemcache.require();
    const directory = await Deno.makeTempDir();
    try {
      await makeCertificate(directory, "subjectAltName=DNS:localhost");
      await signCertificate(directory, "ca", "app", "subjectAltName=DNS:app.example");
      await using server = await ServerProcess.start([
        ...["--store", "memory", "-p", "-1", "-Z", "--ssl-verify-mode", "2"],
        ...["--ssl-chain-cert", `${directory}/server.crt`, "--ssl-key", `${directory}/server.key`],
        ...["--ssl-ca-cert", `${directory}/ca.crt`],
      ]);
      const files = ["ca.crt", "app.crt", "app.key"].map((name) => `${directory}/${name}`);
      const args = ["-B", beside("pymemcache_tls_check.py"), String(server.port), ...files];
      await assertDone("/usr/bin/python3", args);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});
