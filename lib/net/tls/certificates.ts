/**
 * The certificates of a server, read and checked together before any of them is used.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { messageOf } from "../../errors.ts";

/** Where the certificates are. */
export interface CertificateFiles {
  /** PEM: the server's certificate, then those of the authorities between it and the root. */
  readonly chain: string;
  /** PEM: the key of the first certificate, without a passphrase. */
  readonly key: string;
  /** PEM: the authorities that clients' certificates must be from. */
  readonly ca: string | undefined;
}

/** Certificates that belong together. */
export interface Certificates {
  /** As they are in the files. */
  readonly chain: string;
  readonly key: string;
  readonly ca: string | undefined;
  /** The authorities of clients. */
  readonly authorities: readonly X509Certificate[];
  /** Whose the server's certificate is, in one line. */
  readonly subject: string;
  /** When the first certificate of the chain ends, in milliseconds since 1970. */
  readonly expires: number;
}

/** What is wrong with the certificates; the message names the file. */
export class CertificateError extends Error {
  override name = "CertificateError";
}

const PEM =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

const KEY = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[^]*?-----END (?:[A-Z]+ )?PRIVATE KEY-----/;

/**
 * Reads certificates and key.
 *
 * @throws {CertificateError} in memcached's words, where a file cannot be read, is none of its kind,
 * does not belong to the others, or is of a kind that TLS does not know here.
 */
export function readCertificates(files: CertificateFiles): Certificates {
  const chainWords = "loading the certificate chain";
  const chain = readFile(files.chain, chainWords);
  const certificates = certificatesIn(chain, files.chain, chainWords);
  const keyWords = "loading the key";
  // A file may have certificates before the key.
  const text = readFile(files.key, keyWords);
  const key = KEY.exec(text)?.[0] ?? text;
  let privateKey;
  try {
    privateKey = createPrivateKey(key);
  } catch {
    throw wrong(keyWords, files.key, "it is no private key in PEM without a passphrase");
  }
  const leaf = certificates[0]!;
  if (!leaf.checkPrivateKey(privateKey)) {
    throw wrong("validating the certificate", files.chain, `its key is not that of ${files.key}`);
  }
  for (const [i, certificate] of certificates.entries()) {
    const issuer = certificates[i + 1];
    if (issuer === undefined || certificate.raw.equals(issuer.raw)) continue;
    if (!isIssued(certificate, issuer)) {
      throw wrong(chainWords, files.chain, `certificate ${i + 2} has not signed the one before it`);
    }
  }
  try {
    // TLS knows fewer kinds of keys and of PEM than what has read them so far. Nobody connects by this.
    Deno.createHttpClient({ cert: chain, key }).close();
  } catch (error) {
    const why = `Deno's TLS cannot use it with ${files.key}: ${messageOf(error)}`;
    throw wrong("validating the certificate", files.chain, why);
  }
  const caWords = "loading the CA certificate";
  const ca = files.ca === undefined ? undefined : readFile(files.ca, caWords);
  return {
    chain,
    key,
    ca,
    authorities: ca === undefined ? [] : certificatesIn(ca, files.ca!, caWords),
    subject: leaf.subject?.replaceAll("\n", ", ") || "no name",
    expires: Math.min(...certificates.map(({ validTo }) => Date.parse(validTo))),
  };
}

/** Whether `issuer` has signed a certificate, as its bytes say. */
export function isIssued(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    // A key of a kind that this Deno does not know.
    return false;
  }
}

function certificatesIn(text: string, path: string, doing: string): X509Certificate[] {
  const blocks = text.match(PEM) ?? [];
  if (blocks.length === 0) throw wrong(doing, path, "there is no certificate in PEM in it");
  return blocks.map((block, i) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw wrong(doing, path, `certificate ${i + 1} cannot be read: ${messageOf(error)}`);
    }
  });
}

function readFile(path: string, doing: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw wrong(doing, path, messageOf(error));
  }
}

function wrong(doing: string, path: string, why: string): CertificateError {
  return new CertificateError(`Error ${doing}: ${path} : ${why}`);
}
