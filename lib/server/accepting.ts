/**
 * The connections of one listener, whatever their clients do while they wait to be accepted.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import { othersTurn } from "../others_turn.ts";
import { Turn } from "./turn.ts";

/** How long to wait when the system has no descriptor or memory for another connection, in milliseconds. */
const PAUSE = 100;

/** The errors that say that the system, or this process, is out of something. */
const SHORTAGE = /^(EMFILE|ENFILE|ENOBUFS|ENOMEM)$/;
const SHORTAGE_TEXT = /os error (23|24|105|12)\b|Too many open files|Cannot allocate memory/;

/** What is told of the troubles of a listener. */
export interface Troubles {
  /** The system is out of descriptors or memory: nothing is accepted for a moment. */
  shortage(why: string): void;
  /** A connection was dead before it was accepted. */
  dead(): void;
}

/**
 * Accepts until the listener is closed. A connection that was reset while it waited is an error of `accept`
 * and no reason to wait: the next one is alive. Only where the system has no room for another connection
 * there is nothing to do but to wait.
 */
export async function* accepting(
  listener: Deno.Listener,
  troubles: Troubles,
): AsyncGenerator<Deno.Conn> {
  // A flood of connections is a queue that never ends: those that are in have turns meanwhile.
  const turn = new Turn();
  for (;;) {
    let conn: Deno.Conn | undefined;
    try {
      conn = await listener.accept();
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
        return;
      }
      if (isShortage(error)) {
        troubles.shortage(messageOf(error));
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      } else {
        troubles.dead();
      }
    }
    if (conn !== undefined) yield conn;
    turn.rareRequest();
    if (!turn.isOver) continue;
    await othersTurn(true);
    turn.begin();
  }
}

/** Whether the system is out of descriptors or memory. */
export function isShortage(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return SHORTAGE.test(code) || SHORTAGE_TEXT.test(messageOf(error));
}
