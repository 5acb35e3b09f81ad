/**
 * A bucket for copies in a process of its own: the tests' emulator behind TLS, with an account.
 *
 *     deno run -A bench/copies/service.ts PORT DIRECTORY
 *
 * DIRECTORY gets `ca.crt`, which clients are to trust, and `credentials.json`. It listens on PORT.
 *
 * @module
 */

import net from "node:net";
import tls from "node:tls";
import { makeCertificate } from "../../tests/certificates.ts";
import { Account, allRights } from "../../tests/storage/gcs/account.ts";
import { Emulator } from "../../tests/storage/gcs/emulator/mod.ts";

const [port, directory] = Deno.args as [string, string];
const accounts = { [Account.address]: allRights };
const emulator = await Emulator.start({ auth: { lifetime: 3600, accounts } });
await makeCertificate(directory, "subjectAltName=DNS:localhost");
await Deno.writeTextFile(
  `${directory}/credentials.json`,
  JSON.stringify(Account.credentials(emulator.endpoint, `${directory}/token`)),
);
await Deno.writeTextFile(`${directory}/token`, Account.address);
const [key, cert] = ["server.key", "server.crt"].map((name) =>
  Deno.readTextFileSync(`${directory}/${name}`)
);
const behind = Number(new URL(emulator.endpoint).port);
tls.createServer({ key, cert }, (socket) => {
  const inner = net.connect(behind, "127.0.0.1");
  for (const [one, other] of [[socket, inner], [inner, socket]] as const) {
    one.on("error", () => other.destroy()).on("close", () => other.destroy());
    one.pipe(other);
  }
}).listen(Number(port), "127.0.0.1");
