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

/**
 * Makes an authority, `ca.crt` and `ca.key`, and what it signed for a server, `server.crt` and
 * `server.key`.
 *
 * @param extensions such as `subjectAltName=DNS:localhost,IP:127.0.0.1`.
 */
export async function makeCertificate(directory: string, extensions: string): Promise<void> {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await openssl(
    directory,
    ...["req", "-x509", ...key, "-days", "2", "-subj", "/CN=test authority"],
    ...["-keyout", "ca.key", "-out", "ca.crt"],
  );
  await openssl(
    directory,
    ...["req", ...key, "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr"],
  );
  await Deno.writeTextFile(`${directory}/extensions`, `${extensions}\n`);
  await openssl(
    directory,
    ...["x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", "2"],
    ...["-CAcreateserial", "-extfile", "extensions", "-out", "server.crt"],
  );
}
