/**
 * Listings of keys, and other replies of many lines, on their way to a client part after part.
 *
 * @module
 */

import type { Context } from "../commands/context.ts";
import { failureOf } from "../commands/failure.ts";
import type { Dialect } from "../protocol/dialect.ts";
import type { DumpFormat, Entry, Outcome } from "../protocol/outcome.ts";
import type { Request } from "../protocol/request.ts";
import { HIGH_WATER, type Outlet } from "./outlet.ts";
import { isDisconnect } from "./socket.ts";

/** Figures or entries that are written before others may have a turn. */
export const LINES_A_TURN = 256;

/**
 * Sends figures or entries up to the last {@linkcode LINES_A_TURN} of them, which are left in the outcome with
 * the end of the reply. They depend on nothing that was changed: what was has been sent before.
 */
export async function sendFirstLines(
  outlet: Outlet,
  dialect: Dialect,
  request: Request,
  outcome: Outcome,
): Promise<void> {
  const { out } = outlet;
  while (outcome.lines - outcome.begun > LINES_A_TURN) {
    const before = out.length;
    dialect.encodeLines(request, outcome, outcome.begun + LINES_A_TURN, out);
    const giving = outlet.work(out.length - before);
    if (giving !== undefined) await giving;
    if (out.length >= HIGH_WATER) await outlet.write();
  }
}

/** Sends a listing. Rejects only where the client is gone. */
export async function sendListing(
  outlet: Outlet,
  dialect: Dialect,
  format: DumpFormat,
  dump: AsyncIterable<readonly Entry[]>,
  context: Context,
): Promise<void> {
  const { out } = outlet;
  dialect.beginDump(format, out);
  let isEmpty = true;
  try {
    for await (const group of dump) {
      isEmpty &&= group.length === 0;
      const before = out.length;
      dialect.encodeDumped(format, group, out);
      const giving = outlet.work(out.length - before);
      if (giving !== undefined) await giving;
      if (out.length >= HIGH_WATER) await sendPart(outlet, context);
    }
    dialect.endDump(format, out);
    await sendPart(outlet, context);
  } catch (error) {
    if (isDisconnect(error)) throw error;
    // What the list had before it failed is shown, if it may be.
    if (!isEmpty) {
      await sendPart(outlet, context).catch((error) => {
        if (isDisconnect(error)) throw error;
      });
    }
    out.clear();
    dialect.fail(0, failureOf(error, context), out);
    await outlet.write();
  }
}

/**
 * Sends a part when all that it shows is safe. A client that does not take it in time ends its
 * connection: what is listed is pinned, and others wait for their listings.
 */
async function sendPart(outlet: Outlet, { listings, log }: Context): Promise<void> {
  await outlet.commit();
  const timer = setTimeout(() => {
    listings.kicks++;
    log(`${outlet.name} does not read its listing of keys: the connection is closed`);
    outlet.close();
  }, listings.patience);
  try {
    await outlet.write();
  } finally {
    clearTimeout(timer);
  }
}
