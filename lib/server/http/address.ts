/**
 * Where `--http` listens, and who may ask there.
 *
 * @module
 */

import { isIP } from "node:net";
import { Exit, ExitError } from "../../errors.ts";

/** An address of `--http`. */
export interface HttpAddress {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/** Whether an address is this machine's alone. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/** What stands between the page and a network. */
export interface Protection {
  readonly hasTls: boolean;
  readonly hasUsers: boolean;
  /** Whether it is meant that everybody may ask in clear (`--insecure`). */
  readonly insecure: boolean;
}

/**
 * Reads `[HOST:]PORT`. Beyond this machine the page needs TLS and users, unless it is said that it need not.
 *
 * @throws {ExitError} 64, in one line, where it is no address, or one that may not be listened on
 */
export function readHttpAddress(text: string, protection: Protection): HttpAddress {
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new ExitError(`--http takes [HOST:]PORT, received '${text}'`, Exit.usage);
  }
  const host = match[1] ?? match[2] ?? "127.0.0.1";
  if (isLoopback(host) || protection.insecure) return { host, port };
  const missing = [
    ...protection.hasTls ? [] : ["TLS (-Z)"],
    ...protection.hasUsers ? [] : ["users (-Y FILE, --users FILE)"],
  ];
  if (missing.length === 0) return { host, port };
  throw new ExitError(
    `--http ${text}: beyond this machine the page needs ${missing.join(" and ")}, or --insecure`,
    Exit.usage,
  );
}

/** How the pages are reached. */
export interface Site {
  readonly scheme: "http" | "https";
  /** The host that is listened on. */
  readonly host: string;
}

/**
 * Why a browser's request is refused, in a sentence; `undefined` where it is not.
 *
 * A page of another site can make a browser send requests here, under this machine's names or, where its own
 * name is made to lead here (DNS rebinding), under that name. So Host must name this machine, and the origin
 * of the asking page must be this one. With TLS the certificate sees to the name.
 */
export function objectionTo(headers: Headers, { scheme, host: own }: Site): string | undefined {
  const host = headers.get("host") ?? "";
  const name = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::\d+)?$/.exec(host);
  if (name === null) return "there is no Host header that names a host";
  if (scheme === "http" && !isOwn((name[1] ?? name[2]!).toLowerCase(), own)) {
    return isLoopback(own)
      ? "the Host header does not name this machine: use 127.0.0.1, [::1] or localhost"
      : "the Host header is no address of this machine: use its IP address";
  }
  const origin = headers.get("origin");
  if (origin !== null && origin !== `${scheme}://${host}`) {
    return "a page of another site may not read this one";
  }
  const site = headers.get("sec-fetch-site");
  const isLink = headers.get("sec-fetch-mode") === "navigate" &&
    headers.get("sec-fetch-dest") === "document";
  if (site !== null && site !== "same-origin" && site !== "none" && !isLink) {
    return "a page of another site may not read this one";
  }
  return undefined;
}

/** Whether a name is one of this machine's: no name that somebody else could make lead here. */
function isOwn(name: string, own: string): boolean {
  if (isLoopback(name)) return true;
  return !isLoopback(own) && (name === own.toLowerCase() || isIP(name) !== 0);
}
