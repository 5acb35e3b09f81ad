/**
 * What goes wrong with copies, as a program that ends says it.
 *
 * @module
 */

import { CopyError } from "../../copies/copier.ts";
import { DestinationError } from "../../copies/destination.ts";
import { BrokenCopyError } from "../../copies/read_back.ts";
import { FencedError } from "../../copies/tenure.ts";
import { Exit, ExitError } from "../../errors.ts";

/** The error that a program ends with. */
export function asExit(error: unknown): unknown {
  if (error instanceof FencedError) return new ExitError(error.message, Exit.fenced);
  if (error instanceof BrokenCopyError || error instanceof CopyError) {
    return new ExitError(error.message, Exit.data);
  }
  if (error instanceof DestinationError) {
    return new ExitError(error.message, error.retry ? Exit.unavailable : Exit.data);
  }
  return error;
}
