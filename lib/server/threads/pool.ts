/**
 * Several threads and what they need of the main one: the store, or the way to what is elsewhere.
 *
 * @module
 */

import type { User } from "../../commands/session.ts";
import type { Say } from "../../log_level.ts";
import { messageOf } from "../../errors.ts";
import { Batch, type Store, type StoreOptions } from "../../storage/contract.ts";
import {
  openSharedStore,
  openStore,
  type SharedStore,
  type StoreChoice,
} from "../../storage/open.ts";
import { bellOf, Channel, type ChannelMemory, channelMemory } from "../../storage/shared/mod.ts";
import type { Configuration } from "../configuration.ts";
import type { Front } from "../front.ts";
import type { Setup } from "./calls.ts";
import { CommonCounts } from "./common.ts";
import { OwnedStore } from "./owned_store.ts";
import { SharedAddressCounts } from "./shared_address_counts.ts";
import { Threads, type ThreadsUnderTest } from "./threads.ts";

/** What of the main thread all others share. */
export interface Shared extends ThreadsUnderTest {
  readonly configuration: Configuration;
  readonly log: Say;
  /** A line of a worker's audit log. */
  readonly audited: (line: string, more: number) => void;
  /** Who a user is now; `undefined` where it is nobody any more. */
  readonly renew: (user: User) => User | undefined;
  /** Told of exchanges of the workers' own stores, where somebody counts them. */
  readonly onExchanged: StoreOptions["onExchanged"];
  /** The clock of a server under test. */
  readonly testClock: SharedArrayBuffer | undefined;
}

/** Several threads that serve. */
export class Pool extends Threads implements Front {
  readonly #shared: Shared;
  readonly #memory: SharedArrayBuffer;
  readonly #byAddress: SharedArrayBuffer;
  readonly #recent = SharedAddressCounts.memory(0);
  #owned: SharedStore | undefined;
  readonly #memories: ChannelMemory[] = [];
  readonly #channels: Channel[] = [];

  constructor(shared: Shared) {
    const { configuration, log, audited, renew, onExchanged, module, patience } = shared;
    const memory = CommonCounts.memory(configuration.threads);
    super({
      configuration,
      common: new CommonCounts(memory),
      log,
      audited,
      renew,
      onExchanged,
      setup: (number) => this.#setupOf(number),
      frame: (number, frame) => this.#owned!.owner.take(this.#channels[number - 1]!, frame),
      ...module && { module },
      ...patience && { patience },
    });
    this.#shared = shared;
    this.#memory = memory;
    this.#byAddress = SharedAddressCounts.memory(configuration.connLimit);
  }

  /** Opens the store that all threads use, or that of this thread where each has its own. */
  async openStore(choice: StoreChoice): Promise<Store> {
    const { configuration } = this.#shared;
    if (choice.store === "redis" || choice.store === "gcs") {
      const store = await openStore(choice);
      return new OwnedStore(store, {
        // It is answered when it holds in all other servers, and so in the threads.
        flush: async (at) => await store.flush(at, new Batch()),
        scan: () => store.scan(),
        info: () => this.sums.store(choice.store, store.info()),
        close: () => store.close(),
      });
    }
    const broken = (error: unknown) =>
      this.die(`the thread of the store has failed: ${messageOf(error)}`);
    const owned = this.#owned = await openSharedStore(choice, configuration.threads, broken);
    const { store, owner, bells, shelf } = owned;
    for (let number = 1; number <= configuration.threads; number++) {
      const memory = channelMemory();
      const post = (frame: ArrayBuffer) => this.post(number, frame);
      const channel = new Channel(memory.requests, memory.answers, bellOf(bells, number), post);
      this.#memories.push(memory);
      this.#channels.push(channel);
      owner.attach(channel);
    }
    const kept = choice.store === "disk" ? shelf?.bytes ?? 0 : 0;
    return new OwnedStore(store, {
      flush: (at) => owner.flush(at),
      scan: () => owner.scan(),
      info: () => store.info(),
      close: async () => {
        await owner.close();
        await store.close();
      },
    }, kept);
  }

  #setupOf(number: number): Setup {
    const { configuration, testClock, onExchanged } = this.#shared;
    const { maxConnections, live, started, timing } = this.context;
    const owned = this.#owned;
    return {
      ...{ number, configuration, maxConnections, started, testClock },
      live: { ...live },
      slow: timing?.slow.threshold,
      tellsExchanges: onExchanged !== undefined,
      common: this.#memory,
      byAddress: this.#byAddress,
      recent: this.#recent,
      owner: owned && {
        bells: owned.bells,
        channel: this.#memories[number - 1]!,
        hashKey: owned.shelf?.hashKey ?? new Uint8Array(16),
        shelf: owned.shelf?.memory,
      },
    };
  }
}
