/**
 * What a connection needs of a socket, and how one says that its client has gone.
 *
 * @module
 */

import { messageOf } from "../errors.ts";

/** A socket: TCP, Unix or TLS. */
export interface Socket {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** The errors that say that there is no way to the client any more: ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH. */
const NO_WAY = /os error (100|101|112|113)\b/;

/** Whether an error of a socket says no more than that the client is gone, or that it was closed here. */
export function isDisconnect(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.UnexpectedEof ||
    // What TLS cannot read.
    error instanceof Deno.errors.InvalidData ||
    error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.TimedOut ||
    NO_WAY.test(messageOf(error));
}
