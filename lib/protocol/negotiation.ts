/**
 * Which dialect a connection speaks.
 *
 * @module
 */

import { BinaryDialect } from "./binary/dialect.ts";
import type { Dialect, Guard } from "./dialect.ts";
import type { Limits } from "./limits.ts";
import { LineDialect } from "./text/dialect.ts";
import { LoginDialect } from "./text/login.ts";

/** The protocols that a listener takes: both, or one (memcached's `-B`). */
export type Protocols = "auto" | "ascii" | "binary";

/** The first byte of a request in the binary protocol. */
const BINARY_MAGIC = 0x80;

/**
 * The dialect of a connection by the first byte that came; `undefined` where that is of a protocol
 * which the listener does not take.
 *
 * @param authenticated whether the connection may do everything; else it has to log in, which clients of
 * the binary protocol do within their protocol
 * @param guard who may store what, where not everybody may store everything
 */
export function negotiate(
  first: number,
  protocols: Protocols,
  limits: Limits,
  authenticated: boolean,
  guard?: Guard,
): Dialect | undefined {
  const isBinary = first === BINARY_MAGIC && protocols !== "ascii";
  if (protocols === "binary" && !isBinary) return undefined;
  if (isBinary) return new BinaryDialect(limits, !authenticated, guard);
  if (first === BINARY_MAGIC) return undefined;
  return authenticated ? new LineDialect(limits, guard) : new LoginDialect();
}

/** The dialect that follows a login in another one, whatever byte comes next. */
export function afterLogin({ name }: Dialect, limits: Limits, guard?: Guard): Dialect {
  return name === "binary"
    ? new BinaryDialect(limits, false, guard)
    : new LineDialect(limits, guard);
}
