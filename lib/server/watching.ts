/**
 * What watchers see on its way to one of them.
 *
 * @module
 */

import type { LogStream } from "../protocol/outcome.ts";
import type { Outlet } from "./outlet.ts";
import { isDisconnect, type Socket } from "./socket.ts";

/** What a watcher sends is passed over, so many bytes at a time. */
const IGNORED = 1024;

/** Sends lines until the client leaves; what it says meanwhile is passed over. */
export async function sendEvents(outlet: Outlet, socket: Socket, events: LogStream): Promise<void> {
  const gone = passOver(socket).finally(() => events.close());
  // It may fail while a write is waited for, before anybody looks.
  gone.catch(() => {});
  try {
    while (await events.next(outlet.out)) {
      if (outlet.out.length > 0) await outlet.write();
    }
  } finally {
    events.close();
    outlet.close();
    await gone;
  }
}

async function passOver(socket: Socket): Promise<void> {
  const ignored = new Uint8Array(IGNORED);
  try {
    while (await socket.read(ignored) !== null);
  } catch (error) {
    if (!isDisconnect(error)) throw error;
  }
}
