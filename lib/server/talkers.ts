/**
 * The connections that are busiest, for the live page.
 *
 * @module
 */

import type { Connection } from "./connection.ts";

/** A connection, and what has passed through it. */
export interface Talker {
  readonly addr: string;
  /** Bytes. */
  readonly received: number;
  readonly sent: number;
  /** Requests, and times that some were read from it. */
  readonly requests: number;
  readonly batches: number;
}

/** By what connections are compared. */
export const talkerOrders = {
  bytes: ({ received, sent }: Connection) => received + sent,
  requests: ({ requests }: Connection) => requests,
} as const;

/** The connections that have the most, so many at most, in one pass over all. */
export function busiest(
  connections: Iterable<Connection>,
  order: keyof typeof talkerOrders,
  most: number,
): Talker[] {
  const valueOf = talkerOrders[order];
  const top: Connection[] = [];
  for (const connection of connections) {
    const value = valueOf(connection);
    if (top.length === most && value <= valueOf(top.at(-1)!)) continue;
    let at = top.length;
    while (at > 0 && valueOf(top[at - 1]!) < value) at--;
    top.splice(at, 0, connection);
    if (top.length > most) top.pop();
  }
  return top.map(({ name, received, sent, requests, batches }) => ({
    addr: name,
    received,
    sent,
    requests,
    batches,
  }));
}
