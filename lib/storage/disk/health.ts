/**
 * What a store can do at the moment, said once when it begins and once when it ends.
 *
 * @module
 */

import { OutOfSpaceError, StoreError } from "../../errors.ts";

/**
 * - `open`: everything works.
 * - `full`: sets are refused, or all writes where nothing at all can be written; reads go on.
 * - `failed`: nobody knows what is on the medium, until the next start; reads go on.
 * - `closed`: every call is refused.
 */
export type StateName = "open" | "full" | "failed" | "closed";

/** The state of one store. */
export class Health {
  readonly #directory: string;
  readonly #say: (line: string) => void;
  #state: StateName = "open";
  /** What every write is refused with. */
  #refusal: StoreError | undefined;
  #reason = "";

  constructor(directory: string, say: (line: string) => void) {
    this.#directory = directory;
    this.#say = say;
  }

  get state(): StateName {
    return this.#state;
  }

  /** Why it is not open, in a sentence; empty where it is. */
  get reason(): string {
    return this.#reason;
  }

  /** What every write is refused with; nothing where sets may have room. */
  get refusal(): StoreError | undefined {
    return this.#refusal;
  }

  /** Whether every write is refused until there is room. */
  get isStuck(): boolean {
    return this.#state === "full" && this.#refusal !== undefined;
  }

  /** @throws {StoreError} once the store is closed */
  assertReadable(): void {
    if (this.#state === "closed") throw this.#refusal!;
  }

  /** @throws {StoreError} where nothing may be written */
  assertWritable(): void {
    if (this.#refusal !== undefined) throw this.#refusal;
  }

  /** Sets find no room. */
  fill(reason: string): void {
    if (this.#state !== "open") return;
    this.#state = "full";
    this.#reason = `'${this.#directory}' is full: ${reason}`;
    this.#say(`${this.#reason}; sets are refused, reads and deletes go on`);
  }

  /** Not even what must stand before all writes can be written. */
  stick(): void {
    this.#state = "full";
    this.#reason = `Nothing can be written to '${this.#directory}': no space left`;
    this.#refusal = new OutOfSpaceError(this.#reason);
    this.#say(`${this.#reason}; reads go on, and writes when there is room`);
  }

  /** There is room again. */
  empty(): void {
    if (this.#state !== "full") return;
    this.#state = "open";
    this.#reason = "";
    this.#refusal = undefined;
    this.#say(`'${this.#directory}' has room again: sets are taken`);
  }

  /** A sync failed; there will be no other. */
  fail(error: StoreError): void {
    if (this.#state === "failed" || this.#state === "closed") return;
    this.#state = "failed";
    this.#reason = error.message;
    this.#refusal = error;
    this.#say(`${error.message}; reads go on, a restart finds out what is there`);
  }

  close(): void {
    this.#state = "closed";
    this.#reason = `The store in '${this.#directory}' is closed`;
    this.#refusal = new StoreError(this.#reason);
  }
}
