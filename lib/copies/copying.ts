/**
 * Copies a directory as long as its server runs: takes the head, copies, keeps the head, removes what is
 * due, and tells how it stands.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import type { Files } from "../storage/disk/fs/files.ts";
import type { Moment } from "../storage/moment.ts";
import { timeText } from "./choose.ts";
import { Copier } from "./copier.ts";
import { behindPlace, ownOfMoment } from "./place.ts";
import { type CopyClock, PauseEnded } from "./copy_clock.ts";
import type { Destination } from "./destination.ts";
import type { Place } from "./head.ts";
import { Retention } from "./retention.ts";
import { FencedError, Tenure } from "./tenure.ts";

/** Milliseconds after which something is tried again that has failed: first, and at most. */
export const FIRST_PAUSE = 1000;
export const LONGEST_PAUSE = 60_000;
/** Milliseconds between two looks for what is due to be removed. */
const RETENTION_PAUSE = 60_000;

/** A moment that is so many milliseconds ahead of the clock, or more, was made with one that was wrong. */
const MUCH_AHEAD = 3_600_000;

/** How a copy stands. */
export type CopyingState = "waiting" | "copying" | "failing" | "fenced";

/** What a copy tells of itself, whenever it changes. */
export interface CopyReport {
  readonly state: CopyingState;
  /** Why, in a sentence; empty while it copies. */
  readonly reason: string;
  /** Up to which place of the log there is a copy that counts, and when that was all there was. */
  readonly position: number;
  readonly cleanAt: number;
  /** When the last round ended well, in milliseconds since 1970; 0 for never. */
  readonly lastSuccess: number;
  readonly errors: number;
  readonly sentBytes: number;
  readonly sentObjects: number;
  readonly heldBytes: number;
  readonly removed: number;
  /** Names that are due and that the destination does not let go. */
  readonly kept: number;
  readonly manifests: number;
  readonly epoch: number;
}

/** What there is to tell before anything was done. */
export const NOTHING_YET: CopyReport = {
  state: "waiting",
  reason: "",
  position: 0,
  cleanAt: 0,
  lastSuccess: 0,
  errors: 0,
  sentBytes: 0,
  sentObjects: 0,
  heldBytes: 0,
  removed: 0,
  kept: 0,
  manifests: 0,
  epoch: 0,
};

/** What a copy needs. */
export interface CopyingOptions {
  readonly destination: Destination;
  /** Where the head is: the destination, unless it is kept elsewhere. */
  readonly place: Destination;
  readonly files: Files;
  readonly directory: string;
  readonly clock: CopyClock;
  readonly moment: (whole: boolean) => Promise<Moment>;
  /** Milliseconds between two rounds, for which moments stay, and of the lease. */
  readonly interval: number;
  readonly retention: number;
  readonly lease: number;
  /** Bytes of removed segments that may be held. */
  readonly held: number;
  /** Where this process runs, for a person. */
  readonly by: string;
  readonly report: (report: CopyReport) => void;
  readonly say: (line: string, isGood: boolean) => void;
}

/** Copies one directory. */
export class Copying {
  readonly #options: CopyingOptions;
  /** Ends pauses, because there is something else to do; and everything, because it is over. */
  #awake = new AbortController();
  /** Ends the pauses of the head, for good: the process ends. */
  readonly #leaving = new AbortController();
  readonly #over = new AbortController();
  #stopping = false;
  #tenure: Tenure | undefined;
  #copier: Copier | undefined;
  #retention: Retention | undefined;
  /** Why it is over, where a sign of life found that out. */
  #fence: FencedError | undefined;
  #removedAt = -Infinity;
  #failures = 0;
  /** Whether the last moment got through, whatever became of what is due to be removed. */
  #gotThrough = true;
  /** Whether moments that are ahead of the clock were told of. */
  #toldAhead = false;
  #running: Promise<void> | undefined;
  #beating: Promise<void> | undefined;
  #report: { -readonly [Name in keyof CopyReport]: CopyReport[Name] } = { ...NOTHING_YET };

  /** @param tenure where the head was taken already */
  constructor(options: CopyingOptions, tenure?: Tenure) {
    this.#options = options;
    this.#tenure = tenure;
    this.#report.cleanAt = options.clock.now();
  }

  /** Begins, and goes on until it is stopped or fenced. */
  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when nothing is under way any more; never rejects but for a bug. */
  async ended(): Promise<void> {
    await this.#running;
  }

  /** Copies a last moment, releases the head, and ends. */
  stop(): void {
    this.#stopping = true;
    this.#tenure?.hurry();
    this.#leaving.abort();
    this.#awake.abort();
  }

  async #run(): Promise<void> {
    try {
      this.#tenure ??= await this.#take();
      this.#report.epoch = this.#tenure.head.epoch;
      this.#tell("copying", "");
      this.#beating = this.#tenure.keep(this.#over.signal, (error) => {
        if (error instanceof FencedError) this.#fence = error;
        // What else it is the next round finds out, which is now.
        this.#awake.abort();
      });
      while (!this.#stopping) {
        if (this.#fence !== undefined) throw this.#fence;
        const { clock, interval } = this.#options;
        const began = clock.monotonic();
        await this.#turn(false);
        // A round begins at each interval, however long the one before has taken.
        const rest = interval - (clock.monotonic() - began);
        await this.#pause(this.#failures === 0 ? Math.max(0, rest) : this.#backoff);
      }
      // With what was acknowledged last; nothing waits for a destination that is away.
      if (!this.#gotThrough) return;
      this.#tenure.hurry();
      if (!await this.#turn(true)) return;
      // A sign of life that came after it would take the release back.
      this.#over.abort();
      await this.#beating;
      await this.#tenure.release();
    } catch (error) {
      if (error instanceof FencedError) this.#fenced(error);
      else if (!(error instanceof PauseEnded)) this.#failed(error);
    } finally {
      this.#over.abort();
      await this.#beating;
    }
  }

  /** Takes the head, however long it takes. */
  async #take(): Promise<Tenure> {
    const { destination, place, files, directory, clock, lease, by } = this.#options;
    for (;;) {
      try {
        const moment = await this.#options.moment(false);
        return await Tenure.take({
          ...{ destination, place, files, directory, clock, lease, by },
          retention: this.#options.retention,
          signal: this.#leaving.signal,
          // What there is when it is asked: the head may have been waited for, and the server writes meanwhile.
          behind: async (place: Place) =>
            await behindPlace(files, directory, await this.#options.moment(false), place),
          waits: (head) =>
            this.#tell(
              "waiting",
              `${destination.url} is ${head.by}'s, which has not released it: it is waited for ` +
                `${Math.round(Math.max(lease, head.lease) / 1000)} s without a sign`,
            ),
        }, await ownOfMoment(files, directory, moment));
      } catch (error) {
        if (error instanceof FencedError || error instanceof PauseEnded) throw error;
        this.#failed(error);
        if (this.#stopping) throw new PauseEnded("the copy ends before it has begun");
        await this.#pause(this.#backoff);
        if (this.#stopping) throw new PauseEnded("the copy ends before it has begun");
      }
    }
  }

  /** One round, and what is due; whether all went well. @throws {FencedError} */
  async #turn(last: boolean): Promise<boolean> {
    const { clock } = this.#options;
    const report = this.#report;
    this.#gotThrough = false;
    try {
      const copier = this.#copier ??= await Copier.begin({
        ...this.#options,
        sent: () => this.#count(),
      }, this.#tenure!);
      const began = clock.now();
      const { moment, manifest } = await copier.round(last);
      // Where nothing is written this alone tells whether the destination is there.
      if (manifest === undefined && !last) await this.#tenure!.beat();
      report.position = moment.position;
      // Not the manifest's time, which stays where it was when the clock is set back.
      report.cleanAt = manifest === undefined ? began : moment.time;
      if (manifest !== undefined) {
        report.manifests++;
        this.#tellAhead(manifest.time, moment.time);
      }
      report.lastSuccess = clock.now();
      this.#gotThrough = true;
      if (!last) await this.#retain();
      this.#failures = 0;
      this.#tell("copying", "");
      return true;
    } catch (error) {
      if (error instanceof FencedError) throw error;
      this.#failed(error);
      return false;
    }
  }

  /** Says once that moments have the time of an earlier one, since the clock is behind that. */
  #tellAhead(time: number, now: number): void {
    if (this.#toldAhead || time < now + MUCH_AHEAD) return;
    this.#toldAhead = true;
    const { say, destination } = this.#options;
    say(
      `the clock is behind the newest moment in ${destination.url}, of ${
        timeText(time)
      }: moments have that ` +
        "time until it has come, and none of them is removed before; another prefix ends that",
      false,
    );
  }

  async #retain(): Promise<void> {
    const { clock, destination, retention } = this.#options;
    if (clock.monotonic() - this.#removedAt < RETENTION_PAUSE) return;
    this.#retention ??= new Retention({ destination, retention }, this.#tenure!);
    await this.#tenure!.beat();
    // What remains has its turn with the next round.
    if (!await this.#retention.step()) this.#removedAt = clock.monotonic();
    this.#report.removed = this.#retention.removed;
    this.#report.kept = this.#retention.kept;
  }

  get #backoff(): number {
    const pause = FIRST_PAUSE * 2 ** Math.min(this.#failures - 1, 16);
    return Math.min(pause, LONGEST_PAUSE, Math.max(FIRST_PAUSE, this.#options.interval));
  }

  async #pause(milliseconds: number): Promise<void> {
    if (this.#stopping) return;
    try {
      await this.#options.clock.sleep(milliseconds, this.#awake.signal);
    } catch (error) {
      if (!(error instanceof PauseEnded)) throw error;
      // Woken, and perhaps not for the end.
      if (!this.#stopping) this.#awake = new AbortController();
    }
  }

  #failed(error: unknown): void {
    this.#failures++;
    this.#report.errors++;
    this.#tell("failing", messageOf(error).replaceAll(/\s+/g, " ").slice(0, 400));
  }

  #fenced(error: FencedError): void {
    this.#report.errors++;
    this.#tell("fenced", error.message);
  }

  #tell(state: CopyingState, reason: string): void {
    const report = this.#report;
    const isNew = state !== report.state || state === "waiting" && reason !== report.reason;
    Object.assign(report, { state, reason });
    const { say, destination } = this.#options;
    if (isNew) say(sentenceOf(state, reason, destination.url), state === "copying");
    this.#count();
  }

  #count(): void {
    const copier = this.#copier;
    if (copier !== undefined) {
      const { sentBytes, sentObjects, heldBytes } = copier;
      Object.assign(this.#report, { sentBytes, sentObjects, heldBytes });
    }
    this.#options.report({ ...this.#report });
  }
}

function sentenceOf(state: CopyingState, reason: string, url: string): string {
  switch (state) {
    case "waiting":
      return `copies wait: ${reason}`;
    case "copying":
      return `copies go to ${url}`;
    case "failing":
      return `copies fail: ${reason}`;
    case "fenced":
      return `copies have ended: ${reason}`;
  }
}
