/**
 * A store with copies, whose time passes as a test says.
 *
 * @module
 */

import { bytesOf } from "../../lib/bytes.ts";
import { Copier } from "../../lib/copies/copier.ts";
import { behindPlace, ownOfMoment } from "../../lib/copies/place.ts";
import type { Destination } from "../../lib/copies/destination.ts";
import type { CopyManifest } from "../../lib/copies/manifest.ts";
import { momentsOf } from "../../lib/copies/moments.ts";
import { finishRestore, restoreMoment } from "../../lib/copies/restore.ts";
import { type Chosen } from "../../lib/copies/choose.ts";
import { Retention } from "../../lib/copies/retention.ts";
import { readHead, Tenure } from "../../lib/copies/tenure.ts";
import { openDiskStore } from "../../lib/storage/disk/mod.ts";
import { type Caller, callerOf } from "../storage/caller.ts";
import { itemOf } from "../storage/contract.ts";
import { FaultyFiles, Random } from "../storage/disk/faulty_files.ts";
import { LEASE, stateOf, TestClock } from "./history.ts";

export const DIRECTORY = "d";

/** Opens a store with small segments. */
export async function openStore(files: FaultyFiles, segmentBytes = 4096): Promise<Caller> {
  return await callerOf(openDiskStore({
    ...{ directory: DIRECTORY, files: files.mount(), segmentBytes },
    clock: { now: () => Date.now() },
    fsync: "always",
    log: () => {},
    memoryLimit: 0,
  }));
}

/** What a directory has, by key. */
export async function contentOf(files: FaultyFiles): Promise<ReadonlyMap<string, string>> {
  const store = await openStore(files);
  try {
    return await stateOf(store);
  } finally {
    await store.close();
  }
}

/** A store, and what copies it. */
export class Machine implements AsyncDisposable {
  tenure!: Tenure;
  copier!: Copier;
  retention!: Retention;
  store!: Caller;

  /**
   * @param days for which moments are kept
   * @param place where the head is
   */
  constructor(
    readonly destination: Destination,
    readonly clock = new TestClock(),
    readonly files = new FaultyFiles(new Random(7)),
    readonly days = 7,
    readonly place: Destination = destination,
  ) {}

  /** Opens the store, and takes the head. */
  async start(): Promise<this> {
    const { destination, place, clock } = this;
    this.store = await openStore(this.files);
    const files = this.files.mount();
    const moment = async (whole: boolean) => {
      const told = await this.store.store.moment!(whole);
      return { ...told, time: clock.time };
    };
    const now = await moment(false);
    this.tenure = await Tenure.take({
      ...{ place, destination, files, directory: DIRECTORY, clock },
      ...{ lease: LEASE, by: "machine" },
      behind: (place) => behindPlace(files, DIRECTORY, now, place),
    }, await ownOfMoment(files, DIRECTORY, now));
    this.copier = await Copier.begin(
      { destination, files, directory: DIRECTORY, clock, moment, held: 1 << 30 },
      this.tenure,
    );
    this.retention = new Retention(
      { destination, retention: this.days * 86_400_000 },
      this.tenure,
    );
    return this;
  }

  async set(key: string, value: string): Promise<void> {
    await this.store.swap(bytesOf(key), "any", itemOf(value));
    await this.store.commit();
  }

  /** Copies; an hour or so has passed then. */
  async copy(hours = 0): Promise<CopyManifest | undefined> {
    const { manifest } = await this.copier.round(true);
    this.clock.time += hours * 3_600_000;
    return manifest;
  }

  async retain(): Promise<void> {
    do await this.tenure.replace({}); while (await this.retention.step());
  }

  async stop(): Promise<void> {
    await this.tenure.release();
    await this.store.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
  }
}

/** The names of all moments that count, the oldest first. */
export async function momentNames(destination: Destination): Promise<string[]> {
  const { head } = (await readHead(destination))!;
  return (await Array.fromAsync(momentsOf(destination, head))).map(({ name }) => name);
}

/** Restores into files of its own. */
export async function restored(
  destination: Destination,
  chosen: Chosen,
  clock: TestClock,
  files = new FaultyFiles(new Random(8)),
): Promise<FaultyFiles> {
  const options = {
    ...{ destination, place: destination, directory: DIRECTORY, clock },
    files: files.mount(),
  };
  await restoreMoment(options, chosen);
  await finishRestore(options, chosen);
  return files;
}
