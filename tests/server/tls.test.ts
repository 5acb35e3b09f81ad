/** TLS in front of a real server: listeners, certificates of both sides, and new ones while it runs. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { makeAuthority, makeCertificate, signCertificate } from "../certificates.ts";
import { runServer, ServerProcess } from "./process.ts";
import { exchangeWith } from "./wire.ts";

const NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A directory with a server's certificate, a client's, and one of another authority of the same name. */
const directory = await Deno.makeTempDir();
await makeCertificate(directory, NAMES);
await signCertificate(directory, "ca", "app", "subjectAltName=DNS:app.example,DNS:a\\, DNS:b");
await makeAuthority(directory, "others");
await signCertificate(directory, "others", "stranger", "subjectAltName=DNS:app.example");
globalThis.addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));

const read = (name: string) => Deno.readTextFileSync(`${directory}/${name}`);
const ca = read("ca.crt");
const tls = ["-Z", "--ssl-chain-cert", `${directory}/server.crt`].concat(
  ["--ssl-key", `${directory}/server.key`, "--ssl-ca-cert", `${directory}/ca.crt`],
);
const memory = ["--store", "memory", "-p", "-1"];

/** The ports that a server listens on, in the order of its `-l`. */
function portsOf(server: ServerProcess): number[] {
  return [...server.address.matchAll(/:(\d+)/g)].map(([, port]) => Number(port));
}

/** Sends text over TLS and returns all that comes back; an error of the handshake as its message. */
async function over(port: number, text: string, options: ConnectionOptions = {}): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, ca, servername: "localhost", ...options });
  let received = "";
  socket.on("data", (bytes: Uint8Array) => received += decoder.decode(bytes));
  const ended = new Promise<string>((resolve) => {
    socket.on("error", (error: Error) => resolve(`error: ${error.message}`));
    socket.on("close", () => resolve(received));
  });
  socket.on("secureConnect", () => socket.write(text));
  const result = await ended;
  socket.destroy();
  return result;
}

/** What a client shows. */
function shows(name: string): ConnectionOptions {
  return { cert: read(`${name}.crt`), key: read(`${name}.key`) };
}

Deno.test("-Z: a listener speaks TLS, notls: stands open beside it, and mtls: wants a certificate", async () => {
  await using server = await ServerProcess.start([
    ...[...memory, ...tls, "-l", "127.0.0.1,notls:127.0.0.1,mtls:127.0.0.1"],
  ]);
  const [encrypted, plain, mutual] = portsOf(server);
  assertEquals(await over(encrypted!, "set k 0 0 1\r\na\r\nquit\r\n"), "STORED\r\n");
  assertEquals(await exchangeWith(plain!, "get k\r\n"), "VALUE k 0 1\r\na\r\nEND\r\n");
  const get = "get k\r\nquit\r\n";
  assertEquals(await over(mutual!, get, shows("app")), "VALUE k 0 1\r\na\r\nEND\r\n");
  for (const client of [{}, shows("stranger")]) {
    const received = await over(mutual!, get, client);
    assert(!received.includes("VALUE"), received);
  }
  // Plain text, and nothing at all, are no handshake; neither is a line in the log.
  for (const port of [encrypted!, mutual!]) {
    const received = await exchangeWith(port, "get k\r\n");
    assert(!received.includes("VALUE"), received);
  }
  const stats = await exchangeWith(plain!, "stats\r\nstats settings\r\n");
  assert(Number(/ssl_handshake_errors (\d+)/.exec(stats)?.[1]) >= 4, stats);
  assertStringIncludes(stats, "STAT ssl_enabled yes");
  assertMatch(stats, /STAT ssl_cert_ends \d{4}-\d\d-\d\dT/);
  assertEquals(server.said.match(/handshake|TLS/gi), null);
});

Deno.test("a large value goes both ways over TLS and over mutual TLS", async () => {
  await using server = await ServerProcess.start([
    ...[...memory, ...tls, "-l", "127.0.0.1,mtls:127.0.0.1"],
  ]);
  const value = "v".repeat(1_000_000);
  for (const port of portsOf(server)) {
    const text = `set k 0 0 ${value.length}\r\n${value}\r\nget k\r\nquit\r\n`;
    const expected = `STORED\r\nVALUE k 0 ${value.length}\r\n${value}\r\nEND\r\n`;
    const received = await over(port, text, shows("app"));
    assert(received === expected, `${received.length} bytes instead of ${expected.length}`);
  }
});

Deno.test("a server that speaks TLS ends also when clients do not read what they are sent", async () => {
  await using server = await ServerProcess.start([
    ...[...memory, ...tls, "-l", "127.0.0.1,mtls:127.0.0.1"],
  ]);
  const [encrypted, mutual] = portsOf(server);
  const value = "v".repeat(1_000_000);
  await over(encrypted!, `set k 0 0 ${value.length}\r\n${value}\r\nquit\r\n`);
  const clients: Deno.TlsConn[] = [];
  for (const port of [encrypted!, mutual!]) {
    const own = { cert: read("app.crt"), key: read("app.key") };
    const client = await Deno.connectTls({ hostname: "127.0.0.1", port, caCerts: [ca], ...own });
    clients.push(client);
    await client.write(encoder.encode("get k\r\n".repeat(100)));
    await client.read(new Uint8Array(1));
  }
  server.kill("SIGTERM");
  assertEquals(await server.exit(), 0);
  for (const client of clients) client.close();
});

Deno.test("ssl_verify_mode 1 takes clients without a certificate, and only good ones", async () => {
  await using server = await ServerProcess.start([...memory, ...tls, "-o", "ssl_verify_mode=1"]);
  const version = "mn\r\nquit\r\n";
  assertEquals(await over(server.port, version), "MN\r\n");
  assertEquals(await over(server.port, version, shows("app")), "MN\r\n");
  assertEquals((await over(server.port, version, shows("stranger"))).includes("MN"), false);
});

Deno.test("a resumed session of mutual TLS is its client's, and of nobody else", async () => {
  await using server = await ServerProcess.start([...memory, ...tls, "--ssl-verify-mode", "2"]);
  const ask = async (...args: string[]) => {
    const child = new Deno.Command("openssl", {
      args: ["s_client", "-connect", `127.0.0.1:${server.port}`, "-ign_eof", ...args],
      cwd: directory,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const output = child.output();
    const input = child.stdin.getWriter();
    await input.write(encoder.encode("version\r\nquit\r\n")).catch(() => {});
    await input.close().catch(() => {});
    return decoder.decode((await output).stdout);
  };
  for (const version of ["-tls1_2", "-tls1_3"]) {
    const app = ["-cert", "app.crt", "-key", "app.key"];
    const first = await ask(version, ...app, "-sess_out", "session");
    assertMatch(first, /^New, TLSv1/m);
    assertMatch(first, /VERSION 1\.6/);
    const again = await ask(version, "-sess_in", "session");
    assertMatch(again, /^Reused, TLSv1/m);
    assertMatch(again, /VERSION 1\.6/);
    assertEquals(/VERSION 1/.test(await ask(version)), false);
  }
});

Deno.test("ssl_min_version=tlsv1.3 refuses TLS 1.2", async () => {
  await using server = await ServerProcess.start([...memory, ...tls, "-o", "ssl_min_version=3"]);
  assertEquals(await over(server.port, "mn\r\nquit\r\n", { minVersion: "TLSv1.3" }), "MN\r\n");
  const old = await over(server.port, "mn\r\nquit\r\n", { maxVersion: "TLSv1.2" });
  assertEquals(old.includes("MN"), false);
});

Deno.test("refresh_certs and SIGHUP bring new certificates; open connections stay, and bad ones change nothing", async () => {
  const own = await Deno.makeTempDir();
  try {
    const put = async (from: string) => {
      await Deno.copyFile(`${directory}/${from}.crt`, `${own}/crt`);
      await Deno.copyFile(`${directory}/${from}.key`, `${own}/key`);
    };
    await put("server");
    await signCertificate(directory, "ca", "renewed", NAMES);
    await using server = await ServerProcess.start([
      ...[...memory, "-Z", "--ssl-chain-cert", `${own}/crt`, "--ssl-key", `${own}/key`],
      ...["--ssl-ca-cert", `${directory}/ca.crt`, "-l", "127.0.0.1,mtls:127.0.0.1"],
    ]);
    const ports = portsOf(server);
    const namesNow = () => Promise.all(ports.map(nameShownBy));
    assertEquals(await namesNow(), ["server", "server"]);
    const before = await Deno.connectTls({ hostname: "127.0.0.1", port: ports[0]!, caCerts: [ca] });
    await put("renewed");
    await before.write(encoder.encode("refresh_certs\r\n"));
    assertEquals(await line(before), "OK\r\n");
    assertEquals(await namesNow(), ["renewed", "renewed"]);
    // The key of another certificate.
    await Deno.copyFile(`${directory}/server.crt`, `${own}/crt`);
    await before.write(encoder.encode("refresh_certs\r\n"));
    assertMatch(await line(before), /^Error validating the certificate: .*crt : its key is not/);
    assertEquals(await namesNow(), ["renewed", "renewed"]);
    // A key that OpenSSL knows, and TLS here does not.
    await signCertificate(directory, "ca", "unusual", NAMES, "secp224r1");
    await put("unusual");
    await before.write(encoder.encode("refresh_certs\r\n"));
    assertMatch(await line(before), /^Error validating the certificate: .*crt : .* cannot use it/);
    server.kill("SIGHUP");
    await server.says(/the certificates stay as they are: .* cannot use it/);
    assertEquals(await namesNow(), ["renewed", "renewed"]);
    await put("server");
    server.kill("SIGHUP");
    await server.says(/read the certificates again: CN=server/);
    assertEquals(await namesNow(), ["server", "server"]);
    await before.write(encoder.encode("mn\r\n"));
    assertEquals(await line(before), "MN\r\n");
    before.close();
  } finally {
    await Deno.remove(own, { recursive: true });
  }
});

async function line(conn: Deno.Conn): Promise<string> {
  const bytes = new Uint8Array(1000);
  let text = "";
  while (!text.endsWith("\n")) {
    const count = await conn.read(bytes);
    if (count === null) return text;
    text += decoder.decode(bytes.subarray(0, count));
  }
  return text;
}

/** The common name in the certificate that a port shows. */
function nameShownBy(port: number): Promise<string> {
  const socket: TLSSocket = connect({
    ...{ host: "127.0.0.1", port, ca, servername: "localhost" },
    ...shows("app"),
  });
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("secureConnect", () => {
      const { subject } = socket.getPeerCertificate() as unknown as { subject: { CN: string } };
      socket.destroy();
      resolve(subject.CN);
    });
  });
}

Deno.test("where no authority is known no client's certificate is good, and the start says so", async () => {
  const [flag, ...rest] = tls.slice(0, 5);
  await using server = await ServerProcess.start([
    ...[...memory, flag!, ...rest, "-l", "mtls:127.0.0.1,127.0.0.1"],
  ]);
  await server.says(/no client's certificate can be good/);
  const [mutual, encrypted] = portsOf(server);
  for (const client of [{}, shows("app")]) {
    assertEquals((await over(mutual!, "mn\r\nquit\r\n", client)).includes("MN"), false);
  }
  assertEquals(await over(encrypted!, "mn\r\nquit\r\n"), "MN\r\n");
});

Deno.test("what TLS cannot do is refused at the start", async () => {
  await Deno.writeTextFile(`${directory}/nonsense`, "nonsense\n");
  const cert = ["--ssl-chain-cert", `${directory}/server.crt`];
  const key = ["--ssl-key", `${directory}/server.key`];
  const cases: [string[], RegExp][] = [
    [["-Z"], /needs a certificate and its key/],
    [["-o", "ssl_chain_cert=x"], /valid only with -Z/],
    [[...tls, "-o", "ssl_ciphers=AES"], /ssl_ciphers is refused/],
    [[...tls, "-o", "ssl_kernel_tls"], /ssl_kernel_tls is refused/],
    [[...tls, "-o", "ssl_min_version=1"], /ssl_min_version takes one of/],
    [[...tls, "-o", "ssl_keyformat=2"], /ssl_keyformat takes one of/],
    [["-Z", ...cert, "--ssl-key", `${directory}/nonsense`], /nonsense : it is no private key/],
    [["-Z", ...cert, "--ssl-key", `${directory}/ca.key`], /its key is not that of/],
    [
      ["-Z", ...key, "--ssl-chain-cert", `${directory}/nonsense`],
      /nonsense : there is no certificate in PEM/,
    ],
    [["-Z", ...key, "--ssl-chain-cert", "/nonexistent"], /\/nonexistent : /],
  ];
  const results = await Promise.all(cases.map(([args]) => runServer(...memory, ...args)));
  for (const [i, { code, stderr }] of results.entries()) {
    assertMatch(stderr, cases[i]![1]);
    assertEquals(code, 64, stderr);
  }
});
