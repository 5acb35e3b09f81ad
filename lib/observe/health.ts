/**
 * Whether the process serves, and whether it takes writes: what `/healthz`, `/readyz` and systemd are told.
 *
 * @module
 */

import { type CopyFigures, copyWarning } from "./figures/copies.ts";
import { type StoreState, storeState } from "./figures/store.ts";
import type { Named } from "./figures/row.ts";

/** Where a server is in its life. */
export type Phase = "starting" | "serving" | "draining" | "stopped";

/** What is told of a server's readiness. */
export interface Readiness {
  readonly ready: boolean;
  readonly phase: Phase;
  /** The state of the store, once it is open. */
  readonly store?: StoreState;
  /** Why it is not ready, in a sentence; empty where it is. */
  readonly reason: string;
  /** What does not keep it from serving, and is to be seen to; empty where there is nothing. */
  readonly warning: string;
}

/** The health of one server, known from its first moment. */
export class Health {
  #phase: Phase = "starting";
  #progress = "the store is being opened";
  #own: (() => readonly Named[]) | undefined;
  #copies: () => CopyFigures | undefined = () => undefined;
  readonly #listeners: ((phase: Phase, detail: string) => void)[] = [];

  get phase(): Phase {
    return this.#phase;
  }

  /** What is told from now on of each step, and of progress. */
  onChange(listener: (phase: Phase, detail: string) => void): void {
    this.#listeners.push(listener);
  }

  /** How far the start has come, in a sentence. */
  progress(line: string): void {
    if (this.#phase !== "starting") return;
    this.#progress = line;
    this.#tell(line);
  }

  /**
   * The store is open and connections are accepted. `own` returns the store's own figures, `copies` those of
   * its copies.
   */
  serve(
    own: () => readonly Named[],
    detail: string,
    copies: () => CopyFigures | undefined = () => undefined,
  ): void {
    this.#own = own;
    this.#copies = copies;
    this.#phase = "serving";
    this.#tell(detail);
  }

  /** No new connections are accepted. */
  drain(): void {
    this.#phase = "draining";
    this.#tell("what was read is answered");
  }

  /** The store is closed. */
  stop(): void {
    this.#phase = "stopped";
    this.#tell("stopped");
  }

  /** Whether the server takes writes, and why not. */
  readiness(): Readiness {
    const phase = this.#phase;
    if (phase === "starting") return { ready: false, phase, reason: this.#progress, warning: "" };
    if (phase !== "serving" || this.#own === undefined) {
      return { ready: false, phase, reason: "the server stops", warning: "" };
    }
    const { state, reason } = storeState(this.#own());
    const warning = copyWarning(this.#copies());
    return { ready: state === "ok", phase, store: state, reason, warning };
  }

  #tell(detail: string): void {
    for (const listener of this.#listeners) listener(this.#phase, detail);
  }
}
