/**
 * The frame around a program: what it throws becomes a line on standard error and an exit code.
 *
 * @module
 */

import { redacted } from "../redact.ts";
import { Exit, ExitError } from "../errors.ts";
import { complain } from "./terminal.ts";

/** As a shell reports a program that ended because nobody reads its output any more. */
const BROKEN_PIPE = 128 + 13;

/**
 * Runs a program and ends the process with its exit code (0 if `main` returns none).
 *
 * An {@linkcode ExitError} is said in one line, `kvs-server: message`. Where the reader of standard
 * output has gone (`| head`), the program ends without a word. An error of the system (a full disk
 * behind standard output) is said in its words, with exit code 74, and what Deno was not told to permit
 * with exit code 64. Anything else is a bug: its stack is shown and the exit code is 70.
 *
 * ```ts ignore
 * await run("kvs-client", (args) => client(args));
 * ```
 *
 * @param end ends the process, now or when all is done
 */
export async function run(
  program: string,
  main: (args: readonly string[]) => number | void | Promise<number | void>,
  end: (code: number) => void = Deno.exit,
): Promise<void> {
  end(await exitCodeOf(program, () => main(Deno.args)));
}

async function exitCodeOf(
  program: string,
  main: () => number | void | Promise<number | void>,
): Promise<number> {
  try {
    return await main() ?? Exit.ok;
  } catch (error) {
    if (error instanceof ExitError) {
      if (error.message !== "") complain(`${program}: ${redacted(error.message)}`);
      return error.code;
    }
    if (error instanceof Deno.errors.BrokenPipe) return BROKEN_PIPE;
    if (error instanceof Deno.errors.NotCapable) {
      complain(`${program}: ${error.message}`);
      return Exit.usage;
    }
    if (isSystemError(error)) {
      complain(`${program}: ${error.message}`);
      return Exit.io;
    }
    console.error(`${program}: this is a bug in ${program}:`, error);
    return Exit.software;
  }
}

/** Whether the system refused something: its errors have a code, or their number in the message. */
function isSystemError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ||
    /\(os error \d+\)/.test(error.message);
}
