/**
 * What an error of `accept` says: that the system has nothing left for another connection, or only that one
 * connection was dead before it was accepted.
 *
 * @module
 */

import { messageOf } from "../errors.ts";

/** The errors that say that the system, or this process, is out of something. */
const SHORTAGE = /^(EMFILE|ENFILE|ENOBUFS|ENOMEM)$/;
const SHORTAGE_TEXT = /os error (23|24|105|12)\b|Too many open files|Cannot allocate memory/;

/** Whether the system is out of descriptors or memory. */
export function isShortage(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return SHORTAGE.test(code) || SHORTAGE_TEXT.test(messageOf(error));
}
