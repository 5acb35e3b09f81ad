/**
 * What the options say of TLS, memcached's words in `-o` and kvs's long ones alike.
 *
 * @module
 */

import { Exit, ExitError } from "../errors.ts";
import type { PeerPolicy, TlsSettings } from "../net/tls/mod.ts";
import type { EndpointTls } from "./endpoint.ts";
import type { Extended } from "./extended.ts";

/** The versions that may be the least one. Deno's TLS has no older ones. */
export const tlsVersions = ["tlsv1.2", "tlsv1.3"] as const;

/** The options of TLS as they were given. */
export interface TlsGiven {
  readonly ssl: boolean;
  readonly sslChainCert: string | undefined;
  readonly sslKey: string | undefined;
  readonly sslCaCert: string | undefined;
  readonly sslVerifyMode: number;
  readonly sslMinVersion: typeof tlsVersions[number];
}

/** How the server speaks TLS. */
export interface TlsChoice extends TlsSettings {
  /** memcached's `ssl_verify_mode`. */
  readonly verifyMode: number;
}

/**
 * The choice that the options make; `undefined` without `-Z`.
 *
 * @throws {ExitError} 64, in one line, where something is missing or would change nothing
 */
export function tlsChoice(given: TlsGiven, { ssl }: Extended): TlsChoice | undefined {
  const chain = ssl.get("chain_cert") ?? given.sslChainCert;
  const key = ssl.get("key") ?? given.sslKey;
  const ca = ssl.get("ca_cert") ?? given.sslCaCert;
  const verifyMode = Number(ssl.get("verify_mode") ?? given.sslVerifyMode);
  const version = ssl.get("min_version") ?? given.sslMinVersion;
  if (!given.ssl) {
    if (ssl.size > 0 || chain !== undefined || key !== undefined || ca !== undefined) {
      throw usage("certificates and other settings of TLS are valid only with -Z/--enable-ssl");
    }
    return undefined;
  }
  if (chain === undefined || key === undefined) {
    throw usage(
      "-Z/--enable-ssl needs a certificate and its key: --ssl-chain-cert FILE and --ssl-key FILE " +
        "(-o ssl_chain_cert=FILE,ssl_key=FILE)",
    );
  }
  return { chain, key, ca, verifyMode, onlyTls13: version === "3" || version === "tlsv1.3" };
}

/**
 * What a listener asks of its clients' certificates.
 *
 * @throws {ExitError} 64 where it asks for them, and no authority is known
 */
export function peerPolicy(tls: EndpointTls, choice: TlsChoice): PeerPolicy {
  const policy = tls === "mutual"
    ? "require"
    : tls === "server" || choice.verifyMode === 0
    ? "none"
    : choice.verifyMode === 1
    ? "request"
    : "require";
  if (policy !== "none" && choice.ca === undefined) {
    throw usage(
      "clients' certificates (mtls:, --ssl-verify-mode) are checked against --ssl-ca-cert FILE " +
        "(-o ssl_ca_cert=FILE), which is missing",
    );
  }
  return policy;
}

function usage(message: string): ExitError {
  return new ExitError(message, Exit.usage);
}
