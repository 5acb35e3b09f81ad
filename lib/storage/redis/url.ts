/**
 * What `--redis-url` may say:
 *
 * - `redis://[user:password@]host[:port][/db]`, or `rediss://` for TLS;
 * - `redis-sentinel://[user:password@]host[:port]/master[/db]`, or `rediss-sentinel://` for TLS to
 *   the Sentinel and to Redis; user and password are Redis's;
 * - `unix://[user:password@]/path[?db=N]`.
 *
 * @module
 */

import { Exit, ExitError } from "../../errors.ts";
import { redactedUrl } from "../../redact.ts";

/** What a URL says. */
export interface Parsed {
  /** Empty where it names a Unix socket. */
  readonly host: string;
  readonly port: number;
  /** The Unix socket. */
  readonly path?: string;
  /** The name of the master that the Sentinel at this address knows. */
  readonly master?: string;
  readonly secure: boolean;
  readonly user: string;
  readonly password: string;
  readonly db: number;
}

const UNIX = /^unix:\/\/(?:([^:@/]*):([^@/]*)@)?(\/[^?#]+)(?:\?db=(\d{1,5}))?$/;

/**
 * Reads a URL.
 *
 * @throws {ExitError} where it is not what it has to be
 */
export function addressOfUrl(text: string): Parsed {
  if (text.startsWith("unix:")) return parseUnix(text);
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw wrong(text, "it is not a URL");
  }
  const scheme = /^redis(s?)(-sentinel)?:$/.exec(url.protocol);
  if (scheme === null) throw wrong(text, "of another kind");
  const sentinel = scheme[2] !== undefined;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (host === "") throw wrong(text, "the host is missing");
  const path = url.pathname.split("/").slice(1);
  const master = sentinel ? decode(text, path.shift() ?? "") : undefined;
  if (master === "") throw wrong(text, "the master's name is missing");
  const db = path.join("/");
  if (!/^\d{0,5}$/.test(db) || url.search !== "" || url.hash !== "") {
    throw wrong(text, "at the end comes a database's number or nothing");
  }
  return {
    host,
    port: Number(url.port || (sentinel ? 26379 : 6379)),
    ...(master !== undefined && { master }),
    secure: scheme[1] === "s",
    user: decode(text, url.username),
    password: decode(text, url.password),
    db: Number(db),
  };
}

function parseUnix(text: string): Parsed {
  const match = UNIX.exec(text);
  if (match === null) throw wrong(text, "after unix:// comes an absolute path");
  const [, user = "", password = "", path, db = "0"] = match;
  return {
    host: "",
    port: 0,
    path: decode(text, path),
    secure: false,
    user: decode(text, user),
    password: decode(text, password),
    db: Number(db),
  };
}

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw wrong(text, "user, password and names are to be percent-encoded");
  }
}

/** The error text does not repeat a password. */
export function wrong(text: string, why: string): ExitError {
  const shown = redactedUrl(text);
  return new ExitError(
    `Cannot use --redis-url '${shown}': ${why}; it takes redis://[user:password@]host[:port][/db], ` +
      "rediss:// for TLS, redis-sentinel://host[:port]/master[/db], or unix:///path[?db=N]",
    Exit.usage,
  );
}
