/**
 * Whether a client's certificate is good, judged by the certificate itself: what TLS libraries say beside
 * it was wrong in several versions (without a certificate, and in resumed sessions).
 *
 * @module
 */

import { X509Certificate } from "node:crypto";
import { isIssued } from "./certificates.ts";
import { isForClients } from "./der.ts";

/** A certificate as `node:tls` shows it, with the one that it is from where the client has sent that. */
export interface ShownCertificate {
  readonly raw?: Uint8Array;
  readonly issuerCertificate?: ShownCertificate;
}

/** Certificates between a client's own and an authority, at most. */
const MAX_BETWEEN = 8;

/** The bytes of a client's certificate that is good at `now`; `undefined` where it is not, or none was shown. */
export function checkedPeer(
  shown: ShownCertificate | undefined,
  authorities: readonly X509Certificate[],
  now: number,
): Uint8Array | undefined {
  const raw = shown?.raw;
  if (raw === undefined || raw.length === 0) return undefined;
  try {
    const leaf = new X509Certificate(raw);
    if (!isForClients(raw)) return undefined;
    let certificate = leaf;
    let source = shown;
    for (let i = 0; i <= MAX_BETWEEN; i++) {
      if (!isCurrent(certificate, now)) return undefined;
      const subject = certificate;
      const issuer = authorities.find((authority) => isIssued(subject, authority));
      if (issuer !== undefined) return isCurrent(issuer, now) ? raw : undefined;
      const next = source?.issuerCertificate;
      if (next?.raw === undefined || next === source) return undefined;
      const between = new X509Certificate(next.raw);
      if (!between.ca || !isIssued(certificate, between)) return undefined;
      certificate = between;
      source = next;
    }
  } catch {
    // Nothing that can be read as a certificate is one.
  }
  return undefined;
}

function isCurrent({ validFrom, validTo }: X509Certificate, now: number): boolean {
  return Date.parse(validFrom) <= now && now <= Date.parse(validTo);
}
