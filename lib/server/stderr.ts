/**
 * Standard error, where the log goes.
 *
 * @module
 */

import { bytesOf } from "../bytes.ts";

/** Writes a text whole. Throws where nobody reads it, or there is no room. */
export function writeStderr(text: string): void {
  const bytes = bytesOf(text);
  for (let written = 0; written < bytes.length;) {
    written += Deno.stderr.writeSync(bytes.subarray(written));
  }
}

/**
 * Whether standard error leads to systemd's journal: systemd says so by `JOURNAL_STREAM`, the device and inode
 * of the stream (systemd.exec, "JOURNAL_STREAM"), which a redirection in the unit changes.
 */
export async function isJournal(): Promise<boolean> {
  const stream = Deno.env.get("JOURNAL_STREAM");
  if (stream === undefined) return false;
  const { fstatSync } = await import("node:fs");
  try {
    const { dev, ino } = fstatSync(2, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
