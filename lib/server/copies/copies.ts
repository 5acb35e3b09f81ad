/**
 * The copies of a server, as its main thread sees them: a thread that copies, and how it stands.
 *
 * @module
 */

import type { CopyReport } from "../../copies/copying.ts";
import { machineClock } from "../../copies/copy_clock.ts";
import { Exit, ExitError, messageOf } from "../../errors.ts";
import type { Say } from "../../log_level.ts";
import type { CopyFigures } from "../../observe/figures/copies.ts";
import type { Store } from "../../storage/contract.ts";
import { Line } from "../threads/line.ts";
import { type CopyCalls, packMoment, type StoreCalls } from "./calls.ts";
import type { CopySettings } from "./settings.ts";
import { CopyStanding } from "./standing.ts";

/** Milliseconds that a stop waits for the last copy. */
const STOP_TIME = 10_000;
/** Milliseconds that a start waits to hear whether it may copy. */
const LOOK_TIME = 10_000;
/** Milliseconds between two looks whether copies keep up. */
const INTERVAL = 1000;

/** The copies of one server. */
export class Copies {
  /** Resolves, with a sentence, when another server has taken them over. */
  readonly fenced: Promise<string>;
  /** Resolves when it is known how they stand, or that cannot be known soon. */
  readonly looked: Promise<void>;

  readonly #say: Say;
  readonly #worker: Worker;
  readonly #line: Line<CopyCalls, StoreCalls>;
  readonly #fence: (why: string) => void;
  readonly #look: () => void;
  #store: Store | undefined;
  readonly #standing: CopyStanding;
  #isBehind = false;
  #timer: ReturnType<typeof setInterval> | undefined;
  #lookTimer: ReturnType<typeof setTimeout> | undefined;

  private constructor(settings: CopySettings, say: Say) {
    this.#standing = new CopyStanding(
      settings.interval,
      machineClock,
      () => this.#store?.momentPosition,
    );
    this.#say = say;
    const fenced = Promise.withResolvers<string>();
    this.fenced = fenced.promise;
    this.#fence = fenced.resolve;
    const looked = Promise.withResolvers<void>();
    this.looked = looked.promise;
    this.#look = looked.resolve;
    this.#worker = new Worker(new URL("./copies_worker.ts", import.meta.url), {
      type: "module",
      name: "kvs copies",
    });
    this.#line = new Line(this.#worker.postMessage.bind(this.#worker), this.#calls());
    this.#worker.onmessage = ({ data }) => this.#line.take(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#die(event.message);
    };
  }

  /**
   * Starts the thread.
   *
   * @throws {ExitError} if it cannot be started
   */
  static async start(settings: CopySettings, say: Say): Promise<Copies> {
    const copies = new Copies(settings, say);
    try {
      await copies.#unlessDead(copies.#line.call("begin", settings));
    } catch (error) {
      copies.end();
      throw error;
    }
    return copies;
  }

  /**
   * Takes over and restores, if the data directory is empty.
   *
   * @throws {ExitError} if there is something that cannot be restored
   */
  async restore(): Promise<void> {
    const restored = await this.#unlessDead(this.#line.call("restore", undefined));
    if (restored !== undefined) this.#say(restored, "notice");
  }

  /** Copies a store from now on. */
  copy(store: Store): void {
    this.#store = store;
    this.#timer = setInterval(() => this.#watch(), INTERVAL);
    this.#lookTimer = setTimeout(this.#look, LOOK_TIME);
    this.#line.tell("copy", undefined);
  }

  /** How they stand. */
  figures(): CopyFigures {
    return this.#standing.figures;
  }

  /** Copies what was acknowledged last, as far as there is time for it, and ends. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<string>((resolve) =>
      timer = setTimeout(() => resolve("the destination takes too long"), STOP_TIME)
    );
    const stopped = this.#unlessDead(this.#line.call("stop", undefined))
      .then(() => "", (error) => messageOf(error));
    const problem = await Promise.race([stopped, late]);
    clearTimeout(timer);
    const { lag, reason } = this.#standing.figures;
    if (problem !== "" || lag > 0) {
      const why = problem || reason || "the last copy did not come about";
      this.#say(`the copies end ${lag.toFixed(1)} s before the server: ${why}`, "notice");
    }
    this.end();
  }

  /** Ends the thread, whatever it does. */
  end(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#lookTimer);
    this.#worker.terminate();
  }

  #calls(): StoreCalls {
    return {
      moment: async (whole) => packMoment(await this.#store!.moment!(whole)),
      report: (report) => this.#take(report),
      say: ({ line, level }) => this.#say(line, level),
    };
  }

  #take(report: CopyReport): void {
    this.#standing.take(report);
    if (report.state === "fenced") this.#fence(report.reason);
    // The first report of a round under way says no more than that there is one.
    if (report.state !== "waiting" || report.reason !== "") this.#look();
  }

  /** Says once when copies do not keep up, and once when they do again. */
  #watch(): void {
    const { state, reason } = this.#standing.figures;
    const isBehind = state === "behind";
    // What fails or is taken over does not keep up either, and says so itself.
    if (isBehind === this.#isBehind || !isBehind && state !== "copying") return;
    this.#isBehind = isBehind;
    this.#say(
      isBehind ? `copies are behind: ${reason}` : "copies are behind no more",
      "warning",
    );
  }

  #die(why: string): void {
    const standing = this.#standing;
    if (standing.failure !== "") return;
    standing.failure = `the thread that copies has failed: ${why}`;
    this.#say(`${standing.failure}; the server goes on, a restart copies again`, "error");
    this.#deaths.resolve(standing.failure);
    this.#look();
  }

  readonly #deaths = Promise.withResolvers<string>();

  async #unlessDead<T>(work: Promise<T>): Promise<T> {
    const died = this.#deaths.promise.then((why) => {
      throw new ExitError(why, Exit.software);
    });
    return await Promise.race([work, died]);
  }
}
