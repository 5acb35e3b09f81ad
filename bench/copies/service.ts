/**
 * A bucket for copies in a process of its own: the tests' emulator behind TLS, with an account.
 *
 *     deno run -A bench/copies/service.ts PORT DIRECTORY [RATE]
 *
 * DIRECTORY gets `ca.crt`, which clients are to trust, and `credentials.json`. It listens on PORT, and sends
 * RATE bytes a second at most, over all connections.
 *
 * @module
 */

import net from "node:net";
import tls from "node:tls";
import { makeCertificate } from "../../tests/certificates.ts";
import { Account, allRights } from "../../tests/storage/gcs/account.ts";
import { Emulator } from "../../tests/storage/gcs/emulator/mod.ts";

const [port, directory, limit] = Deno.args as [string, string, string | undefined];
/** Bytes a millisecond. */
const rate = limit === undefined ? Infinity : Number(limit) / 1000;
/** When all that was sent so far will have been sent at that rate. */
let due = 0;
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
  }
  socket.pipe(inner);
  if (rate === Infinity) return inner.pipe(socket);
  inner.on("data", (chunk: Uint8Array) => {
    const isFull = !socket.write(chunk);
    const now = performance.now();
    due = Math.max(due, now) + chunk.length / rate;
    // A timer is too coarse for each chunk of a fast line.
    if (due - now < 10 && !isFull) return;
    inner.pause();
    if (isFull) socket.once("drain", () => inner.resume());
    else setTimeout(() => inner.resume(), due - now);
  }).on("end", () => socket.end());
}).listen(Number(port), "127.0.0.1");
