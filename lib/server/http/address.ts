/**
 * Where `--http` listens, and who may ask there.
 *
 * @module
 */

import { Exit, ExitError } from "../../errors.ts";

/** An address of `--http`. */
export interface HttpAddress {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/**
 * Reads `[HOST:]PORT`.
 *
 * @throws {ExitError} 64, in one line, where it is no address, or not one of this machine alone.
 */
export function readHttpAddress(text: string): HttpAddress {
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new ExitError(`--http takes [HOST:]PORT, received '${text}'`, Exit.usage);
  }
  const host = match[1] ?? match[2] ?? "127.0.0.1";
  if (!LOOPBACK.test(host)) {
    throw new ExitError(
      `--http ${text}: '${host}' is not a loopback address; beyond this machine the page needs TLS and ` +
        "users with permissions, which kvs does not have yet",
      Exit.usage,
    );
  }
  return { host, port };
}

/**
 * Why a browser's request is refused, in a sentence; `undefined` where it is not.
 *
 * A page of another site can make a browser send requests here, under this machine's names or, where its own
 * name is made to lead here (DNS rebinding), under that name. So Host must name this machine, and the origin
 * of the asking page must be this one.
 */
export function objectionTo(headers: Headers): string | undefined {
  const host = headers.get("host") ?? "";
  const name = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::\d+)?$/.exec(host);
  if (name === null || !LOOPBACK.test((name[1] ?? name[2]!).toLowerCase())) {
    return "the Host header does not name this machine: use 127.0.0.1, [::1] or localhost";
  }
  const origin = headers.get("origin");
  if (origin !== null && origin !== `http://${host}`) {
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
