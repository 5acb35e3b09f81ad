/**
 * The connections of one listener, whatever their clients do while they wait to be accepted.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import { isShortage } from "../net/shortage.ts";
import type { Acceptor, Transport } from "../net/transport.ts";
import { othersTurn } from "../others_turn.ts";
import { Turn } from "./turn.ts";

/** How long to wait when the system has no descriptor or memory for another connection, in milliseconds. */
const PAUSE = 100;

/** What is told of the troubles of a listener. */
export interface Troubles {
  /** The system is out of descriptors or memory. */
  shortage(why: string): void;
  /** A connection was dead before it was accepted. */
  dead(): void;
  /** Ends a connection for which there is no descriptor but the spare one. */
  refuse(conn: Transport): Promise<void>;
}

/** A descriptor that is kept for when there is no other. */
export interface Spare {
  /** Takes it, unless it is held; whether it is held now. */
  hold(): boolean;
  /** Gives it up; whether it was held. */
  release(): boolean;
}

/**
 * Accepts until the listener is closed. A connection that was reset while it waited is an error of `accept`
 * and no reason to wait: the next one is alive. Where there is no descriptor the spare one is given up,
 * which lets a connection in that is told so and closed: else it would wait for as long as there is none.
 * Where that does not help there is nothing to do but to wait.
 */
export async function* accepting(
  listener: Acceptor,
  troubles: Troubles,
  spare: Spare,
): AsyncGenerator<Transport> {
  // A flood of connections is a queue that never ends: those that are in have turns meanwhile.
  const turn = new Turn();
  for (;;) {
    let conn: Transport | undefined;
    try {
      conn = await listener.accept();
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
        return;
      }
      if (isShortage(error)) {
        troubles.shortage(messageOf(error));
        if (!spare.release()) await new Promise((resolve) => setTimeout(resolve, PAUSE));
        continue;
      }
      troubles.dead();
    }
    if (!spare.hold() && conn !== undefined) {
      await troubles.refuse(conn);
      conn = undefined;
      spare.hold();
    }
    if (conn !== undefined) yield conn;
    turn.rareRequest();
    if (!turn.isOver) continue;
    await othersTurn(true);
    turn.begin();
  }
}
