/**
 * What went wrong, as one sentence for the client and the log.
 *
 * @module
 */

import { messageOf, OutOfSpaceError, StoreError } from "../../errors.ts";

/** The length of a cause at most, in characters: what a server says has no bound of its own. */
const LONGEST = 300;

/** Whether it is a reply of Redis, and not the loss of the connection. */
export function isReplyError(error: Error): boolean {
  return error.name === "ReplyError";
}

/**
 * The first word of an error reply: `MOVED`, `OOM`, `NOSCRIPT`; `ERR` for most. Before Redis 7 what a script's
 * command says stands in an `ERR`, behind a dash.
 */
export function kindOf(error: Error): string {
  const [kind] = /^[A-Z]+(?= |$)/.exec(error.message) ?? ["ERR"];
  return kind === "ERR" ? /^ERR .*: -([A-Z]+) /.exec(error.message)?.[1] ?? kind : kind;
}

/** An error's text on one line; ioredis's and the system's own errors included. */
export function causeOf(error: unknown): string {
  const several = (error as AggregateError).errors;
  // A name with several addresses fails with all their errors and no text.
  const one = Array.isArray(several) && several.length > 0 ? several[0] : error;
  const text = messageOf(one).replaceAll(/\s+/g, " ").trim();
  // What Redis says before it was asked anything; ioredis tells it so.
  const unasked = /^Command queue state error\..* Last error: (.*)$/.exec(text)?.[1];
  return (unasked ?? text).slice(0, LONGEST) ||
    String((one as { code?: string }).code ?? "unknown error");
}

const EXPLAINED: Record<string, string> = {
  READONLY: "is a read-only replica",
  NOAUTH: "asks for a password, and none was given",
  WRONGPASS: "does not accept the user name or password",
  NOPERM: "does not permit this to the user",
  LOADING: "is still loading its data",
  MASTERDOWN: "is a replica that has lost its master",
  MISCONF: "cannot save its data and refuses writes",
  NOREPLICAS: "has fewer replicas than it needs to take writes",
  CLUSTERDOWN: "says that the cluster is down",
  MOVED: "is part of a cluster: --redis-cluster is missing",
  WRONGTYPE: "holds something else than a kvs item under this key",
  FOREIGN: "holds something else than a kvs item under this key",
};

/** Redis has answered a request with an error. */
export class RefusedError extends StoreError {}

/** The error for an error reply of the Redis at `address`. */
export function failureOf(error: Error, address: string): StoreError {
  const cause = causeOf(error);
  const kind = kindOf(error);
  if (kind === "OOM") {
    return new OutOfSpaceError(`Redis at ${address} has no memory left: ${cause}`);
  }
  // Redis 7.0 does not say which.
  if (/user executing the script can't run/.test(cause)) {
    return new RefusedError(
      `Redis at ${address} does not permit a command of kvs's scripts to the user: ${cause}`,
    );
  }
  const explained = EXPLAINED[kind];
  return new RefusedError(`Redis at ${address} ${explained ?? "answered"}: ${cause}`);
}

/** Why a connection cannot be used, in words that follow a colon. */
export class Refusal extends Error {
  override name = "Refusal";

  /**
   * @param kind `"denied"` where the user, the password or the rights are wrong, `"loading"` and
   * `"replica"` for what will pass
   */
  constructor(message: string, readonly kind: "denied" | "loading" | "replica" | "" = "") {
    super(message);
  }
}

/** The refusal of a command of the handshake. Names the command, never a password. */
export function refusalOf(error: Error, words: readonly string[]): Refusal {
  const cause = causeOf(error);
  const kind = kindOf(error);
  if (kind === "NOAUTH" || kind === "WRONGPASS" || /invalid password/.test(cause)) {
    const explained = EXPLAINED[kind === "NOAUTH" ? kind : "WRONGPASS"];
    return new Refusal(`it ${explained}: ${cause}`, "denied");
  }
  if (/max number of clients/.test(cause)) {
    return new Refusal(`it has no room for another connection: ${cause}`);
  }
  const shown = words[0] === "AUTH" ? "AUTH" : words.slice(0, 2).join(" ");
  const denied = kind === "NOPERM" || words[0] === "AUTH" || words[0] === "SELECT";
  return new Refusal(`it refuses ${shown}: ${cause}`, denied ? "denied" : "");
}

/** Whether Redis has no such command, or does not permit it to the user. */
export function isUnavailable(error: Error): boolean {
  return kindOf(error) === "NOPERM" || /^ERR unknown (sub)?command/i.test(error.message);
}
