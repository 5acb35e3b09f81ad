/**
 * What a new connection does before it is used: it authenticates, selects its database, learns who
 * Redis is, and makes sure that nothing of a lost connection is carried out behind what is to come.
 * Whatever Redis refuses of it ends the connection: one without it would serve another's data, or
 * break a promise of `FORMAT.md` in silence.
 *
 * @module
 */

import type { Awaitable } from "../contract.ts";
import { isReplyError, isUnavailable, Refusal, refusalOf } from "./failure.ts";
import type { Argument, Reply } from "./request.ts";

/** A user's name, empty for Redis's default user, and the password. */
export interface Login {
  readonly user: string;
  readonly password: string;
}

/** What every connection of a store has to be before it is used. */
export interface Access {
  /** Asked for each connection, for a password may change; without it Redis asks for none. */
  readonly login?: () => Awaitable<Login>;
  /** The number of the database. */
  readonly db: number;
  /** How many replicas have a change before it is answered; 0 where none need have it. */
  readonly replicas: number;
  /** Whether only a master will do. */
  readonly master: boolean;
}

/** Redis's process, as far as it tells, and its number for a connection. */
export interface Identity {
  /** Empty where Redis does not tell. */
  readonly run: string;
  readonly client: number;
}

/** What a connection has learnt of Redis. */
export interface Met {
  /** What `INFO` says; `undefined` where Redis has or permits no such command. */
  readonly info: ReadonlyMap<string, string> | undefined;
  readonly identity: Identity;
}

/** Sends a command and returns its reply; throws Redis's own error, or that of a lost connection. */
export type Ask = (...words: Argument[]) => Promise<Reply>;

/** The command that logs in. */
export function authentication({ user, password }: Login): string[] {
  return user === "" ? ["AUTH", password] : ["AUTH", user, password];
}

/** The lines of a reply to `INFO`. */
export function readInfo(reply: Reply): ReadonlyMap<string, string> {
  const info = new Map<string, string>();
  for (const line of String(reply).split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) info.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return info;
}

/**
 * Shakes hands.
 *
 * @param fence a lost connection on which something was not answered
 * @throws {Refusal} where Redis refuses what is needed, or is not ready for it
 */
export async function shakeHands(
  ask: Ask,
  { login, db, replicas, master }: Access,
  fence: Identity | undefined,
): Promise<Met> {
  const demand = async (...words: string[]) => {
    try {
      return await ask(...words);
    } catch (error) {
      throw isReplyError(error as Error) ? refusalOf(error as Error, words) : error;
    }
  };
  const named = await login?.();
  if (named !== undefined) await demand(...authentication(named));
  if (db !== 0) await demand("SELECT", String(db));
  let info: ReadonlyMap<string, string> | undefined;
  try {
    info = readInfo(await ask("INFO"));
  } catch (error) {
    if (!isReplyError(error as Error)) throw error;
    if (!isUnavailable(error as Error)) throw refusalOf(error as Error, ["INFO"]);
  }
  if (info?.get("loading") === "1") throw new Refusal("it is still loading its data", "loading");
  if (master && info?.get("role") === "slave") {
    throw new Refusal("it is a replica, though Sentinel calls it the master", "replica");
  }
  const run = info?.get("run_id") ?? "";
  const client = await demand("CLIENT", "ID");
  if (typeof client !== "number") throw new Refusal("CLIENT ID is answered without a number");
  // Its own number, which is passed over: the right to end a lost connection is there when needed.
  await demand("CLIENT", "KILL", "ID", String(client), "SKIPME", "yes");
  // Where Redis does not tell which process it is, it may be the one that has the lost connection.
  if (fence !== undefined && (fence.run === run || fence.run === "" || run === "")) {
    const own = named === undefined || named.user === "" ? [] : ["USER", named.user];
    await demand("CLIENT", "KILL", "ID", String(fence.client), ...own);
  }
  if (replicas > 0) await demand("WAIT", "0", "1");
  return { info, identity: { run, client } };
}
