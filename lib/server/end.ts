/**
 * The end of the process.
 *
 * @module
 */

import { isExporting } from "../observe/process.ts";
import type { Signals } from "./signals.ts";

/** Milliseconds after which the process is ended whatever is still under way. */
const LINGER = 1000;
/** Looked up when the process starts: at its end it may not read its environment any more. */
const exports = isExporting();

/**
 * Ends the process with an exit code.
 *
 * `Deno.exit` waits in this thread for the last export to OpenTelemetry. An export that is due meanwhile waits for
 * this thread to tell its figures: with a collector that is slow neither would ever end. So the event loop is
 * left to end by itself, where Deno exports.
 */
export function end(code: number, signals: Signals): void {
  if (!exports) Deno.exit(code);
  signals.release();
  Deno.exitCode = code;
  Deno.unrefTimer(setTimeout(() => Deno.exit(code), LINGER));
}
