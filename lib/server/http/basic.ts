/**
 * Logging in over HTTP, where the server has users: Basic authentication (RFC 7617), which browsers ask a
 * person for and Prometheus sends with each scrape.
 *
 * @module
 */

import type { Users } from "../../commands/context.ts";
import { Right } from "../../commands/rights.ts";
import type { User } from "../../commands/session.ts";

/** What an answer says that asks for a user and a password. */
export const CHALLENGE = 'Basic realm="kvs", charset="UTF-8"';

/** Characters of a user and a password at most; what is longer is nobody's. */
const MOST = 1024;
const COLON = 0x3a;
/** All who ask over HTTP take turns as one address. */
const ADDRESS = "http";
const NOBODY = new Uint8Array(0);

/** The user that a request is from; `undefined` for nobody, which takes as long to find out. */
export async function userOf(headers: Headers, users: Users): Promise<User | undefined> {
  const [name, password] = pairOf(headers.get("authorization") ?? "");
  return await users.check(name, password, ADDRESS);
}

/** Whether a user may see what the pages show: what `stats` does. */
export function maySee({ rights }: User): boolean {
  return rights === undefined || rights.has(Right.stats);
}

/** A user and a password; empty ones where there are none. */
function pairOf(header: string): readonly [name: Uint8Array, password: Uint8Array] {
  const given = /^basic +([A-Za-z0-9+/]+=*)$/i.exec(header)?.[1];
  if (given === undefined || given.length > MOST) return [NOBODY, NOBODY];
  try {
    const pair = Uint8Array.fromBase64(given);
    const colon = pair.indexOf(COLON);
    return colon < 1 ? [NOBODY, NOBODY] : [pair.subarray(0, colon), pair.subarray(colon + 1)];
  } catch {
    return [NOBODY, NOBODY];
  }
}
