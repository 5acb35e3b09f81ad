/**
 * Commands that go to every server: one that fails keeps none of the others from its turn.
 *
 * @module
 */

import { complain } from "../../cli/terminal.ts";
import { Exit, messageOf } from "../../errors.ts";
import type { Client } from "../client.ts";
import { RequestError, ServerError, UnreachableError } from "../errors.ts";

/** What a server answered, or why it did not. */
export type Row<T> =
  | { readonly server: string; readonly answer: T }
  | { readonly server: string; readonly error: string; readonly code: number };

/**
 * Asks each server by itself, one after another. Where there is one only, its error is thrown; of
 * several each has a row.
 */
export async function* rowsOf<T>(
  client: Client,
  ask: (server: Client) => Promise<T>,
): AsyncGenerator<Row<T>> {
  const names = client.addresses;
  for (const [index, alone] of client.single().entries()) {
    using one = alone;
    const server = names[index]!;
    let answer: T;
    try {
      answer = await ask(one);
    } catch (error) {
      if (names.length === 1) throw error;
      const code = codeOf(error);
      if (code === undefined) throw error;
      yield { server, error: messageOf(error), code };
      continue;
    }
    yield { server, answer };
  }
}

/** Does something with each server, and says on standard error what fails. The exit code. */
export async function eachServer(
  command: string,
  client: Client,
  act: (server: Client) => Promise<void>,
): Promise<number> {
  let code: number = Exit.ok;
  for await (const row of rowsOf(client, act)) {
    if ("answer" in row) continue;
    complain(`${command}: ${row.error}`);
    code = row.code;
  }
  return code;
}

function codeOf(error: unknown): number | undefined {
  if (error instanceof UnreachableError) return Exit.unavailable;
  return error instanceof ServerError || error instanceof RequestError ? Exit.software : undefined;
}
