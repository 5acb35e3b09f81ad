/**
 * What is done twice a second: what time asks for, and the state as it has become.
 *
 * @module
 */

import { messageOf, StoreError } from "../../../errors.ts";
import type { Lock } from "../fs/files.ts";
import type { Health } from "../health.ts";
import type { Catalog } from "../log/catalog.ts";
import type { Commits } from "../log/commits.ts";
import type { Flushes } from "../log/flushes.ts";
import type { Log } from "../log/log.ts";
import type { Compactor } from "./compaction.ts";
import type { Images } from "./image.ts";
import type { Space } from "./space.ts";

/** So many ticks without a write make a store idle. */
const QUIET_TICKS = 4;
/** A segment is ended when nobody writes to it and so much of it has expired. */
const EXPIRED_SHARE = 1 / 4;
/** So much more than what was refused must fit, that one set more does not make the store full again. */
const SPARE_SHARE = 1 / 100;

/** The parts that are looked after. */
export interface HousekeepingOptions {
  readonly health: Health;
  readonly lock: Lock;
  readonly log: Log;
  readonly flushes: Flushes;
  readonly commits: Commits;
  readonly catalog: Catalog;
  readonly compactor: Compactor;
  readonly images: Images;
  readonly space: Space;
  readonly now: () => number;
  readonly say: (line: string) => void;
}

/** The housekeeping of one store. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  /** The size of the item that was refused last for want of room, in bytes. */
  #refusedBytes = 0;
  /** Why the last tick could not do its work. */
  #complaint = "";
  /** Where the log ended at the last tick, and for how many ticks it has. */
  #lastPosition = 0;
  #quietTicks = 0;
  /** Whether what must stand before all writes is being written. */
  #reserving = false;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  /** Does it once. */
  tick(): void {
    const { health, flushes, commits, compactor, images, space, say } = this.#options;
    if (health.state === "open" || health.state === "full") this.#checkLock();
    if (health.isStuck) return this.#reserve();
    if (health.refusal !== undefined) return;
    try {
      if (flushes.at !== 0) flushes.settleForWrite();
      commits.tick();
      this.#sealExpired();
      this.#complaint = "";
    } catch (error) {
      // What lasts is said once.
      if (messageOf(error) !== this.#complaint) say(messageOf(error));
      this.#complaint = messageOf(error);
    }
    compactor.wake();
    if (health.state === "open") images.wake();
    const wanted = this.#refusedBytes + space.ceiling * SPARE_SHARE;
    if (health.state === "full" && space.hasRoom(wanted)) health.empty();
  }

  /** Notes that there is no room for an item of so many bytes. */
  fill(reason: string, bytes: number): void {
    this.#refusedBytes = bytes;
    this.#options.health.fill(reason);
  }

  /** Ends a segment of which much has expired, so that it can be given up, when nobody writes to it. */
  #sealExpired(): void {
    const { log, now } = this.#options;
    const { active, position } = log;
    this.#quietTicks = position === this.#lastPosition ? this.#quietTicks + 1 : 0;
    this.#lastPosition = position;
    if (active === undefined || this.#quietTicks < QUIET_TICKS || active.live === 0) return;
    if (active.expiry.passed(now()) > active.length * EXPIRED_SHARE) log.seal();
  }

  /** What is written where nobody looks any more must not be acknowledged. */
  #checkLock(): void {
    const { health, lock } = this.#options;
    const loss = lock.loss();
    if (loss === undefined) return;
    health.fail(new StoreError(`Writes are refused: ${loss} while this server had it`));
  }

  /** Tries again what a full file system did not let the start do. */
  #reserve(): void {
    if (this.#reserving) return;
    this.#reserving = true;
    const { catalog, compactor, health } = this.#options;
    catalog.reserve().then(
      () => health.isStuck && health.empty(),
      // Hints of what is dead make room for the next try, and compaction then makes more.
      () => compactor.removeDeadHints(),
    ).catch(() => {})
      .finally(() => this.#reserving = false);
  }
}
