/**
 * What went wrong, as one sentence for the client and the log.
 *
 * @module
 */

import { messageOf, OutOfSpaceError, StoreError } from "../../errors.ts";

/** Whether it is a reply of Redis, and not the loss of the connection. */
export function isReplyError(error: Error): boolean {
  return error.name === "ReplyError";
}

/** The first word of an error reply: `MOVED`, `OOM`, `NOSCRIPT`; `ERR` for most. */
export function kindOf(error: Error): string {
  return /^[A-Z]+(?= |$)/.exec(error.message)?.[0] ?? "ERR";
}

/** An error's text on one line; ioredis's and the system's own errors included. */
export function causeOf(error: unknown): string {
  const several = (error as AggregateError).errors;
  // A name with several addresses fails with all their errors and no text.
  const one = Array.isArray(several) && several.length > 0 ? several[0] : error;
  return messageOf(one).replaceAll(/\s+/g, " ").trim() ||
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
  CLUSTERDOWN: "says that the cluster is down",
  MOVED: "is part of a cluster: --redis-cluster is missing",
  WRONGTYPE: "holds something else than a kvs item under this key",
  FOREIGN: "holds something else than a kvs item under this key",
};

/** The error for an error reply of the Redis at `address`. */
export function failureOf(error: Error, address: string): StoreError {
  const cause = causeOf(error);
  // Redis 6 wraps what a script's command said.
  if (/(^|[ -])OOM /.test(cause)) {
    return new OutOfSpaceError(`Redis at ${address} has no memory left: ${cause}`);
  }
  const kind = /-READONLY /.test(cause) ? "READONLY" : kindOf(error);
  const explained = EXPLAINED[kind];
  if (explained !== undefined) return new StoreError(`Redis at ${address} ${explained}: ${cause}`);
  return new StoreError(`Redis at ${address} answered: ${cause}`);
}

/** Whether it will not go away by itself: the user name, password or rights are wrong. */
export function isDenied(error: Error): boolean {
  return /\b(NOAUTH|WRONGPASS|NOPERM)\b|invalid password/.test(error.message);
}
