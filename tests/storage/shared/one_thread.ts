/** Owner and worker in one thread: the same code, rings and shelf, without the threads. */

import type { Clock } from "../../../lib/clock.ts";
import type { Store } from "../../../lib/storage/contract.ts";
import { bellMemory, bellOf, Channel, channelMemory } from "../../../lib/storage/shared/channel.ts";
import { Owner } from "../../../lib/storage/shared/owner.ts";
import { RemoteStore } from "../../../lib/storage/shared/remote_store.ts";
import { Shelf } from "../../../lib/storage/shared/shelf.ts";
import { ShelfReader } from "../../../lib/storage/shared/shelf_reader.ts";

/** What stands between a store and its caller. */
export interface Between {
  readonly store: RemoteStore;
  readonly owner: Owner;
  readonly shelf: Shelf | undefined;
  readonly reader: ShelfReader | undefined;
}

/** How much of everything there is. */
export interface Sizes {
  /** Bytes of the shelf; 0 for none. */
  readonly shelf?: number;
  /** Bytes of each ring. */
  readonly ring?: number;
}

/** Puts rings, and a shelf, before a store. The store that comes of it closes the one behind it. */
export function between(behind: Store, clock: Clock, sizes: Sizes = {}): Between {
  const { shelf: shelfBytes = 1 << 20, ring } = sizes;
  const bells = bellMemory(1);
  const memory = channelMemory(ring);
  const shelf = shelfBytes === 0
    ? undefined
    : new Shelf(shelfBytes, Math.floor(clock.now() / 1000));
  const reader = shelf && new ShelfReader(shelf.memory, 0, clock);
  const owner = new Owner({
    store: behind,
    clock,
    bell: bellOf(bells, 0),
    shelf,
    broken: (error) => {
      throw error;
    },
  });
  const toOwner = new MessageChannel();
  const toWorker = new MessageChannel();
  const owners = new Channel(
    memory.requests,
    memory.answers,
    bellOf(bells, 1),
    (frame) => toWorker.port1.postMessage(frame, [frame]),
  );
  const workers = new Channel(
    memory.answers,
    memory.requests,
    bellOf(bells, 0),
    (frame) => toOwner.port1.postMessage(frame, [frame]),
  );
  toOwner.port2.onmessage = ({ data }) => owner.take(owners, data);
  toWorker.port2.onmessage = ({ data }) => store.take(data);
  owner.attach(owners);
  const store = new RemoteStore({
    clock,
    channel: workers,
    bell: bellOf(bells, 1),
    hashKey: shelf?.hashKey ?? crypto.getRandomValues(new Uint8Array(16)),
    shelf: reader,
    whole: {
      flush: (at) => owner.flush(at),
      scan: () => owner.scan(),
      info: () => behind.info(),
      limitMemory: (bytes) => behind.limitMemory?.(bytes) ?? false,
      ...behind.removeExpired && { removeExpired: () => behind.removeExpired!() },
    },
  });
  const close = store.close.bind(store);
  store.close = async () => {
    await close();
    await owner.close();
    for (const port of [toOwner.port1, toOwner.port2, toWorker.port1, toWorker.port2]) port.close();
    await behind.close();
  };
  return { store, owner, shelf, reader };
}
