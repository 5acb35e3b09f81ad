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
  readonly enableSsl: boolean;
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
  if (!given.enableSsl) {
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

/** What a listener asks of its clients' certificates. */
export function peerPolicy(tls: EndpointTls, { verifyMode }: TlsChoice): PeerPolicy {
  if (tls === "mutual") return "require";
  if (tls === "server" || verifyMode === 0) return "none";
  return verifyMode === 1 ? "request" : "require";
}

/**
 * What follows where clients' certificates are asked for and no authority is known, as a sentence; memcached
 * takes such options too.
 */
export function authorityProblem(
  endpoints: readonly { readonly tls: EndpointTls }[],
  choice: TlsChoice,
): string | undefined {
  if (choice.ca !== undefined) return undefined;
  const asks = ({ tls }: { tls: EndpointTls }) =>
    tls !== "off" && peerPolicy(tls, choice) !== "none";
  return endpoints.some(asks)
    ? "no client's certificate can be good: they are checked against --ssl-ca-cert FILE, which is missing"
    : undefined;
}

function usage(message: string): ExitError {
  return new ExitError(message, Exit.usage);
}
