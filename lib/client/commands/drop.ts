/**
 * What a client program gives up once its options and the files that they name are read.
 *
 * @module
 */

import { parseAddress } from "../address.ts";

/**
 * Gives up the environment, and the right to write where it is not needed. A Unix socket is not to be had
 * without it.
 *
 * @param writes whether the program writes a file later on
 */
export function dropPermissions(servers: readonly string[], writes: boolean): void {
  Deno.permissions.revokeSync({ name: "env" });
  const isUnix = (server: string) => parseAddress(server).port === 0;
  if (!writes && !servers.some(isUnix)) Deno.permissions.revokeSync({ name: "write" });
}
