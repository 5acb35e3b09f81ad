/**
 * A request that waits for what a store answers together with much else ({@linkcode Store.swapLater}), without
 * a promise of its own.
 *
 * @module
 */

import { assert } from "../errors.ts";
import type { Outcome } from "../protocol/outcome.ts";
import type { Request } from "../protocol/request.ts";
import { ItemCursor } from "../storage/item_cursor.ts";
import type { Context } from "./context.ts";
import { failureOf } from "./failure.ts";
import type { Session } from "./session.ts";

/** A request that is under way, and fills its outcome later. */
export type Running = Promise<void> | Waiting;

/** What a command does with what it waited for. */
type Finish<T> = (
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
  result: T,
) => Running | void;

/** What a command does about an error; it throws what remains one. */
type Recover = (
  error: unknown,
  request: Request,
  outcome: Outcome,
  session: Session,
  context: Context,
) => Promise<void>;

/** Those that are kept for the next requests, at most. */
const MOST_SPARE = 4096;
const spare: Waiting[] = [];

/** The wait of one request. They are used again and again. */
export class Waiting {
  /** Whether the outcome is there. */
  isOver = false;
  #request: Request | undefined;
  #outcome!: Outcome;
  #session!: Session;
  #context!: Context;
  #finish!: Finish<never>;
  #recover: Recover | undefined;
  #resolve: (() => void) | undefined;
  #cursor: ItemCursor | undefined;

  /** A wait that ends with `finish`, and where the store fails with `recover`. {@linkcode release} it. */
  static of<T>(
    request: Request,
    outcome: Outcome,
    session: Session,
    context: Context,
    finish: Finish<T>,
    recover?: Recover,
  ): Waiting {
    const waiting = spare.pop() ?? new Waiting();
    waiting.isOver = false;
    waiting.#request = request;
    waiting.#outcome = outcome;
    waiting.#session = session;
    waiting.#context = context;
    waiting.#finish = finish;
    waiting.#recover = recover;
    return waiting;
  }

  /** What the outcome shows of an item that was read, until the wait is released. */
  get cursor(): ItemCursor {
    return this.#cursor ??= new ItemCursor();
  }

  /** Resolves when the outcome is there. For one caller. */
  get over(): Promise<void> {
    if (this.isOver) return Promise.resolve();
    return new Promise((resolve) => this.#resolve = resolve);
  }

  /** The store's: what came of the call. */
  settle(result: unknown): void {
    const request = this.#request!;
    try {
      const more = this.#finish(
        request,
        this.#outcome,
        this.#session,
        this.#context,
        result as never,
      );
      if (more === undefined) this.#end();
      else this.#follow(more);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** The store's: the call has failed. */
  fail(error: unknown): void {
    const recover = this.#recover;
    if (recover === undefined) return this.#failed(error);
    try {
      this.#follow(recover(error, this.#request!, this.#outcome, this.#session, this.#context));
    } catch (other) {
      this.#failed(other);
    }
  }

  /** Lets go of it, when nobody needs it any more. */
  release(): void {
    assert(this.#request !== undefined, "a wait is released once");
    this.#request = undefined;
    this.#cursor?.release();
    if (spare.length < MOST_SPARE) spare.push(this);
  }

  #follow(more: Running): void {
    promised(more).then(() => this.#end(), (error) => this.#failed(error));
  }

  #failed(error: unknown): void {
    this.#outcome.fail(failureOf(error, this.#context));
    this.#end();
  }

  #end(): void {
    assert(!this.isOver, "a call has one result");
    this.#session.arrive(this.#outcome);
    this.isOver = true;
    const resolve = this.#resolve;
    if (resolve === undefined) return;
    this.#resolve = undefined;
    resolve();
  }
}

/** The promise of what runs: for what is rare. */
export function promised(running: Running): Promise<void> {
  return running instanceof Promise ? running : running.over;
}
