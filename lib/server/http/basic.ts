/**
 * Logging in over HTTP, where the server has users: Basic authentication (RFC 7617), which browsers ask a
 * person for and Prometheus sends with each scrape.
 *
 * @module
 */

import { bytesOf } from "../../bytes.ts";
import type { Users } from "../../commands/context.ts";

/** What an answer says that asks for a user and a password. */
export const CHALLENGE = 'Basic realm="kvs", charset="UTF-8"';

/** Bytes of a user and a password at most; what is longer is nobody's. */
const MOST = 1024;
const COLON = 0x3a;

/** Whether a request is a user's. */
export function isUser(headers: Headers, users: Users): boolean {
  const given = /^basic +([A-Za-z0-9+/]+=*)$/i.exec(headers.get("authorization") ?? "")?.[1];
  if (given === undefined || given.length > MOST) return false;
  let pair: Uint8Array;
  try {
    pair = Uint8Array.fromBase64(given);
  } catch {
    return false;
  }
  const colon = pair.indexOf(COLON);
  // Asked all the same, so that it takes as long.
  const [name, password] = colon < 0
    ? [bytesOf(""), bytesOf("")]
    : [pair.subarray(0, colon), pair.subarray(colon + 1)];
  return users.check(name, password) && colon > 0;
}
