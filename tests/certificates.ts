/**
 * Certificates for servers on TLS, by OpenSSL.
 *
 * @module
 */

/** Runs `openssl` in a directory. */
export async function openssl(directory: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, cwd: directory }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

const newKeyOn = (curve: string) => [
  ...["-newkey", "ec", "-pkeyopt", `ec_paramgen_curve:${curve}`, "-nodes"],
];
const CURVE = "prime256v1";

/**
 * Makes an authority, `ca.crt` and `ca.key`, and what it signed for a server, `server.crt` and
 * `server.key`.
 *
 * @param extensions such as `subjectAltName=DNS:localhost,IP:127.0.0.1`.
 */
export async function makeCertificate(directory: string, extensions: string): Promise<void> {
  await makeAuthority(directory, "ca");
  await signCertificate(directory, "ca", "server", extensions);
}

/** Makes an authority, `NAME.crt` and `NAME.key`. */
export async function makeAuthority(directory: string, name: string): Promise<void> {
  await openssl(
    directory,
    ...["req", "-x509", ...newKeyOn(CURVE), "-days", "2", "-subj", "/CN=test authority"],
    ...["-keyout", `${name}.key`, "-out", `${name}.crt`],
  );
}

/** Makes `NAME.crt` and `NAME.key`, whose common name is `NAME`, signed by an authority, with a key on a curve. */
export async function signCertificate(
  directory: string,
  authority: string,
  name: string,
  extensions: string,
  curve = CURVE,
): Promise<void> {
  await openssl(
    directory,
    ...[
      "req",
      ...newKeyOn(curve),
      "-subj",
      `/CN=${name}`,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.csr`,
    ],
  );
  await Deno.writeTextFile(`${directory}/extensions`, `${extensions}\n`);
  await openssl(
    directory,
    ...["x509", "-req", "-in", `${name}.csr`, "-CA", `${authority}.crt`, "-days", "2"],
    ...["-CAkey", `${authority}.key`, "-CAcreateserial", "-extfile", "extensions"],
    ...["-out", `${name}.crt`],
  );
}
