/**
 * Logging in over HTTP, where the server has users: Basic authentication (RFC 7617), which browsers ask a
 * person for and Prometheus sends with each scrape.
 *
 * @module
 */

import { bytesOf } from "../../bytes.ts";
import type { Users } from "../../commands/context.ts";
import { Right } from "../../commands/rights.ts";

/** What an answer says that asks for a user and a password. */
export const CHALLENGE = 'Basic realm="kvs", charset="UTF-8"';

/** Bytes of a user and a password at most; what is longer is nobody's. */
const MOST = 1024;
const COLON = 0x3a;

/** All who ask over HTTP wait for one another's hashes. */
const ADDRESS = "http";

/** Whether a request is of a user who may see statistics. */
export async function isUser(headers: Headers, users: Users): Promise<boolean> {
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
  const user = await users.check(name, password, ADDRESS);
  return user !== undefined && colon > 0 && (user.rights?.has(Right.stats) ?? true);
}
