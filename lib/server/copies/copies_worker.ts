/**
 * The thread that copies: an entry of its own, as it has one in each executable. Reading, checksums and
 * TLS of copies take no time of the thread that has the store.
 *
 * @module
 */

/// <reference lib="webworker" />

import { machineClock } from "../../copies/copy_clock.ts";
import { Copying, FIRST_PAUSE, LONGEST_PAUSE, NOTHING_YET } from "../../copies/copying.ts";
import type { Destination } from "../../copies/destination.ts";
import { openDestination } from "../../copies/open.ts";
import { restoreIfEmpty } from "../../copies/takeover.ts";
import type { Tenure } from "../../copies/tenure.ts";
import { messageOf } from "../../errors.ts";
import type { LogLevel } from "../../log_level.ts";
import { systemFiles } from "../../copies/disk_files.ts";
import { Line } from "../threads/line.ts";
import { type CopyCalls, type StoreCalls, unpackMoment } from "./calls.ts";
import { asExit } from "./errors.ts";
import { Readers } from "./readers.ts";
import type { CopySettings } from "./settings.ts";

const thread = globalThis as unknown as DedicatedWorkerGlobalScope;

class CopyingThread implements CopyCalls {
  #settings!: CopySettings;
  #destination: Destination | undefined;
  #place: Destination | undefined;
  #begun: Promise<void> | undefined;
  readonly #stopping = new AbortController();
  readonly #over = new AbortController();
  #tenure: Tenure | undefined;
  /** Keeps the head until copying begins. */
  readonly #kept = new AbortController();
  #copying: Copying | undefined;

  begin(settings: CopySettings): void {
    this.#settings = settings;
  }

  async restore(): Promise<string | undefined> {
    const { directory, by, lease, retention, endpoint } = this.#settings;
    let readers: Readers | undefined;
    try {
      await this.#open();
      readers = new Readers(this.#destination!, endpoint);
      const restored = await restoreIfEmpty({
        ...{ destination: this.#destination!, place: this.#place!, directory, by, lease },
        retention,
        files: systemFiles,
        clock: machineClock,
        say: (line) => this.#say(line),
        signal: this.#over.signal,
        read: (task, advance) => readers!.restore(task, advance),
      });
      this.#tenure = restored?.tenure;
      this.#tenure?.keep(this.#kept.signal);
      return restored?.sentence;
    } catch (error) {
      throw asExit(error);
    } finally {
      await readers?.end();
    }
  }

  copy(): void {
    this.#begun = this.#copy();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#begun;
    this.#copying?.stop();
    await this.#copying?.ended();
    this.#over.abort();
    await this.#destination?.close();
    await this.#place?.close();
  }

  async #copy(): Promise<void> {
    if (!await this.#openPatiently()) return;
    const { directory, interval, retention, lease, held, by } = this.#settings;
    this.#kept.abort();
    this.#copying = new Copying({
      ...{ destination: this.#destination!, place: this.#place!, directory },
      ...{ interval, retention, lease, held, by },
      files: systemFiles,
      clock: machineClock,
      moment: async (whole) => unpackMoment(await line.call("moment", whole)),
      report: (report) => line.tell("report", report),
      say: (text, isGood) => this.#say(text, isGood ? "notice" : "warning"),
    }, this.#tenure);
    this.#copying.start();
  }

  /**
   * Opens the destination.
   *
   * @throws {DestinationError} if it cannot be used: there are no credentials, or a disk is not mounted
   */
  async #open(): Promise<void> {
    const { to, headAt, bandwidth, endpoint } = this.#settings;
    const { signal } = this.#over;
    const log = (line: string) => this.#say(line);
    this.#destination ??= await openDestination(to, { signal, bandwidth, endpoint, log });
    this.#place ??= headAt === undefined
      ? this.#destination
      : await openDestination(headAt, { signal, endpoint, log });
  }

  /** Opens it however long that takes: the server serves meanwhile. Returns whether it is open. */
  async #openPatiently(): Promise<boolean> {
    for (let errors = 1;; errors++) {
      try {
        await this.#open();
        return true;
      } catch (error) {
        const reason = messageOf(error).replaceAll(/\s+/g, " ").slice(0, 400);
        if (errors === 1) this.#say(`copies fail: ${reason}`, "warning");
        line.tell("report", { ...NOTHING_YET, state: "failing", reason, errors });
      }
      const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(errors - 1, 16));
      try {
        await machineClock.sleep(pause, this.#stopping.signal);
      } catch {
        return false;
      }
    }
  }

  #say(text: string, level: LogLevel = "notice"): void {
    line.tell("say", { line: text, level });
  }
}

const line = new Line<StoreCalls, CopyCalls>(
  thread.postMessage.bind(thread),
  new CopyingThread(),
);

thread.onmessage = ({ data }) => line.take(data);
