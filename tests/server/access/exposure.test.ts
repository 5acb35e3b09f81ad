/** Protected mode, on a machine with a public address: a network of its own, which is gone with it. */

import { assertEquals, assertMatch } from "@std/assert";
import { makeCertificate } from "../../certificates.ts";
import { commandOf } from "../process.ts";

/** Runs a bash script where the machine has these addresses and no way to anybody else. */
async function inNetwork(addresses: readonly string[], script: string): Promise<string> {
  const own = addresses.map((address) => `ip addr add ${address}/32 dev lo`).join("\n");
  const { stdout, stderr } = await new Deno.Command("unshare", {
    args: [
      "--user",
      "--map-root-user",
      "--net",
      "bash",
      "-c",
      `ip link set lo up\n${own}\n${script}`,
    ],
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

const can = await inNetwork([], "echo can").then((said) => said === "can\n", () => false);
const why = can ? "" : " (skipped: no network name space, or no ip)";

/**
 * What a server says there until it listens or ends, with its exit code; and what `stats settings` says of
 * who can reach it.
 */
async function outcome(addresses: readonly string[], options: readonly string[]): Promise<string> {
  const at = options[options.indexOf("-l") + 1]!.replace(/^.*:/, "").replace(
    "0.0.0.0",
    "127.0.0.1",
  );
  const command = commandOf(["--store", "memory", "-p", "21211", ...options], {});
  const words = command.map((word) => `'${word}'`).join(" ");
  return await inNetwork(
    addresses,
    `coproc SERVER { exec ${words} 2>&1; }
     pid=$SERVER_PID
     while read -r line <&"\${SERVER[0]}"; do
       echo "$line"
       if [[ $line == *"listening on"* ]]; then
         exec 3<>/dev/tcp/${at}/21211 && printf 'stats settings\\r\\nquit\\r\\n' >&3
         grep -a open_to <&3
         kill $pid
         break
       fi
     done
     wait $pid
     echo "code $?"`,
  );
}

const PUBLIC = ["8.8.8.8", "10.1.2.3"];
const PRIVATE = ["10.1.2.3"];

function test(name: string, body: (directory: string) => Promise<void>): void {
  Deno.test({
    name: name + why,
    ignore: !can,
    fn: async () => {
      const directory = await Deno.makeTempDir();
      try {
        await body(directory);
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}

test("on a public address a server without users does not start, unless that is meant", async () => {
  for (const listen of ["8.8.8.8", "0.0.0.0"]) {
    const refused = await outcome(PUBLIC, ["-l", listen]);
    assertMatch(refused, /can be reached from everywhere.*-Y FILE.*mtls:.*-l.*--insecure/);
    assertMatch(refused, /^code 64$/m);
    const meant = await outcome(PUBLIC, ["-l", listen, "--insecure"]);
    assertMatch(meant, /whoever reaches .* can read and change everything; give users \(-Y FILE/);
    assertMatch(meant, /STAT open_to public/);
    assertMatch(meant, /^code 0$/m);
  }
});

test("on a private address it starts with a warning that names the ways to close it", async () => {
  for (const listen of ["10.1.2.3", "0.0.0.0"]) {
    const said = await outcome(PRIVATE, ["-l", listen]);
    assertMatch(
      said,
      /whoever reaches .* can read and change everything; .*-Y FILE.*--users.*mtls:/,
    );
    assertMatch(said, /STAT open_to private/);
    assertMatch(said, /^code 0$/m);
  }
  assertEquals(/whoever|open_to/.test(await outcome(PUBLIC, ["-l", "127.0.0.1"])), false);
});

test("with users, or where clients show certificates, it starts anywhere and warns of nothing", async (directory) => {
  await makeCertificate(directory, "subjectAltName=DNS:localhost");
  await Deno.writeTextFile(`${directory}/users`, "app:secret\n", { mode: 0o600 });
  const tls = [
    ...[
      "-Z",
      "--ssl-chain-cert",
      `${directory}/server.crt`,
      "--ssl-key",
      `${directory}/server.key`,
    ],
    ...["--ssl-ca-cert", `${directory}/ca.crt`],
  ];
  const closed = [["-l", "8.8.8.8", "-Y", `${directory}/users`], ["-l", "mtls:8.8.8.8", ...tls]];
  for (const options of closed) {
    const said = await outcome(PUBLIC, options);
    assertEquals(/whoever|open_to/.test(said), false, said);
    assertMatch(said, /^code 0$/m);
  }
  // A certificate of the server alone keeps nobody out.
  assertMatch(await outcome(PUBLIC, ["-l", "8.8.8.8", ...tls]), /^code 64$/m);
});
